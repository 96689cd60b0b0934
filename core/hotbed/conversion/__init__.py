"""Conversions: staged, published whole, and cached by what they were made from."""

from __future__ import annotations

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
