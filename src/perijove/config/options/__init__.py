"""The options of ``c.JupyterHub``, one module for each subject.

Each class holds traits with a help text, and whatever computes their defaults;
``config.hub`` puts them together. They know plug-ins only as trait types. To
add an option: put a trait here, carry it over in ``config.settings``, and the
reference and the generated configuration file follow by themselves.
"""
