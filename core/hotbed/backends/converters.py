"""Who converts which format into which, in the order in which they are asked."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from attrs import frozen

from hotbed.backends.catalog import FIRST_PARTY, Found
from hotbed.backends.manifest import SUPPORTED_HOOK_APIS, Capability

__all__ = ["Conversion", "Converters", "Way"]


@frozen
class Conversion:
    """From which format, into which, in which profile."""

    source: str
    to: str
    profile: str


@frozen
class Way:
    """One converter on one of its devices.

    Attributes:
        converter: The backend that converts.
        dist: Its distribution.
        device: Where.
        rank: Its place among all of them; hotbed's own come first.
        knows_family: Whether it knows the model's architecture.
    """

    converter: str
    dist: str
    device: str
    rank: int
    knows_family: bool

    def is_foreign(self, reader: str) -> bool:
        """Whether it comes neither from hotbed nor from the reader's own distribution."""
        return self.dist not in (FIRST_PARTY, reader)


class Converters:
    """The converters among the installed backends, as one model sees them.

    Args:
        everyone: Every installed backend, working or not.
        family: The model's ``config.model_type``.
        task: What the model is for.
    """

    def __init__(self, everyone: Iterable[Found], family: str, task: str) -> None:
        self._by_rank: list[Way] = []
        ways: dict[Conversion, list[Way]] = {}
        self._family = family
        self._limits: dict[Conversion, dict[str, tuple[str, ...]]] = {}
        for found, capability in _in_order(everyone, task):
            knows = not capability.families or family in capability.families
            written = [
                Conversion(source, capability.to, profile)
                for source in capability.formats
                for profile in capability.profiles
            ]
            for conversion in () if knows else written:
                self._limits.setdefault(conversion, {})[found.name] = capability.families
            for device in capability.devices:
                way = Way(found.name, found.dist, device, len(self._by_rank), knows)
                self._by_rank.append(way)
                for conversion in written:
                    ways.setdefault(conversion, []).append(way)
        self._ways = {
            conversion: [way for way in asked if way.knows_family] or asked
            for conversion, asked in ways.items()
        }
        self._first_of: dict[Conversion, dict[str, Way]] = {}
        for conversion, asked in self._ways.items():
            by_dist = self._first_of.setdefault(conversion, {})
            for way in asked:
                by_dist.setdefault(way.dist, way)

    def ways(self, conversion: Conversion) -> list[Way]:
        """Everyone who can do it: those that know the family, if any do."""
        return self._ways.get(conversion, [])

    def who_does_not_know(self, conversion: Conversion) -> str:
        """Those who could convert, were the architecture one of theirs; ``""`` for nobody."""
        return "; ".join(
            f"{name} does not know {self._family!r}, only {', '.join(sorted(families))}"
            for name, families in self._limits.get(conversion, {}).items()
        )

    def first(self, conversion: Conversion, reader: str) -> list[Way]:
        """Whom to ask first: one of hotbed's or the reader's own, and one that is foreign.

        Args:
            conversion: What is to be done.
            reader: The distribution that reads what is written.
        """
        by_dist = self._first_of.get(conversion, {})
        own = by_dist.get(FIRST_PARTY) or by_dist.get(reader)
        foreign = next((way for way in by_dist.values() if way.is_foreign(reader)), None)
        return [way for way in (own, foreign) if way is not None]

    def after(self, rank: int, conversion: Conversion, reader: str) -> Way | None:
        """The next one, foreign or not as the one of that rank, which cannot work here."""
        foreign = self.is_foreign(rank, reader)
        following = (way for way in self.ways(conversion) if way.rank > rank)
        return next((way for way in following if way.is_foreign(reader) == foreign), None)

    def is_foreign(self, rank: int, reader: str) -> bool:
        """Whether the converter of that rank is foreign to the reader's distribution."""
        return self._by_rank[rank].is_foreign(reader)


def _in_order(everyone: Iterable[Found], task: str) -> Iterator[tuple[Found, Capability]]:
    """hotbed's own first: an installed plugin must not change what is converted."""
    usable = (found for found in everyone if found.usable)
    for found in sorted(usable, key=lambda found: (not found.first_party, found.name)):
        manifest = found.manifest
        if manifest is None or manifest.hook_api not in SUPPORTED_HOOK_APIS:
            continue
        for capability in manifest.capabilities:
            if (capability.action, capability.task) == ("convert", task):
                yield found, capability
