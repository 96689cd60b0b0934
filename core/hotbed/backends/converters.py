"""Who converts which format into which, in the order in which they are asked."""

from __future__ import annotations

from collections.abc import Iterable

from attrs import frozen

from hotbed.backends.catalog import Found
from hotbed.backends.manifest import SUPPORTED_HOOK_APIS, Capability

__all__ = ["Converters", "Way"]


@frozen(kw_only=True)
class Way:
    """One converter on one of its devices.

    Attributes:
        converter: The backend that converts.
        device: Where.
        rank: Its place among all of them; hotbed's own come first.
        knows_family: Whether it knows the model's architecture.
    """

    converter: str
    device: str
    rank: int
    knows_family: bool


class Converters:
    """The converters among the installed backends, as one model sees them.

    hotbed's own come first, because an installed plugin must not change what is converted.

    Args:
        everyone: Every installed backend, working or not.
        family: The model's ``config.model_type``.
        task: What the model is for.
    """

    def __init__(self, everyone: Iterable[Found], family: str, task: str) -> None:
        ways: dict[tuple[str, str, str], list[Way]] = {}
        usable = (found for found in everyone if found.usable)
        rank = 0
        for found in sorted(usable, key=lambda found: (not found.first_party, found.name)):
            for capability in _conversions(found, task):
                knows = not capability.families or family in capability.families
                keys = [
                    (f, capability.to, p) for f in capability.formats for p in capability.profiles
                ]
                for device in capability.devices:
                    way = Way(converter=found.name, device=device, rank=rank, knows_family=knows)
                    rank += 1
                    for key in keys:
                        ways.setdefault(key, []).append(way)
        self._ways = {
            key: [w for w in found if w.knows_family] or found for key, found in ways.items()
        }

    def ways(self, source: str, to: str, profile: str) -> list[Way]:
        """Who writes a format in a profile, from what: those that know the family, if any do."""
        return self._ways.get((source, to, profile), [])

    def after(self, rank: int, source: str, to: str, profile: str) -> Way | None:
        """The one to ask when the one of that rank cannot work on this machine."""
        return next((w for w in self.ways(source, to, profile) if w.rank > rank), None)


def _conversions(found: Found, task: str) -> list[Capability]:
    manifest = found.manifest
    if manifest is None or manifest.hook_api not in SUPPORTED_HOOK_APIS:
        return []
    return [c for c in manifest.capabilities if (c.action, c.task) == ("convert", task)]
