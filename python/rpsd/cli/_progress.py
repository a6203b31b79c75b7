# SPDX-License-Identifier: MIT
"""How far a batch is: a bar on a terminal, a line at the start elsewhere."""

from __future__ import annotations

import logging
import time
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final, Self

from rpsd.cli._log import logger
from rpsd.cli._show import console

if TYPE_CHECKING:
    from rich.console import Console
    from rich.progress import Progress
    from rich.text import Text

    from rpsd.batch._plan import Source

# Narrower terminals get no rate, so that the line is one and there is room for the bar.
_WIDE: Final = 70


class BatchProgress:
    """Counts files as they are done; in any case it says how far it came where it is interrupted.

    Parameters
    ----------
    sources : sequence of Source
    told : str
        What does the work, said at the start where there is no bar.
    """

    def __init__(self, sources: Sequence[Source], told: str) -> None:
        self._files = len(sources)
        self._bytes = sum(source.size for source in sources)
        self._told = told
        self._pace = _Pace(self._bytes)
        self._done = 0
        self._failed = 0
        self._bar: Progress | None = None
        where = console(stderr=True)
        if where.is_terminal and logger.isEnabledFor(logging.INFO):
            self._bar = self._make_bar(where)

    def __enter__(self) -> Self:
        if self._bar is not None:
            self._bar.start()
        else:
            logger.info("%d file(s), %s", self._files, self._told)
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if self._bar is not None:
            self._bar.stop()
        if kind is not None and issubclass(kind, KeyboardInterrupt | SystemExit):
            rest = "the same command with --resume does the rest"
            logger.warning("%d of %d file(s) done; %s", self._done, self._files, rest)

    def told(self, record: Mapping[str, Any], source: Source) -> None:
        """Count a file that is done."""
        self._done += 1
        self._failed += any(series["action"] == "failed" for series in record["series"])
        self._pace.add(source.size, made=record["how"] == "made")
        if self._bar is not None:
            self._bar.update(self._bar.task_ids[0], advance=source.size)

    def _make_bar(self, where: Console) -> Progress:
        from rich import progress
        from rich.table import Column

        facts = self._facts

        class Facts(progress.ProgressColumn):
            def render(self, task: progress.Task) -> Text:
                return facts(wide=where.width >= _WIDE)

        bar = progress.Progress(
            progress.TextColumn("denoising", table_column=Column(no_wrap=True)),
            progress.BarColumn(bar_width=None, table_column=Column(ratio=1, min_width=4)),
            Facts(table_column=Column(no_wrap=True)),
            console=where,
            expand=True,
            transient=True,
        )
        bar.add_task("", total=max(1, self._bytes))
        return bar

    def _facts(self, *, wide: bool) -> Text:
        """Return what stands beside the bar, of one width while the bar moves."""
        from rich.filesize import decimal
        from rich.text import Text

        facts = Text(f"{self._done:>{len(str(self._files))}}/{self._files} files")
        if self._failed:
            facts.append(f"  {self._failed} failed", "red")
        rate, left = self._pace.rate, self._pace.left
        if wide:
            facts.append(f"  {'' if rate is None else decimal(round(rate)) + '/s':>12}")
        facts.append(f"  {'' if left is None else _clock(left):>8}")
        return facts


class _Pace:
    """Bytes a second of what is made; what was there already, or in the cache, says nothing about that."""

    def __init__(self, todo: int) -> None:
        self._todo = todo
        self._made = 0
        self._seconds = 0.0
        self._last = time.monotonic()

    def add(self, size: int, *, made: bool) -> None:
        now = time.monotonic()
        if made:
            self._made += size
            self._seconds += now - self._last
        self._todo -= size
        self._last = now

    @property
    def rate(self) -> float | None:
        """Bytes a second, None while there is nothing to tell it by."""
        return self._made / self._seconds if self._made and self._seconds else None

    @property
    def left(self) -> float | None:
        """Seconds that the rest takes, if it has to be made."""
        return max(0.0, self._todo / self.rate - (time.monotonic() - self._last)) if self.rate else None


def _clock(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes // 60}:{minutes % 60:02d}:{rest:02d}"
