"""What commands print: a table for people, plain columns for pipes, JSON for machines."""

import json
import sys
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, TypeVar

from pydantic import BaseModel

Model = TypeVar("Model", bound=BaseModel)
Columns = Mapping[str, Callable[[Model], object]]
"""Heading -> what stands below it."""


def plain(value: object) -> str:
    """A value in one line, without anything that could steer a terminal."""
    if value is None:
        return "-"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, datetime):
        return value.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%SZ")
    if isinstance(value, (list, tuple)):
        return ", ".join(map(plain, value)) or "-"
    if isinstance(value, dict):
        value = json.dumps(value, ensure_ascii=False, sort_keys=True) if value else ""
    shown = "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in str(value))
    return shown or "-"


class Output:
    """Where a command's results go; ``failed`` once something could not be done."""

    def __init__(self, *, as_json: bool) -> None:
        self.as_json = as_json
        self.failed = False
        self.terminal = sys.stdout.isatty() and not as_json

    def models(self, models: Sequence[Model], columns: Columns[Model]) -> None:
        """A list: a row, or an object in an array, each."""
        if self.as_json:
            self.document([as_data(model) for model in models])
            return
        rows = [[plain(cell(model)) for cell in columns.values()] for model in models]
        if self.terminal:
            self._rich_table(list(columns), rows)
        else:
            self._aligned([[heading.upper() for heading in columns], *rows])

    def model(self, model: Model, fields: Columns[Model]) -> None:
        """One thing: a line for each field, or an object."""
        if self.as_json:
            self.document(as_data(model))
            return
        width = max(map(len, fields)) + 2
        for heading, cell in fields.items():
            print(f"{heading + ':':<{width}}{plain(cell(model))}")

    def records(self, records: Sequence[Mapping[str, Any]], sentences: Sequence[str]) -> None:
        """What was done: a sentence each, or an array of objects."""
        if self.as_json:
            self.document(list(records))
            return
        for sentence in sentences:
            self.line(sentence)

    def line(self, text: str) -> None:
        """A sentence for people."""
        if not self.as_json:
            print(plain(text), flush=True)

    def document(self, data: object) -> None:
        """The JSON document; there is one."""
        print(json.dumps(data, indent=2))

    def problem(self, text: object) -> None:
        """A sentence on stderr about what could not be done."""
        self.failed = True
        sys.stdout.flush()
        print(plain(str(text)), file=sys.stderr)

    def _rich_table(self, headings: list[str], rows: list[list[str]]) -> None:
        from rich.box import SIMPLE_HEAD
        from rich.console import Console
        from rich.table import Table
        from rich.text import Text

        table = Table(box=SIMPLE_HEAD, pad_edge=False)
        for heading in headings:
            table.add_column(heading, overflow="fold")
        for row in rows:
            # Text, since a name in brackets would be taken for a style.
            table.add_row(*map(Text, row))
        Console().print(table)

    @staticmethod
    def _aligned(rows: list[list[str]]) -> None:
        widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
        for row in rows:
            cells = (cell.ljust(width) for cell, width in zip(row, widths, strict=True))
            print("  ".join(cells).rstrip())


def as_data(model: BaseModel) -> Any:
    """The model as the API sent it."""
    return model.model_dump(mode="json", exclude_unset=True, by_alias=True)
