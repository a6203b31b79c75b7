# SPDX-License-Identifier: MIT
"""What KServe's V2 protocol sends and is answered, and what this model calls its tensors."""

from __future__ import annotations

from typing import Annotated, Any, Final

import msgspec
from msgspec import UNSET, Meta, Raw, UnsetType

#: The only input, and the output of its shape.
VALUES: Final = "values"
#: An output: of each series, as JSON, all else that /v1/denoise answers.
DETAILS: Final = "details"
OUTPUTS: Final = {VALUES: "FP64", DETAILS: "BYTES"}
#: Parameters of a request beside options.
BINARY_OUTPUT: Final = "binary_data_output"
REPORT: Final = "report"
GUARDRAIL: Final = "guardrails."
HEAD: Final = "inference-header-content-length"


class Tensor(msgspec.Struct, forbid_unknown_fields=True):
    """An input: its data here, or behind the JSON."""

    name: str
    shape: Raw
    datatype: str
    parameters: dict[str, Any] = {}
    data: Raw | UnsetType = UNSET


class Wanted(msgspec.Struct, forbid_unknown_fields=True):
    """An output that is wanted."""

    name: str
    parameters: dict[str, Any] = {}


class InferRequest(msgspec.Struct, forbid_unknown_fields=True):
    """What is sent to infer."""

    inputs: list[Tensor]
    id: str = ""
    parameters: dict[str, Any] = {}
    outputs: list[Wanted] = []


class OutputTensor(msgspec.Struct):
    """An output: its data here, or behind the JSON."""

    name: str
    datatype: str
    shape: list[int]
    parameters: Annotated[dict[str, int] | UnsetType, Meta(description="binary_data_size.")] = UNSET
    data: Annotated[list[float | str | None] | UnsetType, Meta(description="Rows one after another.")] = UNSET


class InferResponse(msgspec.Struct):
    """Tensors that came of tensors."""

    model_name: str
    outputs: list[OutputTensor]
    id: Annotated[str | UnsetType, Meta(description="That of the request.")] = UNSET


class ServerMetadata(msgspec.Struct):
    """What serves."""

    name: str
    version: str
    extensions: list[str]


class TensorMetadata(msgspec.Struct):
    """A tensor of a model."""

    name: str
    datatype: str
    shape: Annotated[list[int], Meta(description="-1 is any; one series may be of one dimension.")]


class ModelMetadata(msgspec.Struct):
    """A model and its tensors."""

    name: str
    platform: str
    inputs: list[TensorMetadata]
    outputs: list[TensorMetadata]


class ModelReady(msgspec.Struct):
    """A model that takes requests."""

    name: str
    ready: bool
