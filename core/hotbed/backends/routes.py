"""The ways in which a backend could run a model, narrowed stage by stage."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from attrs import evolve

from hotbed.backends.converters import Conversion, Converters
from hotbed.backends.decision import Model, Request, Route, Rules
from hotbed.backends.manifest import Capability

__all__ = [
    "by_device",
    "by_dtype",
    "by_family",
    "conversion_of",
    "device_order",
    "next_route",
    "no_format",
    "placed",
    "preference",
    "routes_of",
]

_FLOATS = ("bfloat16", "float16", "float32")

_LOSSLESS = {
    "float32": ("float32",),
    "float16": ("float16", "float32"),
    "bfloat16": ("bfloat16", "float32"),
    "int8": ("int8", "float32"),
    "uint8": ("uint8", "float32"),
    "q8": ("q8", "float32"),
    "w8": ("w8", "float32"),
    "q4": ("q4", "float32"),
    "q4f16": ("q4f16", "float16", "float32"),
    "bnb4": ("bnb4", "float32"),
}
"""How weights are stored → the arithmetic that is theirs, or wider."""

_SHOWN = 5
_NO_PROFILE = 10**6


def routes_of(
    capability: Capability, model: Model, converters: Converters, request: Request, reader: str
) -> list[Route]:
    """Every file that a capability reads, and every one it would read after a conversion.

    A conversion stands here with whom to ask first; ``next_route`` gives the next.

    Args:
        capability: What a backend can do.
        model: What there is to run.
        converters: Who converts.
        request: What is asked for.
        reader: The backend's distribution.
    """
    reads = not capability.families or model.family in capability.families
    direct = [
        Route(capability=capability, variant=variant, profile=variant.profile, knows_family=reads)
        for variant in model.variants
        if variant.format in capability.formats
        and (not variant.profile or variant.profile in _profiles(capability, request))
    ]
    if request.action == "convert" or request.direct:
        return direct
    return direct + [
        Route(
            capability=capability,
            variant=variant,
            converter=way.converter,
            to=to,
            profile=profile,
            knows_family=reads and way.knows_family,
            converter_rank=way.rank,
            converter_device=way.device,
        )
        for to in capability.formats
        for variant in model.variants
        if variant.format not in capability.formats
        for profile in _profiles(capability, request)
        for way in converters.first(Conversion(variant.format, to, profile), reader)
    ]


def _profiles(capability: Capability, request: Request) -> tuple[str, ...]:
    return tuple(name for name in capability.profiles if request.profile in ("", name))


def next_route(route: Route, converters: Converters, reader: str) -> Route | None:
    """The same with the next converter, where the route's own cannot work on this machine."""
    way = converters.after(route.converter_rank, conversion_of(route), reader)
    if way is None:
        return None
    return evolve(
        route, converter=way.converter, converter_rank=way.rank, converter_device=way.device
    )


def conversion_of(route: Route) -> Conversion:
    """What a route converts, from what into what."""
    return Conversion(route.variant.format, route.to, route.profile)


def no_format(capabilities: Iterable[Capability], request: Request, model: Model) -> str:
    """Why a backend has no route at all: what it reads, and what there is."""
    mine = [c for c in capabilities if (c.action, c.task) == (request.action, request.task)]
    reads = _words(fmt for c in mine for fmt in c.formats)
    profiles = _words(profile for c in mine for profile in c.profiles)
    holds = ", ".join(variant.file for variant in model.variants) or "nothing runnable"
    return f"reads {reads} (profiles: {profiles}); the folder holds {holds}"


def _words(names: Iterable[str]) -> str:
    return ", ".join(sorted(set(names))) or "nothing"


Narrowed = tuple[list[Route], str]


def by_family(
    routes: list[Route], request: Request, model: Model, converters: Converters
) -> Narrowed:
    """Routes whose reader and converter know the architecture; and the reason if none is left."""
    survivors = [route for route in routes if route.knows_family]
    if survivors:
        return survivors, ""
    readers = [
        r for r in routes if not r.capability.families or model.family in r.capability.families
    ]
    if not readers:
        known = _words(name for route in routes for name in route.capability.families)
        return [], f"model_type {model.family!r} is not one it knows ({known})"
    asked = sorted(
        {way.converter for route in readers for way in converters.ways(conversion_of(route))}
    )
    listed = ", ".join(asked[:_SHOWN])
    if len(asked) > _SHOWN:
        listed += f" and {len(asked) - _SHOWN} more"
    return [], f"no converter here knows model_type {model.family!r} (asked: {listed})"


def by_device(
    routes: list[Route], request: Request, model: Model, converters: Converters
) -> Narrowed:
    """Routes on the device asked for, or on each device; and the reason if none is left."""
    survivors = [route for route in routes if _devices(route.capability, request)]
    if survivors:
        return survivors, ""
    runs_on = _words(device for route in routes for device in route.capability.devices)
    return [], f"asked for {request.device}; runs on {runs_on}"


def _devices(capability: Capability, request: Request) -> tuple[str, ...]:
    if request.device == "auto":
        return capability.devices
    base = request.device.partition(":")[0]
    return (request.device,) if base in capability.devices else ()


def by_dtype(
    routes: list[Route], request: Request, model: Model, converters: Converters
) -> Narrowed:
    """Routes with the features and arithmetic asked for; and the reason if none is left."""
    wanted = set(request.features)
    able = [route for route in routes if wanted.issubset(route.capability.features)]
    if not able:
        return [], _lacking(routes, request.features)
    if request.action == "quantize":
        floats = [route for route in able if _starts_from(route)]
        return floats, "" if floats else _not_floats(able, model)
    asked, reference = request.canonical_dtype, model.variants[0].storage
    survivors = [
        route
        for route in able
        if (asked or _default_dtype(route, reference)) in route.capability.dtypes
        and _storage_serves(route, asked, reference)
    ]
    return survivors, "" if survivors else _unserved(able, asked, model)


def placed(routes: list[Route], request: Request, model: Model) -> list[Route]:
    """What survived, once for each device that is asked for, with the arithmetic that serves."""
    asked, reference = request.canonical_dtype, model.variants[0].storage

    def arithmetic(route: Route) -> str:
        if request.action == "quantize":
            return route.capability.dtypes[0]  # what its result will be asked for
        return asked or _default_dtype(route, reference) or ""

    return [
        evolve(route, device=device, dtype=arithmetic(route))
        for route in routes
        for device in _devices(route.capability, request)
    ]


def _starts_from(route: Route) -> bool:
    """Whether a quantisation can start from the route's file: floats, as they were trained."""
    storage = "float32" if route.converter else route.variant.storage
    wanted = route.capability.storages or _FLOATS
    return storage in wanted and route.variant.storage in _FLOATS


def _not_floats(routes: Sequence[Route], model: Model) -> str:
    wanted = _words(name for route in routes for name in route.capability.storages or _FLOATS)
    stored = ", ".join(f"{v.file} ({v.storage})" for v in model.variants)
    return f"it quantises {wanted}, and the folder holds {stored}; start from the float weights"


def _lacking(routes: Sequence[Route], features: Sequence[str]) -> str:
    missing = [f for f in features if not any(f in r.capability.features for r in routes)]
    if missing:
        return f"lacks the feature {', '.join(missing)}"
    return f"has {', '.join(features)}, and not all in one capability"


def _unserved(routes: Sequence[Route], asked: str | None, model: Model) -> str:
    offered = {dtype for route in routes for dtype in route.capability.dtypes}
    computes = f"it computes in {_words(offered)}"
    if asked is not None and asked not in offered:
        return f"asked for {asked}; {computes}"
    reference = model.variants[0].storage
    if asked is None and all(_default_dtype(route, reference) is None for route in routes):
        return f"the weights are {reference}; {computes}: narrower arithmetic has to be asked for"
    stored = ", ".join(f"{v.file} ({v.storage})" for v in model.variants)
    serves = asked or "the stored arithmetic"
    return f"no file it can run is stored so that {serves} is served; there is {stored}"


def _default_dtype(route: Route, reference: str) -> str | None:
    """What serves ``dtype=None``: the arithmetic of the stored weights, or wider."""
    dtypes = route.capability.dtypes
    if not route.converter and route.variant.storage in dtypes:
        return route.variant.storage
    lossless = _LOSSLESS.get(reference, dtypes)
    return next((dtype for dtype in dtypes if dtype in lossless), None)


def _storage_serves(route: Route, asked: str | None, reference: str) -> bool:
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
    if storage == reference:
        return True
    return storage == "float32" and reference in _FLOATS


def preference(route: Route) -> tuple[Any, ...]:
    """Among one backend's routes on a device: its preferred profile, then no conversion."""
    profiles = route.capability.profiles
    return (
        profiles.index(route.profile) if route.profile in profiles else _NO_PROFILE,
        bool(route.converter),
        route.converter_rank,
        route.variant.file,
    )


def device_order(device: str, rules: Rules) -> int:
    """The place of a device in the settings' order; after all of them if it is not there."""
    base = device.partition(":")[0]
    return rules.devices.index(base) if base in rules.devices else len(rules.devices)
