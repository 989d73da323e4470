"""A start, as it is shown while somebody waits for it."""

from types import TracebackType
from typing import TYPE_CHECKING, Self

from perijove.commands.output import Output, plain
from perijove.wire.models import ProgressEvent

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID


class StartShown:
    """A bar on a terminal; a line for each step elsewhere; nothing beside JSON."""

    def __init__(self, user: str, server: str, out: Output) -> None:
        self._title = f"{user}/{server}"
        self._out = out
        self._bar: Progress | None = None
        self._task: TaskID | None = None

    def __enter__(self) -> Self:
        if self._out.terminal:
            self._bar = _bar()
            self._bar.start()
            self._task = self._bar.add_task(plain(self._title), total=100, said="")
        return self

    def __exit__(
        self,
        _kind: type[BaseException] | None,
        _error: BaseException | None,
        _traceback: TracebackType | None,
    ) -> None:
        if self._bar is not None:
            self._bar.stop()

    def step(self, event: ProgressEvent) -> None:
        """Show an event."""
        said = plain(event.message or "")
        if self._bar is not None and self._task is not None:
            # A plug-in may report anything; the bar never runs backwards.
            reached = max(self._bar.tasks[0].completed, min(event.progress or 0, 100))
            self._bar.update(self._task, completed=reached, said=said)
        elif event.message:
            self._out.line(f"{event.progress or 0:3d}% {said}")


def _bar() -> "Progress":
    # Only a terminal needs it, and it takes its time to load.
    from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeElapsedColumn

    return Progress(
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        TaskProgressColumn(),
        TimeElapsedColumn(),
        TextColumn("{task.fields[said]}", markup=False),
    )
