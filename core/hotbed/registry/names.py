"""What models, aliases and files inside a version may be called.

Names travel: into folders of every system, URLs, and the eyes of somebody who reads a table. So
they are ASCII, unique whatever their case, and nothing that a system gives a meaning to.
"""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Iterable

from hotbed.errors import UsageError

__all__ = ["require_alias", "require_files", "require_label", "require_model"]

_NAME = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?")
_LONGEST = 128
"""Characters of a name: with a version and a digest it stays a file name everywhere."""

_LONGEST_PATH = 240
"""Bytes of a path inside a version; Windows ends at 260 with what stands before it."""

_DEVICES = frozenset(
    {"con", "prn", "aux", "nul", "conin$", "conout$"}
    | {f"{port}{number}" for port in ("com", "lpt") for number in range(10)}
)
"""Names that are devices on Windows, whatever ending follows."""

_FORBIDDEN = set('<>:"|?*\\') | {chr(code) for code in range(32)} | {"\x7f"}


def require_model(name: str) -> None:
    """Refuse a model's name that would not travel.

    Raises:
        UsageError: It would not; the message says why.
    """
    _require_name("model", name)


def require_alias(name: str) -> None:
    """Refuse an alias that would not travel, or could be taken for a version.

    Raises:
        UsageError: So it is; the message says why.
    """
    _require_name("alias", name)
    if name == "latest":
        raise UsageError("the alias 'latest' is taken: it is the highest stable version")
    if re.fullmatch(r"v?\d+(\..*)?", name):
        raise UsageError(f"the alias {name!r} could be taken for a version; begin with a letter")


def require_label(name: str) -> None:
    """Refuse a tag's or metric's name that could not be shown; ``ndcg@10`` can.

    Raises:
        UsageError: It could not.
    """
    if not name.strip() or not name.isprintable() or "=" in name or len(name) > _LONGEST:
        raise UsageError(
            f"{name!r:.200} is no name for a tag or a metric: up to {_LONGEST} signs that can be "
            f"seen, and no '='"
        )


def require_files(paths: Iterable[str]) -> None:
    """Refuse paths inside a version that some system would read as others, all at once.

    Raises:
        UsageError: There are such; each is named with its reason.
    """
    listed = list(paths)
    problems = [f"{path!r} {why}" for path in listed if (why := _why_not(path))]
    folded = Counter(map(_folded, listed))
    twice = sorted(name for name, count in folded.items() if count > 1)
    problems += [f"{name!r} stands twice where case or accents do not count" for name in twice]
    parents = {parent: path for path in listed for parent in _folders(path)}
    problems += [
        f"{path!r} is a file, and {parents[key]!r} lies in a folder of that name"
        for path in listed
        if (key := _folded(path)) in parents
    ]
    if problems:
        raise UsageError("a version cannot hold these files: " + "; ".join(problems))


def _require_name(what: str, name: str) -> None:
    why = ""
    if not isinstance(name, str) or not name:
        why = "is empty"
    elif not name.isascii():
        shown = ", ".join(f"{c!r} ({unicodedata.name(c, 'unnamed')})" for c in name if c > "\x7f")
        why = f"holds {shown}, and names are ASCII: look-alikes lead astray"
    elif len(name) > _LONGEST:
        why = f"has {len(name)} characters, and {_LONGEST} are allowed"
    elif not _NAME.fullmatch(name):
        why = "holds other signs than letters, digits, '.', '_' and '-', or ends in one of these"
    elif ".." in name:
        why = "holds '..'"
    elif name.split(".")[0].lower() in _DEVICES:
        why = "is a device on Windows"
    if why:
        raise UsageError(f"the {what} name {name!r:.200} {why}")


def _folded(path: str) -> str:
    return unicodedata.normalize("NFKC", path).casefold()


def _folders(path: str) -> list[str]:
    """Every folder that a path goes through."""
    parts = _folded(path).split("/")
    return ["/".join(parts[:count]) for count in range(1, len(parts))]


def _why_not(path: str) -> str:
    parts = path.split("/")
    if not path.isprintable() and any("\ud800" <= sign <= "\udfff" for sign in path):
        return "holds half a character"
    if not path or path.startswith("/") or re.match(r"[A-Za-z]:", path):
        return "is not a path inside the folder"
    if any(part in ("", ".", "..") for part in parts):
        return "leads elsewhere"
    if found := sorted({c for c in path if c in _FORBIDDEN}):
        return f"holds {', '.join(map(repr, found))}"
    if any(part != part.rstrip(". ") for part in parts):
        return "has a part that ends with a dot or a space, which Windows drops"
    if any(part.split(".")[0].lower() in _DEVICES for part in parts):
        return "has a part that is a device on Windows"
    if len(path.encode()) > _LONGEST_PATH:
        return f"has {len(path.encode())} bytes, and {_LONGEST_PATH} are allowed"
    if path != unicodedata.normalize("NFC", path):
        return "is not in Unicode's composed form (NFC)"
    return ""
