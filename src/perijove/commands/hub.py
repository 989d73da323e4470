"""``perijove``: run the hub."""

import asyncio
import faulthandler
import gc
import signal
import sys

import uvloop

from perijove.app import HubProcess
from perijove.compat import alias
from perijove.compat.app import JupyterHub
from perijove.compat.certificates import open_certificates
from perijove.config.generate import write_config_file
from perijove.config.load import LoadedConfig, load_hub
from perijove.config.settings import build_settings
from perijove.domain.errors import ConfigError
from perijove.domain.settings import Settings
from perijove.plugins.chp import ConfigurableHTTPProxy
from perijove.plugins.local import LocalProcessSpawner
from perijove.plugins.pam import PAMAuthenticator

CLASSES = (PAMAuthenticator, LocalProcessSpawner, ConfigurableHTTPProxy)
"""Classes whose options ``--help-all`` shows besides the hub's own."""


def run(argv: list[str]) -> int:
    """Run the hub until it is told to end; the exit code."""
    alias.install()
    try:
        loaded = load_hub(argv, JupyterHub, classes=CLASSES)
        if loaded.hub.generate_config:
            return 0 if write_config_file(loaded.hub) else 1
        if loaded.hub.show_config or loaded.hub.show_config_json:
            loaded.hub.start_show_config()
            return 0
        settings = build_settings(loaded.hub)
        if loaded.hub.generate_certs:
            return _make_certificates(settings)
    except ConfigError as error:
        print(error.message, file=sys.stderr)
        return 1
    return _serve(loaded, settings)


def _make_certificates(settings: Settings) -> int:
    certificates = open_certificates(settings.internal_tls)
    assert certificates is not None
    print(f"The certificates for internal_ssl are in {certificates.location}")
    return 0


def _serve(loaded: LoadedConfig, settings: Settings) -> int:
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(_main(loaded, settings))


async def _main(loaded: LoadedConfig, settings: Settings) -> int:
    process = HubProcess(loaded, settings)
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, process.end)
    # What every thread does, on stderr, for an operator who looks for a hanging hub.
    faulthandler.register(signal.SIGUSR1, all_threads=True)
    gc.freeze()
    return await process.run()
