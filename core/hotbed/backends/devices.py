"""A device's name, from what callers say: a name, None, or PyTorch's object for it."""

from __future__ import annotations

from typing import Any

from hotbed.errors import UsageError

__all__ = ["device_name", "same_device"]


def device_name(device: Any) -> str:
    """Give ``auto``, ``cpu``, ``cuda:1``, … for a name, None (``auto``) or a ``torch.device``.

    Raises:
        UsageError: It is something else.
    """
    if device is None:
        return "auto"
    if isinstance(device, str):
        return str(device)
    kind, index = getattr(device, "type", None), getattr(device, "index", None)
    if not isinstance(kind, str):
        raise UsageError(
            f"device={device!r:.60} is {type(device).__name__}; give a name, as 'cpu' or 'cuda:1', "
            f"or None, which chooses"
        )
    return kind if index is None or kind == "cpu" else f"{kind}:{index}"


def same_device(one: str, other: str) -> bool:
    """Whether two names mean one device: ``cuda`` is ``cuda:0``."""
    return _whole(one) == _whole(other)


def _whole(name: str) -> tuple[str, str]:
    kind, _, index = name.partition(":")
    return kind, index or "0"
