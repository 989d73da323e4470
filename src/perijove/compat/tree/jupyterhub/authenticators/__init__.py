"""Authenticators in modules of their own."""
