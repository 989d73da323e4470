"""The methods of the client, from ``perijove.wire.client`` and the table of scopes."""

import inspect
import re
from typing import Any, get_args

from perijove.access.operations import OPERATIONS
from perijove.wire.calls.call import Asks, Following, Follows, Lists, Operation
from perijove.wire.client import Operations

KINDS = {Asks: "", Lists: "iterator over ", Follows: "iterator over "}


def page() -> str:
    """A table for each group of methods."""
    parts: list[str] = []
    for group in Operations.__bases__:
        methods = [(n, m) for n, m in vars(group).items() if isinstance(m, Operation)]
        parts += [f"### {(group.__doc__ or '').strip().rstrip('.')}\n"]
        parts += ["| method | gives | operation, and a scope that it needs |", "|---|---|---|"]
        parts += [_row(name, method) for name, method in methods]
        parts.append("")
    return "\n".join(parts)


def _row(name: str, method: Operation) -> str:
    signature = inspect.signature(method.build)
    bare = [
        parameter.replace(annotation=inspect.Parameter.empty)
        for parameter in list(signature.parameters.values())[1:]
    ]
    call = f"{name}{inspect.Signature(bare)}"
    access = OPERATIONS.get(method.name)
    scopes = f" ({' or '.join(f'`{scope}`' for scope in access.needs)})" if access else ""
    said = " ".join((method.__doc__ or "").split("\n\n")[0].split()).replace("``", "`")
    given = _cell(f"{KINDS[type(method)]}`{_given(signature.return_annotation)}`")
    return f"| `{call}`<br>{_cell(said)} | {given} | `{method.name}`{scopes} |"


def _given(annotation: Any) -> str:
    """What a method gives in the end, without the modules of names."""
    if annotation is Following:
        return "ProgressEvent"
    (answer,) = get_args(annotation)
    if answer is type(None):
        return "None"
    name = answer.__name__ if inspect.isclass(answer) and not get_args(answer) else str(answer)
    return re.sub(r"\b(?:[a-z_]+\.)+(?=[A-Za-z])", "", name)


def _cell(text: str) -> str:
    return text.replace("|", "\\|")
