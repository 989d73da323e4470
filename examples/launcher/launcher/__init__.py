"""The launcher: pages for visitors, in front of a hub that has none."""
