# SPDX-License-Identifier: MIT
"""A stream in memory: at which change it is, and which checkpoint is to be kept."""

from __future__ import annotations

from typing import Final, NamedTuple

from rpsd import Stream
from rpsd.service._request import F64
from rpsd.service.streams._ops import Op

#: Samples from one checkpoint to the next; fewer where each takes a window of its own, and longer.
EVERY: Final = 4_096
EVERY_WINDOWED: Final = 512


class Identity(NamedTuple):
    """What of a stream never changes."""

    id: str
    tenant: str
    created: int
    settings: str


class Checkpoint(NamedTuple):
    """A stream as it was after some change."""

    sequence: int
    samples: int
    state: bytes


class Done(NamedTuple):
    """What came of a change: where the stream is after it, and its estimates."""

    sequence: int
    samples: int
    values: F64


class Live:
    """A stream in memory, for one thread at a time.

    What is kept lags one checkpoint behind the latest, so that the last changes, at least one and all of
    the last samples of a checkpoint, can be asked for again.

    Parameters
    ----------
    identity : Identity
    stream : Stream
    checkpoint : Checkpoint
        As the stream is.

    Attributes
    ----------
    sequence, samples : int
        Changes and samples so far.
    due : Checkpoint or None
        What is to be kept with the next change.
    """

    def __init__(self, identity: Identity, stream: Stream, checkpoint: Checkpoint) -> None:
        self.identity = identity
        self.stream = stream
        self.sequence, self.samples = checkpoint.sequence, checkpoint.samples
        self.due: Checkpoint | None = None
        self._kept = checkpoint.sequence
        self._latest = checkpoint
        self._since = 0
        self._every = EVERY_WINDOWED if stream.options.method in ("wavelet", "fir") else EVERY

    @property
    def id(self) -> str:
        """Its name in addresses."""
        return self.identity.id

    @property
    def size(self) -> int:
        """Bytes that it takes, about."""
        return 3 * len(self._latest.state)

    def apply(self, op: Op) -> Done:
        """Change the stream; where that raises, nothing has changed."""
        if self._since >= self._every:
            self._make_checkpoint()
        values = op.apply(self.stream)
        time = values.shape[-1] if op.kind == "push" else 0
        self.sequence += 1
        self.samples += time
        self._since += max(1, time)
        return Done(self.sequence, self.samples, values)

    def kept(self, checkpoint: Checkpoint | None) -> None:
        """Heed that a checkpoint is kept now."""
        if checkpoint is not None:
            self._kept = checkpoint.sequence
            if self.due is checkpoint:
                self.due = None

    def _make_checkpoint(self) -> None:
        if self._latest.sequence > self._kept:
            self.due = self._latest
        self._latest = Checkpoint(self.sequence, self.samples, self.stream.snapshot())
        self._since = 0
