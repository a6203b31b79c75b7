# SPDX-License-Identifier: MIT
"""Series as tensors of KServe's V2 protocol: JSON, and bytes behind it as its binary extension has them."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from typing import Any, Final, NamedTuple

import msgspec
import numpy as np
from msgspec import UNSET, Raw

from rpsd import ConfigError, Guardrails, InputError, Options
from rpsd._schema import fields, unknown
from rpsd.service import _codec_json, _media
from rpsd.service._names import repeated_name
from rpsd.service._numbers import count_commas, write_numbers
from rpsd.service._problems import Problem
from rpsd.service._request import F64, Answer, Asked, Limits, checked_report, outcome_headers
from rpsd.service._v2_forms import (
    BINARY_OUTPUT,
    GUARDRAIL,
    HEAD,
    OUTPUTS,
    REPORT,
    VALUES,
    InferRequest,
    Tensor,
    Wanted,
)
from rpsd.service._versions import MODEL

_ITEM: Final = 8
_LENGTH: Final = 4
_LONGEST_ID: Final = 1024
_MOST_DIGITS: Final = 12
#: Arrays of a request beside its rows, its objects, and bytes of a shape.
_FEW: Final = 64
_NESTED: Final = re.compile(rb"\s*\[\s*\[")

_decoder: Final = msgspec.json.Decoder(InferRequest)
_shape_decoder: Final = msgspec.json.Decoder(list[int])
_rows_decoder: Final = msgspec.json.Decoder(list[Raw])


class _Output(NamedTuple):
    name: str
    binary: bool


class Tensors:
    """The tensors of one request, and of its answer.

    Parameters
    ----------
    head : int or None
        Bytes of the JSON, where others come behind it.
    """

    def __init__(self, head: int | None) -> None:
        self.head = head
        self._id = ""
        self._shape: list[int] = []
        self._outputs: list[_Output] = []

    @classmethod
    def of(cls, headers: Mapping[str, str]) -> Tensors:
        """Return those of a request with these headers, or raise the Problem of others."""
        if (content_type := headers.get("content-type")) is not None:  # tritonclient gives none
            _media.sent_type(content_type, (_media.JSON, _media.BINARY))
        head = headers.get(HEAD)
        if head is None:
            return cls(None)
        if not (head.isascii() and head.isdecimal() and len(head) <= _MOST_DIGITS):
            raise Problem("invalid-request", "Inference-Header-Content-Length must be a number of bytes")
        return cls(int(head))

    def most_points(self, body: bytes | bytearray) -> int:
        """Return a number of samples that the body does not exceed, without reading it."""
        head = self._json(body)
        return count_commas(head) + 1 + (len(body) - len(head)) // _ITEM

    def is_quick(self, body: bytes | bytearray, query: bytes) -> bool:
        """Return whether reading takes a time that the length bounds."""
        return _codec_json.is_quick(self._json(body), query)

    def decode(self, body: bytes | bytearray, query: bytes, limits: Limits) -> Asked:
        """Read a request.

        Raises
        ------
        Problem
            For anything else.
        """
        if self.head is not None and self.head > len(body):
            raise Problem(
                "malformed-body",
                f"Inference-Header-Content-Length is {self.head}, and the body has {len(body)} bytes",
            )
        text = self._json(body)
        _codec_json.check_outside(text, query, limits)
        # Each would become an object, which is many times as large.
        if text.count(b"[") > limits.series + _FEW:
            raise Problem("too-large", f"a request has at most {limits.series} series")
        if text.count(b"{") > _FEW:
            raise Problem("invalid-request", f"the JSON has at most {_FEW} objects")
        given = _codec_json.decoded(_decoder, text)
        _codec_json.require_shallow([given.parameters, *(one.parameters for one in given.inputs)])
        if (name := repeated_name(text)) is not None:
            raise Problem("invalid-request", f'the body gives "{name[:80]}" twice')
        if len(given.id) > _LONGEST_ID:
            raise Problem("invalid-request", f"id has at most {_LONGEST_ID} characters")
        binary, report, options, guardrails = _parameters(given.parameters)
        self._id, self._outputs = given.id, _outputs(given.outputs, binary)
        if len(given.inputs) != 1:
            raise Problem("invalid-request", f'inputs must be one, "{VALUES}", got {len(given.inputs)}')
        tensor = given.inputs[0]
        self._shape = _shape(tensor, limits)
        count, length = math.prod(self._shape[:-1]), self._shape[-1]
        values = _values(tensor, count, length, memoryview(body)[len(text) :])
        names = None if count == 1 else tuple(map(str, range(count)))
        return Asked(names, tuple(values.reshape(count, length)), options, guardrails or None, report)

    def encode(self, answer: Answer) -> tuple[bytes, dict[str, str]]:
        """Return an answer as tensors, and headers for it."""
        tensors, behind = [], []
        for name, binary in self._outputs:
            shape = self._shape if name == VALUES else [len(answer.outcomes)]
            head = msgspec.json.encode({"name": name, "datatype": OUTPUTS[name], "shape": shape})
            if binary:
                data = _bytes_of(answer, name)
                behind.append(data)
                rest = b'"parameters":{"binary_data_size":%d}' % len(data)
            else:
                rest = b'"data":' + _json_of(answer, name)
            tensors.append(head[:-1] + b"," + rest + b"}")
        said = {"model_name": MODEL, **({"id": self._id} if self._id else {})}
        text = msgspec.json.encode(said)[:-1] + b',"outputs":[' + b",".join(tensors) + b"]}"
        headers = outcome_headers(answer)
        if any(output.binary for output in self._outputs):
            headers |= {"content-type": _media.BINARY, HEAD: str(len(text))}
        return b"".join((text, *behind)), headers

    def _json(self, body: bytes | bytearray) -> bytes | bytearray:
        return body if self.head is None else body[: self.head]


def _parameters(given: Mapping[str, Any]) -> tuple[bool, Any, dict[str, Any], dict[str, Any]]:
    """Return whether outputs are binary, how much of the report is wanted, options, guardrails."""
    binary, report = given.get(BINARY_OUTPUT, False), checked_report(given.get(REPORT, "none"))
    if not isinstance(binary, bool):
        raise Problem("invalid-request", f"{BINARY_OUTPUT} must be true or false")
    options, guardrails = {}, {}
    known, of_guardrails = fields(Options), fields(Guardrails)
    try:
        for name, value in given.items():
            if name in (BINARY_OUTPUT, REPORT):
                continue
            if name.startswith(GUARDRAIL) and (key := name.removeprefix(GUARDRAIL)) in of_guardrails:
                guardrails[key] = value
            elif name in known:
                options[name] = value
            else:
                names = [*known, *(GUARDRAIL + key for key in of_guardrails), BINARY_OUTPUT, REPORT]
                raise unknown("parameter", name, names)
    except (ConfigError, InputError) as error:
        raise Problem("invalid-request", str(error)) from None
    return binary, report, options, guardrails


def _outputs(given: list[Wanted], binary: bool) -> list[_Output]:
    found: dict[str, _Output] = {}
    for one in given:
        if one.name not in OUTPUTS or one.name in found:
            raise Problem(
                "invalid-request",
                f'outputs must be of {", ".join(OUTPUTS)}, each once, got "{one.name[:80]}"',
            )
        chosen = one.parameters.get("binary_data", binary)
        if one.parameters.keys() - {"binary_data"} or not isinstance(chosen, bool):
            raise Problem("invalid-request", "an output has one parameter, binary_data, true or false")
        found[one.name] = _Output(one.name, chosen)
    return list(found.values()) or [_Output(name, binary) for name in OUTPUTS]


def _shape(tensor: Tensor, limits: Limits) -> list[int]:
    """Return the shape of the input, of a series or of several."""
    if tensor.name != VALUES:
        raise Problem("invalid-request", f'the input must be "{VALUES}", got "{tensor.name[:80]}"')
    if tensor.datatype != OUTPUTS[VALUES]:
        raise Problem("invalid-request", f'the datatype must be FP64, got "{tensor.datatype[:80]}"')
    text = bytes(tensor.shape)
    shape = _codec_json.decoded(_shape_decoder, text) if len(text) <= _FEW else []
    if len(shape) not in (1, 2) or min(shape) < 0 or shape[:-1] == [0]:
        raise Problem("invalid-request", "the shape must be [samples] or [series, samples]")
    if math.prod(shape[:-1]) > limits.series:
        raise Problem("too-large", f"a request has at most {limits.series} series")
    if math.prod(shape) > limits.points:
        raise Problem("too-large", f"a request has at most {limits.points} samples")
    return shape


def _values(tensor: Tensor, count: int, length: int, behind: memoryview) -> F64:
    """Return the samples of a tensor, which are as many as it says."""
    said = tensor.parameters.get("binary_data_size")
    if tensor.parameters.keys() - {"binary_data_size"} or type(said) not in (int, type(None)):
        raise Problem("invalid-request", "an input has one parameter, binary_data_size, a number of bytes")
    if (said is None) == (tensor.data is UNSET):
        raise Problem("invalid-request", "an input must have one of data and binary_data_size")
    size = count * length
    if said is None:
        values = _rows(tensor.data, count, length)
        if behind:
            raise Problem("malformed-body", f"{len(behind)} bytes are behind the JSON, and no input has them")
        return values
    if said != len(behind) or said != _ITEM * size:
        raise Problem(
            "malformed-body",
            f"the shape is of {_ITEM * size} bytes, binary_data_size is {said}, and {len(behind)} came",
        )
    return np.frombuffer(behind, dtype="<f8").astype(np.float64)  # copied: it may begin anywhere


def _rows(data: Any, count: int, length: int) -> F64:
    """Return the samples of JSON, which may be nested as their shape is."""
    place = "$.inputs[0].data"
    if not _NESTED.match(memoryview(data)):
        values = _codec_json.numbers(data, place)
        if values.size != count * length:
            raise Problem(
                "invalid-request", f"the shape is of {count * length} samples, and data has {values.size}"
            )
        return values
    texts = _codec_json.decoded(_rows_decoder, data)
    rows = [_codec_json.numbers(text, f"{place}[{k}]") for k, text in enumerate(texts)]
    if [row.size for row in rows] != [length] * count:
        raise Problem("invalid-request", f"data must be {count} rows of {length} samples, as the shape says")
    return np.concatenate(rows)


def _bytes_of(answer: Answer, name: str) -> bytes:
    if name == VALUES:
        found = [one.values for one in answer.outcomes if one.values is not None]
        return b"".join(one.astype("<f8", copy=False).tobytes() for one in found)
    return b"".join(len(one).to_bytes(_LENGTH, "little") + one for one in _details(answer))


def _json_of(answer: Answer, name: str) -> bytes:
    if name == VALUES:
        found = [write_numbers(one.values) for one in answer.outcomes if one.values is not None]
        return found[0] if len(found) == 1 else b"[" + b",".join(one[1:-1] for one in found) + b"]"
    return msgspec.json.encode([one.decode() for one in _details(answer)])


def _details(answer: Answer) -> list[bytes]:
    return [msgspec.json.encode(one.content) for one in answer.outcomes]
