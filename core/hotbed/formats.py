"""Rules of every stored format: a name, a version, and keys of later versions are passed over."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import attrs

__all__ = ["known", "require_version"]


def require_version(value: Any, name: str, version: int) -> None:
    """Check what a file says it is; old files name no format.

    Raises:
        ValueError: It is another format, or a newer version of it.
        KeyError, TypeError: It is no file of this kind at all.
    """
    if value.get("format", name) != name:
        raise ValueError(f"its format is {value['format']!r}, and {name!r} is expected")
    found = value["version"]
    if not isinstance(found, int) or isinstance(found, bool) or found < 1:
        raise ValueError(f"version {found!r} is none")
    if found > version:
        raise ValueError(
            f"a newer hotbed wrote it: version {found}, and this hotbed reads {version}. "
            f"Update hotbed"
        )


def known(kind: type[Any], value: Mapping[str, Any]) -> dict[str, Any]:
    """The keys that a class of attrs has; later versions may have written others."""
    names = {field.name for field in attrs.fields(kind)}
    return {key: entry for key, entry in value.items() if key in names}
