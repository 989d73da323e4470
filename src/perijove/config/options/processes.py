"""The hub as a process, and what the command line asks for."""

from traitlets import Bool, HasTraits, Unicode


class ProcessOptions(HasTraits):
    """Files, the proxy's process, and questions."""

    config_file = Unicode(
        "jupyterhub_config.py",
        help="""The configuration file.

        By default `perijove_config.py`, else `jupyterhub_config.py`, of the working
        directory, if there is one. A file named here must exist.
        """,
    ).tag(config=True)

    pid_file = Unicode(
        "",
        help="""A file that holds the hub's process id while it runs.""",
    ).tag(config=True)

    cleanup_proxy = Bool(
        True,
        help="""Stop the proxy when the hub stops, if the hub started it.

        Turn it off to restart the hub while people go on working.
        """,
    ).tag(config=True)

    answer_yes = Bool(
        False,
        help="""Answer yes to every question, such as whether to overwrite a file.""",
    ).tag(config=True)

    generate_config = Bool(
        False,
        help="""Write a configuration file with all options as comments, and exit.""",
    ).tag(config=True)

    generate_certs = Bool(
        False,
        help="""Write the certificates for `internal_ssl`, and exit.""",
    ).tag(config=True)
