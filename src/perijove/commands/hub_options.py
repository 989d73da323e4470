"""Help of the commands that work from the hub's configuration.

They take the options of the hub, of which there are hundreds; their help names the
one that matters.
"""

from argparse import ArgumentParser, RawDescriptionHelpFormatter

HELP = frozenset({"-h", "--help"})


def show_help(argv: list[str], command: str, description: str, words: str = "") -> bool:
    """Print the help of ``perijove COMMAND`` if ``argv`` asks for it; whether it did.

    ``words`` is what the command takes besides options.
    """
    if HELP.isdisjoint(argv):
        return False
    usage = " ".join(filter(None, (f"perijove {command}", words, "[-f FILE] [OPTION ...]")))
    parser = ArgumentParser(
        usage=usage,
        description=description,
        epilog="All options of the hub are taken; perijove --help-all lists them.",
        formatter_class=RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "-f",
        "--config",
        metavar="FILE",
        help="the configuration (default: perijove_config.py or jupyterhub_config.py, if there)",
    )
    parser.print_help()
    return True
