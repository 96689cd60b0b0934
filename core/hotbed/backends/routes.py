"""The ways in which a backend could run a model, narrowed stage by stage."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from attrs import evolve

from hotbed.backends.catalog import Found
from hotbed.backends.decision import Model, Request, Route, Rules
from hotbed.backends.manifest import SUPPORTED_HOOK_APIS, Capability

__all__ = [
    "by_device",
    "by_dtype",
    "by_family",
    "conversions_of",
    "device_order",
    "no_format",
    "preference",
    "routes_of",
]

Conversion = tuple[Found, Capability]

_FLOATS = ("bfloat16", "float16", "float32")


def routes_of(
    capability: Capability, model: Model, conversions: Sequence[Conversion], action: str
) -> list[Route]:
    """Every file that a capability reads, and every one it would read after a conversion."""
    direct = [
        Route(
            capability=capability,
            variant=variant,
            profile=variant.profile,
            knows_family=not capability.families or model.family in capability.families,
        )
        for variant in model.variants
        if variant.format in capability.formats
        and (not variant.profile or variant.profile in capability.profiles)
    ]
    if action != "embed":
        return direct
    return direct + [
        Route(
            capability=capability,
            variant=variant,
            converter=backend.name,
            profile=profile,
            knows_family=not conversion.families or model.family in conversion.families,
            converter_rank=rank,
            converter_device=conversion.devices[0],
        )
        for rank, (backend, conversion) in enumerate(conversions)
        if conversion.to in capability.formats
        for variant in model.variants
        if variant.format in conversion.formats and variant.format not in capability.formats
        for profile in capability.profiles
        if profile in conversion.profiles
    ]


def conversions_of(everyone: Iterable[Found]) -> list[Conversion]:
    """Who converts, hotbed's own first: an installed plugin must not change what is converted."""
    return [
        (backend, capability)
        for backend in sorted(everyone, key=lambda found: (not found.first_party, found.name))
        if backend.usable and backend.manifest is not None
        if backend.manifest.hook_api in SUPPORTED_HOOK_APIS
        for capability in backend.manifest.capabilities
        if capability.action == "convert"
    ]


def no_format(capabilities: Iterable[Capability], request: Request, model: Model) -> str:
    """Why a backend has no route at all: what it reads, and what there is."""
    mine = [c for c in capabilities if c.action == request.action]
    reads = sorted({f"{fmt}" for c in mine for fmt in c.formats})
    profiles = sorted({profile for c in mine for profile in c.profiles})
    holds = ", ".join(variant.file for variant in model.variants) or "nothing runnable"
    return f"reads {', '.join(reads)} ({', '.join(profiles)}); the folder holds {holds}"


_Narrowed = tuple[list[Route], str]


def by_family(routes: list[Route], request: Request, model: Model, rules: Rules) -> _Narrowed:
    """Routes whose reader or converter knows the architecture; and the reason if none is left."""
    known = sorted(
        {name for route in routes if not route.converter for name in route.capability.families}
    )
    reason = f"model_type {model.family!r} is not one it knows"
    if known:
        reason += f" ({', '.join(known)})"
    converters = sorted({route.converter for route in routes if route.converter})
    if converters:
        asked = ", ".join(converters)
        reason = f"no converter here knows model_type {model.family!r} (asked: {asked})"
    return [route for route in routes if route.knows_family], reason


def by_device(routes: list[Route], request: Request, model: Model, rules: Rules) -> _Narrowed:
    """Routes on the device asked for, or on each device; and the reason if none is left."""
    runs_on = sorted({device for route in routes for device in route.capability.devices})
    reason = f"asked for {request.device}; runs on {', '.join(runs_on)}"
    if request.device == "auto":
        return [evolve(r, device=d) for r in routes for d in r.capability.devices], reason
    base = request.device.partition(":")[0]
    return [
        evolve(route, device=request.device) for route in routes if base in route.capability.devices
    ], reason


def by_dtype(routes: list[Route], request: Request, model: Model, rules: Rules) -> _Narrowed:
    """Routes with the features and arithmetic asked for; and the reason if none is left."""
    asked = request.canonical_dtype
    missing = [f for f in request.features if not any(f in r.capability.features for r in routes)]
    if missing:
        return [], f"lacks the feature {', '.join(missing)}"
    survivors = [
        evolve(route, dtype=asked or _default_dtype(route))
        for route in routes
        if (asked is None or asked in route.capability.dtypes)
        and _storage_serves(route, asked, model)
        and all(feature in route.capability.features for feature in request.features)
    ]
    offered = sorted({d for route in routes for d in route.capability.dtypes})
    if asked is not None and asked not in offered:
        return survivors, f"asked for {asked}; it computes in {', '.join(offered)}"
    stored = ", ".join(f"{v.file} ({v.storage})" for v in model.variants)
    serves = asked or "the stored arithmetic"
    return survivors, f"no file it can run is stored so that {serves} is served; there is {stored}"


def _default_dtype(route: Route) -> str:
    if not route.converter and route.variant.storage in route.capability.dtypes:
        return route.variant.storage
    return route.capability.dtypes[0]


def _storage_serves(route: Route, asked: str | None, model: Model) -> bool:
    """Whether the variant's weights may serve the arithmetic asked for.

    Float arithmetic reads the reference weights or a float32 copy of them, never a rounded copy;
    integer arithmetic reads a file that was quantised so.
    """
    storage = route.variant.storage
    if route.capability.storages and storage not in route.capability.storages:
        return False
    if asked is not None and asked not in _FLOATS:
        return storage == asked
    if asked is not None and storage not in _FLOATS:
        return False
    reference = model.variants[0].storage
    if storage == reference:
        return True
    return storage == "float32" and reference in _FLOATS


def preference(route: Route, rules: Rules) -> tuple[Any, ...]:
    """Among one backend's own routes: device, then its preferred profile, then no conversion."""
    profiles = route.capability.profiles
    return (
        device_order(route.device, rules),
        profiles.index(route.profile) if route.profile in profiles else len(profiles),
        bool(route.converter),
        route.converter_rank,
        route.variant.file,
    )


def device_order(device: str, rules: Rules) -> int:
    """The place of a device in the settings' order; after all of them if it is not there."""
    base = device.partition(":")[0]
    return rules.devices.index(base) if base in rules.devices else len(rules.devices)
