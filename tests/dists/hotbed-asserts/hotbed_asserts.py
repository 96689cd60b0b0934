"""A backend that asserts something about the machine at import, as careless code does."""

from __future__ import annotations

DRIVERS: tuple[str, ...] = ()

assert DRIVERS, "no accelerator of the type A1 in this machine"
