# SPDX-License-Identifier: MIT
"""What a first request would pay for: modules loaded late, code not run yet, memory not had yet."""

from __future__ import annotations

import contextlib
from typing import Any, Final

import msgspec

from rpsd.service import _codec_arrow, _codec_json, _compute
from rpsd.service._admission import Stop
from rpsd.service._observe import Seen
from rpsd.service._problems import Problem
from rpsd.service._request import REPORTS, Limits
from rpsd.service._snapshot import Snapshot

_SAMPLES: Final = 200
_MOST_BYTES: Final = 1 << 16
_ASKED: Final = (("GET", "/health/ready"), ("POST", "/v1/denoise"), ("GET", "/"))


def warm_computing(snapshot: Snapshot) -> None:
    """Denoise a short series as requests do, with each report."""
    limits = Limits(_SAMPLES, 1, _MOST_BYTES)
    values = [100.0 + (k * 7 % 13) / 10 for k in range(_SAMPLES)]
    for report in REPORTS:
        body = msgspec.json.encode({"values": values, "report": report})
        asked = _codec_json.decode(body, b"", limits)
        # A policy may refuse the series, and a kernel fail: the self-check says whether it is ready.
        with contextlib.suppress(Problem):
            answer = _compute.denoise(snapshot, asked, Stop())
            _codec_json.encode(answer)
            # pyarrow takes its time to be loaded, on a busy machine more than a request may; reading has it
            # import pandas too, where that is installed.
            stream, _ = _codec_arrow.encode(answer)
            _codec_arrow.decode(bytes(stream), b"", limits)


async def warm_routing(app: Any, snapshot: Snapshot, port: int) -> None:
    """Ask an ASGI application, before it is served, what needs no computing."""

    async def receive() -> Any:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: Any) -> None:
        del message

    for method, path in _ASKED:
        await app(
            {
                "type": "http",
                "asgi": {"version": "3.0", "spec_version": "2.3"},
                "http_version": "1.1",
                "method": method,
                "scheme": "http",
                "path": path,
                "raw_path": path.encode(),
                "query_string": b"",
                "root_path": "",
                "headers": [],
                "client": None,
                "server": ("127.0.0.1", port),
                "state": {},
                "rpsd.seen": Seen("warm-up", snapshot),
            },
            receive,
            send,
        )
