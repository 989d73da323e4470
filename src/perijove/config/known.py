"""Finds options and sections that nobody knows, and values of a wrong type.

traitlets notices such mistakes only when an object of the class is made: for a
spawner that is the first start of a server, long after the hub came up, and then
an unknown option is only a warning in the log. Here every ``c.Class.option`` of
the configuration is held against the classes before anything starts.

An option counts for a class and for all its subclasses, so ``c.Spawner.image``
is right when the spawner in use has an ``image``.
"""

import contextlib
import re
from collections.abc import Iterator, Mapping
from copy import deepcopy
from typing import Any

from traitlets import HasTraits, TraitError, TraitType, Type
from traitlets.config import Config, Configurable
from traitlets.config.loader import DeferredConfig, LazyConfigValue

from perijove.config.hub import JupyterHub
from perijove.config.sections import SECTIONS
from perijove.config.words import hint, nearest
from perijove.domain.errors import ConfigError
from perijove.plugins.discover import import_dotted

FAMILIES: dict[str, str] = {
    "Authenticator": "perijove.plugins.authenticator:Authenticator",
    "LocalAuthenticator": "perijove.plugins.local_auth:LocalAuthenticator",
    "PAMAuthenticator": "perijove.plugins.pam:PAMAuthenticator",
    "DummyAuthenticator": "perijove.plugins.simple_auth:DummyAuthenticator",
    "NullAuthenticator": "perijove.plugins.simple_auth:NullAuthenticator",
    "SharedPasswordAuthenticator": "perijove.plugins.simple_auth:SharedPasswordAuthenticator",
    "Spawner": "perijove.plugins.spawner:Spawner",
    "LocalProcessSpawner": "perijove.plugins.local:LocalProcessSpawner",
    "SimpleLocalProcessSpawner": "perijove.plugins.local:SimpleLocalProcessSpawner",
    "Proxy": "perijove.plugins.proxy:Proxy",
    "ConfigurableHTTPProxy": "perijove.plugins.chp:ConfigurableHTTPProxy",
}
"""Classes that come with the hub; imported only when the configuration names them."""

PLUGIN_OPTIONS = ("authenticator_class", "spawner_class", "proxy_class")

UNCHECKED = frozenset({"Application", "EventLog"})
"""Sections of others' making that are right as they are."""

SECTION_CUTOFF = 0.85
"""Names of classes end alike: ``KubeSpawner`` is no misspelt ``Spawner``."""

BAD_CONFIG = "Bad config encountered during initialization: {}"

_DOTTED_NAME = re.compile(r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)+")
_SECRET_NAME = re.compile("secret|token|passw|key", re.IGNORECASE)


def family_classes() -> tuple[type[Configurable], ...]:
    """All classes that come with the hub and have options, besides ``JupyterHub``."""
    return (*(_import_class(path) for path in FAMILIES.values()), *SECTIONS)


def _import_class(path: str) -> type[Configurable]:
    found = import_dotted(path)
    assert isinstance(found, type)
    assert issubclass(found, Configurable)
    return found


def load_plugin_classes(hub: JupyterHub, config: Config) -> list[type[Configurable]]:
    """The plug-in classes that ``config`` names, or the hub's defaults.

    Raises ConfigError, with the option and the reason, when one cannot be had.
    """
    classes = []
    for option in PLUGIN_OPTIONS:
        value = config.get("JupyterHub", {}).get(option)
        if isinstance(value, DeferredConfig):
            value = value.get_value(hub.traits()[option])
        try:
            if value is None:
                classes.append(getattr(hub, option))
            else:
                classes.append(hub.traits()[option]._validate(hub, value))
        except TraitError as error:
            raise ConfigError(BAD_CONFIG.format(f"c.JupyterHub.{_tail(option, error)}")) from error
        except Exception as error:
            what = "the default" if value is None else repr(value)
            raise ConfigError(
                f"c.JupyterHub.{option} = {what} cannot be loaded: {type(error).__name__}: {error}"
            ) from error
    return classes


def _tail(option: str, error: TraitError) -> str:
    text = str(error)
    return text if text.startswith(option) else f"{option}: {text}"


def check_config_options(hub: JupyterHub, config: Config) -> list[str]:
    """Warnings about ``config``; errors in classes that matter are raised.

    Raises ConfigError for an option that none of the known classes has, and for
    a value of a wrong type. A section of an unknown class is only a warning: it
    may belong to a helper class of a plug-in, as may its options.
    """
    in_use = load_plugin_classes(hub, config)
    strict = {cls.__name__: cls for plugin in in_use for cls in _configurables(plugin)}
    strict |= {cls.__name__: cls for cls in (*_configurables(type(hub)), *SECTIONS)}
    lenient: set[str] = set()
    for wrapper in filter(_wraps, in_use):
        own = [cls.__name__ for cls in _configurables(wrapper)]
        lenient.update(own)
        _load_wrapped([config[section] for section in own if section in config])
    warnings: list[str] = []
    for section, options in config.items():
        if section in UNCHECKED or not isinstance(options, Mapping):
            continue
        cls = strict.get(section)
        if cls is None and section in FAMILIES:
            cls = _import_class(FAMILIES[section])
        if cls is not None and section not in lenient:
            _check_section(section, cls, options)
            continue
        helper = cls or _loaded_class(section)
        if helper is None:
            warnings.append(_unknown_section(section, [*strict, *FAMILIES]))
            continue
        try:
            _check_section(section, helper, options)
        except ConfigError as error:
            warnings.append(error.message)
    return warnings


def _wraps(plugin: type[Any]) -> bool:
    """Whether it hands its work to another class, which may not be loaded yet.

    Such spawners have an option for the class; options of the parents may be
    meant for that one.
    """
    return any(
        isinstance(trait, Type)
        and isinstance(trait.klass, type)
        and issubclass(plugin, trait.klass)
        and issubclass(trait.klass, Configurable)
        for trait in plugin.class_traits().values()
    )


def _load_wrapped(value: Any) -> None:
    """Import the classes that a wrapping plug-in names in its options, so that theirs are known."""
    if isinstance(value, str):
        if _DOTTED_NAME.fullmatch(value):
            with contextlib.suppress(Exception):  # what is no class at all may look like one
                import_dotted(value)
        return
    if isinstance(value, LazyConfigValue):
        value = list(value.to_dict().values())
    if isinstance(value, Mapping | list | tuple | set):
        for item in value.values() if isinstance(value, Mapping) else value:
            _load_wrapped(item)


def _configurables(cls: type[Any]) -> Iterator[type[Configurable]]:
    for parent in cls.__mro__:
        if issubclass(parent, Configurable) and parent.class_traits(config=True):
            yield parent


def _loaded_class(name: str) -> type[Configurable] | None:
    return next((cls for cls in _subclasses(Configurable) if cls.__name__ == name), None)


def _subclasses(cls: type[Any]) -> Iterator[type[Any]]:
    for child in cls.__subclasses__():
        yield child
        yield from _subclasses(child)


def _unknown_section(section: str, known: list[str]) -> str:
    near = nearest(section, known, cutoff=SECTION_CUTOFF)
    meant = f" (did you mean c.{near}?)" if near else ""
    return (
        f"c.{section}: no class of this name is in use{meant}; its options have no effect unless "
        "a plug-in reads them"
    )


def _check_section(section: str, cls: type[Configurable], options: Mapping[str, Any]) -> None:
    known = _known_traits(cls)
    for option, value in options.items():
        if option not in known and _reads_by_itself(cls, option):
            continue
        if option not in known:
            raise ConfigError(f"c.{section}.{option}: there is no such option{hint(option, known)}")
        owner, trait = known[option]
        _check_value(section, owner, trait, option, value)
        _check_copyable(f"c.{section}.{option}", value)


def _check_copyable(option: str, value: Any) -> None:
    """Traitlets gives every object a copy of its options, and some things have none."""
    try:
        deepcopy(value)
    except Exception as error:
        raise ConfigError(
            f"{option} holds something that cannot be copied ({error}); "
            "give what can: text, numbers, a class or a function"
        ) from None


def _reads_by_itself(cls: type[Configurable], option: str) -> bool:
    """Whether a property of this name stands for it, as with options that a plug-in renamed."""
    return any(isinstance(getattr(c, option, None), property) for c in (cls, *_subclasses(cls)))


def _known_traits(cls: type[Configurable]) -> dict[str, tuple[type[Any], TraitType[Any, Any]]]:
    """Options of the class, and of its subclasses that are loaded."""
    known: dict[str, tuple[type[Any], TraitType[Any, Any]]] = {}
    for candidate in (cls, *_subclasses(cls)):
        for name, trait in candidate.class_traits(config=True).items():
            known.setdefault(name, (candidate, trait))
    return known


def _check_value(
    section: str, owner: type[Any], trait: TraitType[Any, Any], option: str, value: Any
) -> None:
    try:
        # An object without __init__: traits may ask it for its class, and no more is needed.
        holder: HasTraits = HasTraits.__new__(owner)
        holder._cross_validation_lock = True
        trait._validate(holder, _plain(trait, holder, value))
    except TraitError as error:
        said = str(error)
        if _SECRET_NAME.search(option):
            said = f"c.{section}.{option} must be {trait.info()}"
        raise ConfigError(BAD_CONFIG.format(said)) from None
    except Exception:
        # A plug-in's own trait that needs a whole object: it is checked when there is one.
        return


def _plain(trait: TraitType[Any, Any], holder: HasTraits, value: Any) -> Any:
    """The value that the trait will be given in the end."""
    if isinstance(value, DeferredConfig):
        return value.get_value(trait)
    if isinstance(value, LazyConfigValue):
        # A copy: the first answer is remembered, and this one is not the last word.
        return deepcopy(value).get_value(trait.default(holder))
    return value
