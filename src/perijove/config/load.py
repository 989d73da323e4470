"""The command line and the configuration file, read and checked.

``load_hub`` gives a ``JupyterHub`` with its options set: defaults, then the
file, then the command line. Mistakes are one plain sentence in a ConfigError,
whose message is fit for stderr as it is; the command line then ends with 1.
"""

import inspect
import logging
import os
import traceback
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from traitlets import TraitError
from traitlets.config import Config, Configurable
from traitlets.config.loader import (
    ConfigFileNotFound,
    ConfigLoaderError,
    JSONFileConfigLoader,
    PyFileConfigLoader,
)

from perijove.config.hub import JupyterHub
from perijove.config.ineffective import take_out_gone
from perijove.config.known import BAD_CONFIG, check_config_options, family_classes
from perijove.config.sections import SECTIONS
from perijove.config.settings import build_logs
from perijove.config.words import hint, nearest
from perijove.domain.errors import ConfigError
from perijove.telemetry.log import set_up_logging

log = logging.getLogger("perijove.config")

DEFAULT_FILES = ("perijove_config.py", "jupyterhub_config.py")
"""Looked for in the working directory when no file is named; the first one counts."""

SUBCOMMANDS = (
    *("proxy", "singleuser", "token", "user", "group", "server", "service", "share"),
    *("plugins", "upgrade-db", "check-config", "generate-config"),
)
"""Commands of the front door that come before all options."""

_BUILT_IN_WORDS = ("help", "help-all", "version", "h", "V")


@dataclass(frozen=True, slots=True)
class LoadedConfig:
    """A hub's options, as set. ``file`` is empty when there was no file.

    ``warnings`` are sentences about options that may not do what was meant; ``words``
    are what stood among the options of the command line without being one.
    """

    hub: JupyterHub
    file: str
    warnings: tuple[str, ...] = ()
    words: tuple[str, ...] = ()

    @property
    def config(self) -> Config:
        """The whole configuration, with all its sections."""
        found: Config = self.hub.config
        return found


def load_hub(
    argv: Sequence[str],
    hub_class: type[JupyterHub] = JupyterHub,
    classes: Iterable[type[Configurable]] = (),
    *,
    start_log: bool = True,
    max_words: int = 0,
) -> LoadedConfig:
    """The hub's options from the command line ``argv`` (without the command) and the file.

    ``classes`` appear in ``--help-all``. Sets up logging unless ``start_log`` is
    off, and makes the hub the one that ``hub_class.instance()`` gives. ``--help``
    and ``--version`` print and raise SystemExit. With ``--generate-config`` no
    file is read. ``max_words`` is how many words besides options the command takes.
    Raises ConfigError.
    """
    hub_class.clear_instance()
    hub = hub_class.instance()
    families = family_classes() if "--help-all" in argv else ()
    hub.classes = [*dict.fromkeys((hub_class, *classes, *families, *SECTIONS))]
    if start_log:
        set_up_logging(build_logs(hub))
    _check_words(argv, hub)
    _parse_command_line(hub, argv)
    words = tuple(hub.extra_args)
    _refuse_extra(words[max_words:])
    if hub.generate_config:
        return LoadedConfig(hub, "", words=words)
    path = find_config_file(hub)
    config = read_config_file(path) if path else Config()
    _merge_command_line(config, hub)
    warnings = [*take_out_gone(config), *check_config_options(hub, config)]
    try:
        hub.update_config(config)
    except TraitError as error:
        raise ConfigError(BAD_CONFIG.format(error)) from None
    if path:
        hub._loaded_config_files = [str(path)]
    if start_log:
        _start_log(hub)
    return LoadedConfig(hub, str(path or ""), tuple(warnings), words)


def _start_log(hub: JupyterHub) -> None:
    try:
        set_up_logging(build_logs(hub))
    except OSError as error:
        raise ConfigError(
            f"c.JupyterHub.extra_log_file {hub.extra_log_file!r} cannot be opened: {error.strerror}"
        ) from None


# -- command line ----------------------------------------------------------


def _parse_command_line(hub: JupyterHub, argv: Sequence[str]) -> None:
    # traitlets' remarks on unknown options; check_config_options refuses them a little later.
    hub.log.addFilter(_is_no_remark)
    try:
        # The undecorated method: the decorator logs the whole configuration, secrets too.
        inspect.unwrap(type(hub).parse_command_line)(hub, list(argv))
    except (TraitError, ConfigLoaderError) as error:
        raise ConfigError(BAD_CONFIG.format(error)) from None
    finally:
        hub.log.removeFilter(_is_no_remark)


def _is_no_remark(record: logging.LogRecord) -> bool:
    return not str(record.msg).startswith("Config option `")


def _check_words(argv: Sequence[str], hub: JupyterHub) -> None:
    """Raises ConfigError for an option that the command line does not have."""
    words: set[str] = {*_BUILT_IN_WORDS, *hub.flags}
    for names in hub.aliases:
        words.update(names if isinstance(names, tuple) else (names,))
    for argument in argv:
        if argument == "--":
            return
        word = _option_word(argument)
        if word and word not in words:
            near = nearest(word, words)
            meant = f" (did you mean '--{near}'?)" if near else ""
            raise ConfigError(f"Unrecognized command-line arguments: '{argument}'{meant}")


def _option_word(argument: str) -> str:
    """The name of a flag or alias in ``argument``; empty when it is none or a ``Class.trait``."""
    if argument.startswith("--"):
        word = argument[2:].partition("=")[0]
        return "" if "." in word else word
    if argument.startswith("-") and len(argument) > 1 and not argument[1].isdigit():
        return argument[1:].partition("=")[0]
    return ""


def _refuse_extra(arguments: Sequence[str]) -> None:
    if not arguments:
        return
    extra = " ".join(arguments)
    command = arguments[0]
    if command in SUBCOMMANDS:
        advice = f"; the command comes first: perijove {command} [options]"
    else:
        advice = hint(command, SUBCOMMANDS)
    raise ConfigError(f"Unrecognized command-line arguments: '{extra}'{advice}")


def _merge_command_line(config: Config, hub: JupyterHub) -> None:
    """Put the command line over the file.

    ``--debug`` and ``--log-level`` set options of ``Application``; the same options of
    ``JupyterHub`` in the file must not win over them.
    """
    command_line = hub.cli_config
    for option in command_line.get("Application", {}):
        for section in ("JupyterHub", type(hub).__name__):
            given = command_line.get(section, {})
            if option in config.get(section, {}) and option not in given:
                del config[section][option]
    config.merge(command_line)


# -- file ------------------------------------------------------------------


def find_config_file(hub: JupyterHub) -> Path | None:
    """The file to read, or None. Raises ConfigError when a named one is missing."""
    if "config_file" in hub.config.get("JupyterHub", {}):
        path = Path(hub.config_file).expanduser()
        for candidate in (path, path.with_name(f"{path.name}.py")):
            if candidate.is_file():
                return candidate.absolute()
        raise ConfigError(f"ERROR: Failed to find specified config file: {hub.config_file}")
    for name in DEFAULT_FILES:
        if os.path.isfile(name):
            hub.config_file = name
            return Path(name).absolute()
    return None


def read_config_file(path: Path) -> Config:
    """The configuration in a Python or JSON file.

    Raises ConfigError, with file and line, when the file cannot be read to its
    end; the error behind it is the cause. SystemExit is let through.
    """
    executed: list[str] = [str(path)]
    try:
        if path.suffix == ".json":
            return JSONFileConfigLoader(path.name, str(path.parent)).load_config()
        loader = _FileLoader(str(path))
        loader.path = (os.getcwd(), str(path.parent))
        loader.executed = executed
        return loader.load_config()
    except Exception as error:
        said = traceback.format_exception_only(error)[-1].strip()
        raise ConfigError(f"ERROR: {_place_of(error, executed)}: {said}") from error


class _FileLoader(PyFileConfigLoader):
    """Runs a configuration file, and remembers which files it ran.

    ``load_subconfig`` looks in the working directory, then beside the file.
    """

    executed: list[str]
    path: Any

    def load_subconfig(self, fname: str, path: Any = None) -> None:
        """Run another file, and take over what it sets. A missing one is a warning."""
        loader = type(self)(fname)
        loader.path = path or self.path
        loader.executed = self.executed
        try:
            config = loader.load_config()
        except ConfigFileNotFound:
            log.warning("load_subconfig: there is no file %s", fname)
        else:
            self.config.merge(config)

    def _read_file_as_dict(self) -> None:
        self.executed.append(self.full_filename)
        super()._read_file_as_dict()


def _place_of(error: BaseException, files: Sequence[str]) -> str:
    """``FILE, line N``: the innermost place that lies in one of ``files``."""
    if isinstance(error, SyntaxError) and error.filename in files:
        return f"{error.filename}, line {error.lineno}"
    for frame in reversed(traceback.extract_tb(error.__traceback__)):
        if frame.filename in files:
            return f"{frame.filename}, line {frame.lineno}"
    return files[-1]
