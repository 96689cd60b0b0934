"""Selection once more, as the documentation tells it: every way is written out, asked and sorted.

Slow and short, and written from ``docs/architecture.md``, so that it can judge the real one.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from attrs import frozen

from hotbed.backends import Capability, ProbeRequest, Variant
from hotbed.backends.catalog import Found
from hotbed.backends.contest import Ask
from hotbed.backends.decision import Model, Request, Rules

__all__ = ["Way", "winner"]

FLOATS = {"float32", "float16", "bfloat16"}
Converter = tuple[int, Found, Capability, str]
"""Its turn, a backend that converts, by which capability, and on which device."""


@frozen
class Way:
    """One backend, file, converter, device and arithmetic."""

    backend: Found
    capability: Capability
    variant: Variant
    profile: str
    device: str
    dtype: str
    converter: Converter | None


def winner(
    request: Request, model: Model, found: Sequence[Found], probe: Ask, rules: Rules
) -> Way | None:
    """The best way that works on this machine."""
    ways = [way for way in _ways(request, model, found) if _works(way, request, probe)]
    return min(ways, key=lambda way: _key(way, model, rules), default=None)


def _ways(request: Request, model: Model, found: Sequence[Found]) -> Iterator[Way]:
    usable = sorted(
        (f for f in found if f.usable and f.manifest and f.manifest.hook_api == 1),
        key=lambda f: (f.dist != "hotbed", f.name),
    )
    converting = [
        (backend, capability, device)
        for backend in usable
        for capability in (backend.manifest.capabilities if backend.manifest else ())
        if (capability.action, capability.task) == ("convert", request.task)
        for device in capability.devices
    ]
    converters = [(turn, *converter) for turn, converter in enumerate(converting)]
    for backend in usable:
        if request.backend in (None, backend.name):
            for capability in backend.manifest.capabilities if backend.manifest else ():
                if _is_meant(capability, request, model):
                    yield from _ways_of(backend, capability, request, model, converters)


def _is_meant(capability: Capability, request: Request, model: Model) -> bool:
    return (
        (capability.action, capability.task) == (request.action, request.task)
        and (not capability.families or model.family in capability.families)
        and set(request.features) <= set(capability.features)
    )


def _ways_of(
    backend: Found,
    capability: Capability,
    request: Request,
    model: Model,
    converters: Sequence[Converter],
) -> Iterator[Way]:
    for variant in model.variants:
        for profile, converter in _readings(capability, variant, converters, request, model):
            for device in capability.devices:
                if request.device != "auto" and request.device.split(":")[0] != device:
                    continue
                place = device if request.device == "auto" else request.device
                dtype = _arithmetic(capability, variant, converter is not None, request, model)
                if dtype:
                    yield Way(backend, capability, variant, profile, place, dtype, converter)


def _readings(
    capability: Capability,
    variant: Variant,
    converters: Sequence[Converter],
    request: Request,
    model: Model,
) -> Iterator[tuple[str, Converter | None]]:
    if variant.format in capability.formats:
        if not variant.profile or variant.profile in capability.profiles:
            yield variant.profile, None
        return
    if request.action != "embed":
        return
    for converter in converters:
        _, _, conversion, _ = converter
        if variant.format not in conversion.formats or conversion.to not in capability.formats:
            continue
        if conversion.families and model.family not in conversion.families:
            continue
        for profile in capability.profiles:
            if profile in conversion.profiles:
                yield profile, converter


def _arithmetic(
    capability: Capability, variant: Variant, converted: bool, request: Request, model: Model
) -> str:
    reference, asked = model.variants[0].storage, request.canonical_dtype
    if capability.storages and variant.storage not in capability.storages:
        return ""
    if asked in FLOATS or asked is None:
        if asked and variant.storage not in FLOATS:
            return ""
        if variant.storage != reference and not (
            variant.storage == "float32" and reference in FLOATS
        ):
            return ""
    elif variant.storage != asked:
        return ""
    if asked:
        return asked if asked in capability.dtypes else ""
    if not converted and variant.storage in capability.dtypes:
        return variant.storage
    wide = {reference, "float32"} if reference != "unknown" else set(capability.dtypes)
    return next((dtype for dtype in capability.dtypes if dtype in wide), "")


def _works(way: Way, request: Request, probe: Ask) -> bool:
    if not probe(way.backend, ProbeRequest(action=request.action, device=way.device)).ok:
        return False
    if way.converter is None:
        return True
    _, converter, _, device = way.converter
    return probe(converter, ProbeRequest(action="convert", device=device)).ok


def _key(way: Way, model: Model, rules: Rules) -> tuple[object, ...]:
    scores = [
        m.score
        for m in rules.measured
        if (m.backend, m.dist, m.version) == (way.backend.name, way.backend.dist, "1.0")
        and (m.shape, m.device, m.dtype) == (model.shape, way.device, way.dtype)
    ]
    order = {device: place for place, device in enumerate(rules.devices)}
    profiles = way.capability.profiles
    converter = way.converter[1] if way.converter else None
    return (
        rules.priority.index(way.backend.name) if way.backend.name in rules.priority else 99,
        not scores,
        -scores[0] if scores else 0,
        converter is not None and converter.dist not in ("hotbed", way.backend.dist),
        way.backend.dist != "hotbed",
        order.get(way.device.split(":")[0], 99),
        -way.capability.priority,
        way.backend.name,
        profiles.index(way.profile) if way.profile in profiles else 99,
        converter is not None,
        way.converter[0] if way.converter else 0,
        way.variant.file,
    )
