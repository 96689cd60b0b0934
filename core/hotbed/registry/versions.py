"""Semantic versions: which comes before which, what a requirement admits, and what comes next.

Precedence is that of semver.org 2.0.0, section 11. ``latest`` is the highest stable version, not
the last one registered: a late fix of an old line moves nobody.
"""

from __future__ import annotations

import re
from collections.abc import Callable

from attrs import frozen

from hotbed.errors import UsageError

__all__ = ["BUMPS", "LATEST", "Requirement", "Version", "next_version"]

LATEST = "latest"
BUMPS = ("major", "minor", "patch", "prerelease")

_PARTIAL = re.compile(r"(?P<sign>[\^~]?)(?P<numbers>\d+(?:\.\d+){0,2})(?P<rest>[-+].*)?", re.ASCII)
_COMPARED = re.compile(r"[<>=!*|,\s]")
"""Signs of ranges that other tools write, and that no alias holds."""
_LONGEST = 128
_DIGITS = 18
"""Digits of a number in a version: a sort key says how many there are."""


@frozen(order=False)
class Version:
    """A version.

    Attributes:
        text: As written: ``1.2.3``, ``2.0.0-rc.1``.
        key: Text that sorts, byte by byte, as versions do.
        prerelease: Whether it is not stable.
    """

    text: str
    key: str
    prerelease: bool

    @classmethod
    def parse(cls, text: str) -> Version:
        """Read a version.

        >>> Version.parse("1.10.0").key > Version.parse("1.9.0").key
        True

        Raises:
            UsageError: It is not one of semver.org, or holds build metadata, which has no order.
        """
        import semver

        try:
            if isinstance(text, str) and not text.isascii():  # semver takes digits of any script
                raise ValueError("digits are 0 to 9")
            found = semver.Version.parse(text)
        except (TypeError, ValueError) as error:
            raise UsageError(
                f"{text!r:.200} is not a semantic version, as 1.2.3 or 2.0.0-rc.1 (semver.org)"
            ) from error
        if found.build is not None:
            raise UsageError(
                f"{text!r} holds build metadata, '+{found.build}', which has no order among "
                f"versions; keep it in a tag"
            )
        parts = [found.major, found.minor, found.patch, *(found.prerelease or "").split(".")]
        numbers = [str(part) for part in parts if str(part).isdigit()]
        if len(text) > _LONGEST or any(len(number) > _DIGITS for number in numbers):
            raise UsageError(f"{text!r:.200} is too long for a version")
        return cls(text=text, key=_key(found), prerelease=found.prerelease is not None)

    def __str__(self) -> str:
        return self.text


@frozen
class Requirement:
    """What somebody asks for: an exact version, a range, or the latest.

    Attributes:
        text: As written.
        low: The least key, included; ``""`` for none.
        high: The first key that is too high; ``""`` for none.
        exact: Whether only one version is meant.
    """

    text: str
    low: str = ""
    high: str = ""
    exact: bool = False

    @classmethod
    def parse(cls, text: str) -> Requirement | None:
        """Read a requirement: ``1.2.3``, ``^1.2``, ``~1.2.3``, ``1.2`` (any 1.2.x), ``latest``.

        A range admits stable versions only; a pre-release is asked for by its name. ``^`` keeps the
        first number that is not zero, ``~`` the minor version, as in npm.

        Returns:
            None where it is none of these, and may be an alias.
        """
        if text == LATEST:
            return cls(text=text)
        match = _PARTIAL.fullmatch(text)
        if match is None and (
            _COMPARED.search(text) or (not text.isascii() and text[:1].isdigit())
        ):
            raise UsageError(
                f"{text!r:.100} is no range of versions that is known here: write ^1.2 (from 1.2 "
                f"below 2), ~1.2.3 (from 1.2.3 below 1.3), 1.2 (any 1.2.x) or one version, 1.2.3"
            )
        if match is None:
            return None
        numbers = [int(number) for number in match["numbers"].split(".")]
        if not match["sign"] and len(numbers) == 3:
            version = Version.parse(text)
            return cls(text=text, low=version.key, high=version.key, exact=True)
        if match["rest"]:
            raise UsageError(f"{text!r}: a range ends with a number; name a pre-release exactly")
        padded = [*numbers, 0, 0][:3]
        low, high = _plain(padded), _plain(_above(match["sign"], numbers, padded))
        return cls(text=text, low=low, high=high)

    def admits(self, version: Version) -> bool:
        """Whether a version is meant."""
        if self.exact:
            return version.key == self.low
        inside = version.key >= self.low and (not self.high or version.key < self.high)
        return inside and not version.prerelease


def next_version(bump: str, taken: list[Version], label: str = "rc") -> Version:
    """The version that comes next.

    Args:
        bump: ``major``, ``minor``, ``patch`` or ``prerelease``.
        taken: Every version there ever was, deleted ones too: a number is used once.
        label: Of a pre-release.

    Raises:
        UsageError: There is no such bump.
    """
    import semver

    steps: dict[str, Callable[[semver.Version], semver.Version]] = {
        "major": lambda v: v.bump_major(),
        "minor": lambda v: v.bump_minor(),
        "patch": lambda v: v.bump_patch(),
        "prerelease": lambda v: v.bump_prerelease(label),
    }
    if bump not in steps:
        raise UsageError(f"bump={bump!r} is not one of {', '.join(BUMPS)}")
    known = taken if bump == "prerelease" else [v for v in taken if not v.prerelease]
    if not known:
        first = {"major": "1.0.0", "minor": "0.1.0", "patch": "0.0.1"}
        return Version.parse(first.get(bump, f"0.0.1-{label}.1"))
    highest = max(known, key=lambda version: version.key)
    found = steps[bump](semver.Version.parse(highest.text))
    if bump == "prerelease" and not highest.prerelease:
        found = semver.Version.parse(highest.text).bump_patch().bump_prerelease(label)
    return Version.parse(str(found))


def _above(sign: str, numbers: list[int], padded: list[int]) -> list[int]:
    """The first numbers that a range leaves out."""
    if sign == "^":
        place = next((p for p, number in enumerate(padded) if number), len(numbers) - 1)
        place = min(place, len(numbers) - 1) if not any(padded) else place
    elif sign == "~":
        place = min(1, len(numbers) - 1)
    else:
        place = len(numbers) - 1
    return [*padded[:place], padded[place] + 1, *([0] * (2 - place))]


def _plain(numbers: list[int]) -> str:
    """The key of a stable version, less its end: pre-releases of the same numbers lie above it."""
    return " ".join(_number(str(number)) for number in numbers)


def _key(version: object) -> str:
    major, minor, patch, prerelease, _ = version.to_tuple()  # type: ignore[attr-defined]
    numbers = _plain([major, minor, patch])
    if prerelease is None:
        return f"{numbers} ~"  # after every pre-release
    parts = prerelease.split(".")
    # Numbers before words, and fewer parts before more; a blank sorts before all that words hold.
    return " ".join([numbers, *(f"0{_number(p)}" if p.isdigit() else f"1{p}" for p in parts)])


def _number(digits: str) -> str:
    return f"{len(digits):02d}{digits}"
