"""The sub-commands of ``perijove``, a module each.

Each has ``run(argv) -> int``: arguments without the command's own name, and the
exit code. Start reading in ``hub``.
"""
