"""Services: programs beside the hub that call it, or that people open through it.

``registry`` knows which services there are, from the configuration and made at
run time, with their tokens and OAuth clients; ``supervisor`` runs the managed
ones, as ``process``es, and looks whether the others answer; ``tenure`` says which
replica runs what.

A service's rights come from roles, like a person's. Start reading in
``registry``.
"""
