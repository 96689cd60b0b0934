"""Conversions: staged, published whole, and cached by what they were made from."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from hotbed.conversion.cache import Entry, GraphCache
    from hotbed.conversion.convert import Converted, convert_into, converted_artifact
    from hotbed.conversion.quantize import calibration, quantize_into
    from hotbed.conversion.record import Made, read_records

__all__ = [
    "Converted",
    "Entry",
    "GraphCache",
    "Made",
    "calibration",
    "convert_into",
    "converted_artifact",
    "quantize_into",
    "read_records",
]

# Whoever only reads records, as the registry does, need not import the gate.
_WHERE = {
    "Converted": "convert",
    "Entry": "cache",
    "GraphCache": "cache",
    "Made": "record",
    "calibration": "quantize",
    "convert_into": "convert",
    "converted_artifact": "convert",
    "quantize_into": "quantize",
    "read_records": "record",
}


def __getattr__(name: str) -> Any:
    if name not in _WHERE:
        raise AttributeError(f"module 'hotbed.conversion' has no attribute {name!r}")
    return getattr(import_module(f"hotbed.conversion.{_WHERE[name]}"), name)
