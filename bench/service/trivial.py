# SPDX-License-Identifier: MIT
"""The service with all that is around an endpoint, and an echo in its place: python trivial.py loop serve ...

`loop` has the event loop echo, as it computes what is short and bounded; `worker` a worker's thread.
"""

import dataclasses
import sys

import numpy as np

from rpsd.cli import main
from rpsd.service import _media, _series, _work
from rpsd.service._request import Answer, Asked, Outcome


def decode(body, query, limits):
    return Asked(None, (np.frombuffer(body),))


def compute(snapshot, asked, stop):
    return Answer(None, tuple(Outcome(one, {}, len(one)) for one in asked.series))


def encode(answer):
    return answer.outcomes[0].values.tobytes(), {}


if __name__ == "__main__":
    _series.ADDRESSES = tuple(
        dataclasses.replace(
            endpoint, compute=compute, decoders={_media.BINARY: decode}, encoders={_media.BINARY: encode}
        )
        for endpoint in _series.ENDPOINTS
    )
    if sys.argv.pop(1) == "loop":
        _work._ENCODERS = (encode,)
        _work.is_bounded = lambda asked, config: True
    sys.exit(main())
