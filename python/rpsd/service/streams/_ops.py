# SPDX-License-Identifier: MIT
"""What changes a stream: as it is asked for, as it is kept, as it is done."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

import numpy as np

from rpsd import InputError, Stream
from rpsd.service._request import F64

Kind = Literal["push", "amend", "new-session", "acknowledge"]
#: Kept as their number in this order.
KINDS: Final[tuple[Kind, ...]] = ("push", "amend", "new-session", "acknowledge")
#: Those that have samples.
SAMPLES: Final[tuple[Kind, ...]] = ("push", "amend")
#: Samples of what has none.
NONE: Final = np.empty(0)


@dataclass(frozen=True, slots=True)
class Op:
    """One change of a stream.

    Attributes
    ----------
    kind : str
    values : ndarray
        Samples, one for each moment of one series, or series x time of a bank, or one series of a bank after
        the other; none but in a push or an amendment.
    sequence : int or None
        Which change of the stream it is, from 1 on; None: whichever is next.
    """

    kind: Kind
    values: F64
    sequence: int | None = None

    def encoded(self) -> bytes:
        """Return it as it is kept, without its sequence."""
        return bytes([KINDS.index(self.kind)]) + self.values.astype("<f8", copy=False).tobytes()

    @staticmethod
    def decoded(kept: bytes) -> Op:
        """Return what was kept."""
        return Op(KINDS[kept[0]], np.frombuffer(kept, dtype="<f8", offset=1).astype(np.float64, copy=False))

    def apply(self, stream: Stream) -> F64:
        """Change a stream; return the estimates, in the shape of its samples.

        Raises
        ------
        InputError, StateError
            As the method of `rpsd.Stream`; then nothing has changed.
        """
        if self.kind == "push":
            estimates: F64 = stream.push_many(self._fitted(stream))
            return estimates
        if self.kind == "amend":
            values = self._fitted(stream)
            if values.shape[-1] != 1:
                raise InputError(f"values must have one sample of each series, got {values.shape[-1]}")
            y = stream.amend(float(values[0]) if values.ndim == 1 else values[:, 0])
            return np.reshape(y, values.shape)
        if self.kind == "new-session":
            stream.new_session()
        else:
            stream.acknowledge()
        return NONE

    def _fitted(self, stream: Stream) -> F64:
        """Return the samples in the shape that a stream takes."""
        n, values = stream.n_series, self.values
        if not values.size:
            raise InputError("values must have at least one sample")
        if n is None and values.ndim == 1:
            return values
        if n is not None and values.ndim == 1 and values.size % n == 0:
            return values.reshape(n, -1)
        if n is not None and values.ndim == 2 and len(values) == n:
            return values
        shape = "one list of numbers" if n is None else f"{n} lists of numbers, all of one length"
        raise InputError(f"values must be {shape}, got shape {values.shape}")
