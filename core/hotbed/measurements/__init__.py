"""What ``hotbed tune`` measured: where it is kept, and of which machine it is true."""

from __future__ import annotations

from hotbed.measurements.machine import Machine, this_machine
from hotbed.measurements.records import (
    Key,
    Record,
    forget,
    merge,
    read_records,
    remember,
    score_of,
)

__all__ = [
    "Key",
    "Machine",
    "Record",
    "forget",
    "merge",
    "read_records",
    "remember",
    "score_of",
    "this_machine",
]
