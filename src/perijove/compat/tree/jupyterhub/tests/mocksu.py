"""The server that spawners of tests start: ``python -m jupyterhub.tests.mocksu``."""

from perijove.testing.echo_server import main

if __name__ == "__main__":
    main()
