"""Options that several commands share."""

from __future__ import annotations

import re
from typing import Annotated

import typer

from hotbed.sources.default_model import NAME

__all__ = [
    "DEFAULT_MODEL",
    "BackendOption",
    "DeviceOption",
    "DtypeOption",
    "JsonOption",
    "LocalOption",
    "ModelArgument",
    "ModelOption",
    "RevisionOption",
    "ThreadsOption",
    "is_number",
]

DEFAULT_MODEL = NAME

ModelArgument = Annotated[
    str, typer.Argument(help="A folder, org/name on the hub, or hf://… pypi://…", show_default=True)
]
ModelOption = Annotated[
    str, typer.Option("--model", "-m", help="A folder, org/name on the hub, or hf://… pypi://…")
]
BackendOption = Annotated[
    str | None, typer.Option(help="Use this backend and no other.", show_default="chosen")
]
DeviceOption = Annotated[str, typer.Option(help="auto, cpu, cuda, cuda:1. A named one is used.")]
DtypeOption = Annotated[
    str | None, typer.Option(help="Arithmetic: float32, bf16, int8, …", show_default="as stored")
]
RevisionOption = Annotated[str | None, typer.Option(help="A branch, tag or commit of the model.")]
LocalOption = Annotated[bool, typer.Option("--local-files-only", help="Stay off the network.")]
ThreadsOption = Annotated[
    int | None, typer.Option(min=1, help="Threads.", show_default="the CPU quota")
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON.")]


def is_number(text: str) -> bool:
    """Whether a text is a whole number that can be counted with: ASCII digits, not too many."""
    return re.fullmatch("[0-9]{1,18}", text) is not None
