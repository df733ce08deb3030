"""A download's progress on stderr, in the form pooch asks for (total, update, reset, close).

pooch's own bar needs tqdm, which nothing installed with the harness requires, and would also fill logs and pipes.
"""

from __future__ import annotations

from types import TracebackType
from typing import Self


class Progress:
    """Context manager around one file's bar; silent where stderr is not a terminal."""

    def __init__(self, title: str) -> None:
        from rich import progress
        from rich.console import Console

        console = Console(stderr=True)
        self._bar = progress.Progress(
            progress.TextColumn("{task.description}"),
            progress.BarColumn(),
            progress.DownloadColumn(),
            progress.TransferSpeedColumn(),
            console=console,
            disable=not console.is_terminal,
        )
        self._task = self._bar.add_task(title, total=None)
        self._total = 0

    def __enter__(self) -> Self:
        self._bar.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        if not self._bar.disable:  # before rich 15, the end of a bar that was never drawn is an empty line
            self._bar.stop()

    @property
    def total(self) -> int:
        """Bytes to come, as the server announced."""
        return self._total

    @total.setter
    def total(self, value: int) -> None:
        self._total = value
        self._bar.update(self._task, total=value or None)

    def update(self, n: int) -> None:
        """n more bytes have arrived."""
        self._bar.advance(self._task, n)

    def reset(self) -> None:
        """pooch resets and then reports the whole once more, to end on 100 %."""
        self._bar.reset(self._task, total=self._total or None)

    def close(self) -> None:
        """Nothing to do: leaving the context stops the bar."""
