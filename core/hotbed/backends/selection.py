"""Choose a backend, and say why: one pure function of request, model, catalog, probes, settings.

Every backend goes through the stages in order, cheapest first, and the first stage that leaves it
nothing to run is its one reason. What survives is ranked; probes run in that order until one
answers yes.
"""

from __future__ import annotations

import enum
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

from attrs import evolve, field, frozen

from hotbed.backends.catalog import Found
from hotbed.backends.manifest import SUPPORTED_HOOK_APIS, Capability, dtype_name
from hotbed.backends.values import Probe, ProbeRequest, Variant
from hotbed.errors import UsageError

__all__ = ["Decision", "Model", "Request", "Route", "Rules", "Stage", "Verdict", "select"]

_FLOATS = ("bfloat16", "float16", "float32")


class Stage(enum.Enum):
    """Where a backend dropped out, or that it did not."""

    BLOCKED = "blocked"
    CONFLICT = "name conflict"
    LOAD = "load"
    HOOK_API = "hook API"
    NAMED = "not named"
    ACTION = "action"
    FORMAT = "format"
    FAMILY = "family"
    DEVICE = "device"
    DTYPE = "dtype"
    PROBE = "probe"
    PASSED_OVER = "passed over"
    CHOSEN = "chosen"


@frozen(kw_only=True)
class Request:
    """What is asked for.

    Attributes:
        action: ``embed`` or ``convert``.
        task: What the model is for.
        device: ``auto``, or a device: ``cpu``, ``cuda``, ``cuda:1``.
        dtype: Arithmetic; None is that of the stored weights, or wider.
        backend: The one backend to use; None lets selection choose.
        features: Names that the capability must list.
    """

    action: str = "embed"
    task: str = "embedding"
    device: str = "auto"
    dtype: str | None = field(default=None)
    backend: str | None = None
    features: tuple[str, ...] = ()

    @dtype.validator
    def _known(self, _: Any, value: str | None) -> None:
        if value is None:
            return
        try:
            dtype_name(value)
        except KeyError:
            raise UsageError(
                f"dtype={value!r} is not known; use float32, bfloat16, float16, int8, uint8, "
                f"q8 or q4, or None for that of the stored weights"
            ) from None

    @property
    def canonical_dtype(self) -> str | None:
        """``dtype`` under its one name."""
        return None if self.dtype is None else dtype_name(self.dtype)


@frozen(kw_only=True)
class Model:
    """The facts about a model folder that selection reads.

    Attributes:
        name: For messages.
        family: ``config.model_type``.
        variants: The runnable files, present or fetchable; the first one is the reference, whose
            weights ``dtype=None`` means.
        folder: Where it lies, for probes.
    """

    name: str
    family: str
    variants: tuple[Variant, ...]
    folder: Path | None = None


@frozen(kw_only=True)
class Rules:
    """What the settings say about ranking."""

    priority: tuple[str, ...] = ()
    devices: tuple[str, ...] = ("cuda", "cpu")


@frozen(kw_only=True)
class Route:
    """One way for a backend to run the model: a file, or a file converted first."""

    capability: Capability
    variant: Variant
    converter: str = ""
    profile: str = ""
    device: str = ""
    dtype: str = ""
    knows_family: bool = True
    converter_rank: int = 0

    @property
    def file(self) -> str:
        """The route in words: ``onnx/model.onnx``, ``model.safetensors → onnx (cpu)``."""
        if not self.converter:
            return self.variant.file
        target = self.capability.formats[0]
        return f"{self.variant.file} → {target} ({self.profile}) by {self.converter}"


@frozen(kw_only=True)
class Verdict:
    """What became of one backend."""

    backend: str
    dist: str
    version: str
    stage: Stage
    reason: str
    fix: str = ""
    route: Route | None = None


@frozen(kw_only=True)
class Decision:
    """A request, the verdict on every backend, and the one chosen, if any."""

    request: Request
    model: str
    chosen: Verdict | None
    verdicts: tuple[Verdict, ...]

    def explain(self) -> str:
        """The verdicts as a plain table, the chosen one first."""
        asked = [f"device={self.request.device}", f"dtype={self.request.dtype or 'as stored'}"]
        if self.request.backend:
            asked.append(f"backend={self.request.backend}")
        if self.request.features:
            asked.append(f"features={','.join(self.request.features)}")
        lines = [f"{self.request.action} {self.model} ({', '.join(asked)})"]
        rows = [_row(verdict) for verdict in self.verdicts]
        if not rows:
            return "\n".join([*lines, "  no backend is installed"])
        widths = [max(len(row[i]) for row in rows) for i in range(3)]
        for row in rows:
            cells = [cell.ljust(width) for cell, width in zip(row, widths, strict=False)]
            lines.append(f"  {'  '.join(cells)}  {row[3]}")
        return "\n".join(lines)

    def as_dict(self) -> dict[str, Any]:
        """The decision as plain values, for JSON."""
        return {
            "request": {
                "action": self.request.action,
                "device": self.request.device,
                "dtype": self.request.dtype,
                "backend": self.request.backend,
                "features": list(self.request.features),
            },
            "model": self.model,
            "chosen": self.chosen.backend if self.chosen else None,
            "verdicts": [_verdict_dict(verdict) for verdict in self.verdicts],
        }


def _row(verdict: Verdict) -> tuple[str, str, str, str]:
    word = {Stage.CHOSEN: "chosen", Stage.PASSED_OVER: "passed over"}.get(verdict.stage, "rejected")
    origin = " ".join(filter(None, (verdict.dist, verdict.version))) or "unknown distribution"
    why = verdict.reason
    if verdict.stage not in (Stage.CHOSEN, Stage.PASSED_OVER):
        why = f"{verdict.stage.value}: {why}"
    if verdict.fix:
        why += f"   fix: {verdict.fix}"
    return word, verdict.backend, origin, why


def _verdict_dict(verdict: Verdict) -> dict[str, Any]:
    route = verdict.route
    return {
        "backend": verdict.backend,
        "distribution": verdict.dist,
        "version": verdict.version,
        "stage": verdict.stage.value,
        "reason": verdict.reason,
        "fix": verdict.fix,
        "device": route.device if route else None,
        "dtype": route.dtype if route else None,
        "file": route.file if route else None,
    }


def select(
    request: Request,
    model: Model,
    found: Iterable[Found],
    probe: Callable[[Found, ProbeRequest], Probe],
    rules: Rules,
) -> Decision:
    """Choose. Never raises for "none": the decision carries all reasons.

    Args:
        request: What is asked for.
        model: What there is to run.
        found: Every installed backend, working or not.
        probe: Asks one backend about this machine. Its answers should be cached by the caller.
        rules: Ranking from the settings.
    """
    everyone = tuple(found)
    verdicts: dict[int, Verdict] = {}
    candidates: list[tuple[tuple[Any, ...], int, Route]] = []
    for index, backend in enumerate(everyone):
        routes, verdict = _judge(backend, request, model, everyone, rules)
        verdicts[index] = verdict
        candidates += [(_rank(backend, route, rules), index, route) for route in routes]
    candidates.sort(key=lambda candidate: candidate[0])

    chosen: tuple[tuple[Any, ...], int] | None = None
    for rank, index, route in candidates:
        backend = everyone[index]
        if chosen is not None:
            if index != chosen[1] and verdicts[index].stage is Stage.CHOSEN:
                reason = _why_below(rank, chosen[0], everyone[chosen[1]].name)
                verdicts[index] = _verdict(backend, Stage.PASSED_OVER, reason, route=route)
            continue
        answer = probe(
            backend,
            ProbeRequest(
                action=request.action,
                device=route.device,
                dtype=route.dtype,
                folder=model.folder,
            ),
        )
        if answer.ok:
            reason = _why_chosen(route, answer)
            verdicts[index] = _verdict(backend, Stage.CHOSEN, reason, route=route)
            chosen = (rank, index)
        else:
            verdicts[index] = _verdict(backend, Stage.PROBE, answer.reason, answer.fix)

    order = sorted(
        verdicts,
        key=lambda i: (chosen is None or i != chosen[1], everyone[i].name, everyone[i].dist, i),
    )
    return Decision(
        request=request,
        model=model.name,
        chosen=verdicts[chosen[1]] if chosen else None,
        verdicts=tuple(verdicts[index] for index in order),
    )


def _verdict(
    found: Found, stage: Stage, reason: str, fix: str = "", route: Route | None = None
) -> Verdict:
    return Verdict(
        backend=found.name,
        dist=found.dist,
        version=found.version,
        stage=stage,
        reason=reason,
        fix=fix,
        route=route,
    )


def _judge(
    backend: Found, request: Request, model: Model, everyone: Sequence[Found], rules: Rules
) -> tuple[list[Route], Verdict]:
    """The routes that survive every stage but the probe, best first; and the verdict so far."""
    out = _out_before_routes(backend, request)
    if out is not None:
        return [], out
    manifest = backend.manifest
    assert manifest is not None  # _out_before_routes refuses a backend without one
    routes = [
        route
        for capability in manifest.capabilities
        if (capability.action, capability.task) == (request.action, request.task)
        for route in _routes(capability, model, everyone, request.action)
    ]
    if not routes:
        reason = _no_format(manifest.capabilities, request, model)
        return [], _verdict(backend, Stage.FORMAT, reason)
    for stage, narrow in (
        (Stage.FAMILY, _family),
        (Stage.DEVICE, _device),
        (Stage.DTYPE, _dtype),
    ):
        survivors, reason = narrow(routes, request, model, rules)
        if not survivors:
            return [], _verdict(backend, stage, reason)
        routes = survivors
    routes.sort(key=lambda route: _preference(route, rules))
    best = {route.device: route for route in reversed(routes)}
    ordered = sorted(best.values(), key=lambda route: _preference(route, rules))
    return ordered, _verdict(backend, Stage.CHOSEN, "", route=ordered[0])


def _out_before_routes(backend: Found, request: Request) -> Verdict | None:
    if backend.blocked:
        return _verdict(backend, Stage.BLOCKED, backend.blocked)
    if backend.conflict:
        return _verdict(backend, Stage.CONFLICT, backend.conflict)
    if backend.error:
        return _verdict(backend, Stage.LOAD, backend.error)
    manifest = backend.manifest
    if manifest is None:
        reason = f"{backend.value} holds no `HOTBED = Manifest(...)`"
        return _verdict(backend, Stage.LOAD, reason)
    if manifest.hook_api not in SUPPORTED_HOOK_APIS:
        spoken = ", ".join(map(str, sorted(SUPPORTED_HOOK_APIS)))
        reason = f"written for {manifest.hook_api}, this hotbed speaks {spoken}"
        older = manifest.hook_api < min(SUPPORTED_HOOK_APIS)
        fix = f"pip install -U {backend.dist if older else 'hotbed'}"
        return _verdict(backend, Stage.HOOK_API, reason, fix)
    if request.backend is not None and backend.name != request.backend:
        return _verdict(backend, Stage.NAMED, f"backend={request.backend!r} was named")
    capabilities = [c for c in manifest.capabilities if c.action == request.action]
    if not any(c.task == request.task for c in capabilities):
        offered = sorted({f"{c.action} {c.task}" for c in manifest.capabilities})
        reason = f"asked for {request.action} {request.task}; it does {', '.join(offered) or '-'}"
        return _verdict(backend, Stage.ACTION, reason)
    return None


def _routes(
    capability: Capability, model: Model, everyone: Sequence[Found], action: str
) -> list[Route]:
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
        )
        for rank, (backend, conversion) in enumerate(_conversions(everyone))
        if conversion.to in capability.formats
        for variant in model.variants
        if variant.format in conversion.formats and variant.format not in capability.formats
        for profile in capability.profiles
        if profile in conversion.profiles
    ]


def _conversions(everyone: Sequence[Found]) -> list[tuple[Found, Capability]]:
    """Who converts, hotbed's own first: an installed plugin must not change what is converted."""
    return [
        (backend, capability)
        for backend in sorted(everyone, key=lambda found: (not found.first_party, found.name))
        if backend.usable and backend.manifest is not None
        if backend.manifest.hook_api in SUPPORTED_HOOK_APIS
        for capability in backend.manifest.capabilities
        if capability.action == "convert"
    ]


def _no_format(capabilities: Iterable[Capability], request: Request, model: Model) -> str:
    mine = [c for c in capabilities if c.action == request.action]
    reads = sorted({f"{fmt}" for c in mine for fmt in c.formats})
    profiles = sorted({profile for c in mine for profile in c.profiles})
    holds = ", ".join(variant.file for variant in model.variants) or "nothing runnable"
    return f"reads {', '.join(reads)} ({', '.join(profiles)}); the folder holds {holds}"


_Narrowed = tuple[list[Route], str]


def _family(routes: list[Route], request: Request, model: Model, rules: Rules) -> _Narrowed:
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


def _device(routes: list[Route], request: Request, model: Model, rules: Rules) -> _Narrowed:
    runs_on = sorted({device for route in routes for device in route.capability.devices})
    reason = f"asked for {request.device}; runs on {', '.join(runs_on)}"
    if request.device == "auto":
        return [evolve(r, device=d) for r in routes for d in r.capability.devices], reason
    base = request.device.partition(":")[0]
    return [
        evolve(route, device=request.device) for route in routes if base in route.capability.devices
    ], reason


def _dtype(routes: list[Route], request: Request, model: Model, rules: Rules) -> _Narrowed:
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


def _preference(route: Route, rules: Rules) -> tuple[Any, ...]:
    """Among one backend's own routes: device, then its preferred profile, then no conversion."""
    profiles = route.capability.profiles
    return (
        _device_order(route.device, rules),
        profiles.index(route.profile) if route.profile in profiles else len(profiles),
        bool(route.converter),
        route.converter_rank,
        route.variant.file,
    )


def _device_order(device: str, rules: Rules) -> int:
    base = device.partition(":")[0]
    return rules.devices.index(base) if base in rules.devices else len(rules.devices)


_RANKING = (
    "it is not in the settings' priority list as high",
    "it is not first-party",
    "its device comes later",
    "its declared priority is lower",
    "its name comes later",
)


def _rank(backend: Found, route: Route, rules: Rules) -> tuple[Any, ...]:
    place = rules.priority.index(backend.name) if backend.name in rules.priority else 10**6
    return (
        place,
        not backend.first_party,
        _device_order(route.device, rules),
        -route.capability.priority,
        backend.name,
        backend.dist,
    )


def _why_below(mine: tuple[Any, ...], best: tuple[Any, ...], name: str) -> str:
    for reason, left, right in zip(_RANKING, mine, best, strict=False):
        if left != right:
            return f"could serve, ranked below {name}: {reason}"
    return f"could serve, ranked below {name}"


def _why_chosen(route: Route, answer: Probe) -> str:
    parts = [f"{route.dtype} on {route.device}", route.file]
    if answer.reason:
        parts.append(answer.reason)
    return "; ".join(parts)
