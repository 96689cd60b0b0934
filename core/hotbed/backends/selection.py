"""Choose a backend, and say why: one pure function of request, model, catalog, probes, settings.

Every backend goes through the stages in order, cheapest first, and the first stage that leaves it
nothing to run is its one reason. What survives is ranked; probes run in that order until one
answers yes. A route that converts first asks its converter as well.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

from attrs import evolve

from hotbed.backends.catalog import Found
from hotbed.backends.decision import Decision, Model, Request, Route, Rules, Stage, Verdict
from hotbed.backends.manifest import SUPPORTED_HOOK_APIS, Capability
from hotbed.backends.routes import (
    by_device,
    by_dtype,
    by_family,
    conversions_of,
    device_order,
    no_format,
    preference,
    routes_of,
)
from hotbed.backends.values import Probe, ProbeRequest

__all__ = ["select"]


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
    conversions = conversions_of(everyone)
    verdicts: dict[int, Verdict] = {}
    candidates: list[tuple[tuple[Any, ...], int, Route]] = []
    for index, backend in enumerate(everyone):
        routes, verdicts[index] = _judge(backend, request, model, conversions, rules)
        candidates += [(_rank(backend, route, rules), index, route) for route in routes]
    candidates.sort(key=lambda candidate: candidate[0])

    ask = _Asking(request, model, everyone, probe)
    chosen: tuple[tuple[Any, ...], int] | None = None
    refused: dict[int, list[tuple[Route, Probe]]] = {}
    for rank, index, route in candidates:
        backend = everyone[index]
        if chosen is not None:
            if index != chosen[1] and verdicts[index].stage is Stage.CHOSEN:
                reason = _why_below(rank, chosen[0], everyone[chosen[1]].name)
                verdicts[index] = _verdict(backend, Stage.PASSED_OVER, reason, route=route)
            continue
        answer = ask(backend, route)
        if answer.ok:
            reason = _why_chosen(route, answer, refused.get(index, []))
            verdicts[index] = _verdict(backend, Stage.CHOSEN, reason, route=route)
            chosen = (rank, index)
            continue
        refused.setdefault(index, []).append((route, answer))
        first = refused[index][0][1]
        verdicts[index] = _verdict(backend, Stage.PROBE, first.reason, first.fix)

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


class _Asking:
    """Ask a route's backend, and its converter, about this machine."""

    def __init__(
        self,
        request: Request,
        model: Model,
        everyone: Sequence[Found],
        probe: Callable[[Found, ProbeRequest], Probe],
    ) -> None:
        self._request = request
        self._model = model
        self._probe = probe
        self._usable = {found.name: found for found in everyone if found.usable}

    def __call__(self, backend: Found, route: Route) -> Probe:
        request = ProbeRequest(
            action=self._request.action,
            device=route.device,
            dtype=route.dtype,
            folder=self._model.folder,
        )
        answer = self._probe(backend, request)
        if not answer.ok or not route.converter:
            return answer
        converter = self._usable[route.converter]
        to_convert = ProbeRequest(
            action="convert", device=route.converter_device, folder=self._model.folder
        )
        conversion = self._probe(converter, to_convert)
        if conversion.ok:
            return answer
        return evolve(conversion, reason=f"{route.file}: {conversion.reason}")


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
    backend: Found,
    request: Request,
    model: Model,
    conversions: Sequence[tuple[Found, Capability]],
    rules: Rules,
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
        for route in routes_of(capability, model, conversions, request.action)
    ]
    if not routes:
        reason = no_format(manifest.capabilities, request, model)
        return [], _verdict(backend, Stage.FORMAT, reason)
    for stage, narrow in (
        (Stage.FAMILY, by_family),
        (Stage.DEVICE, by_device),
        (Stage.DTYPE, by_dtype),
    ):
        survivors, reason = narrow(routes, request, model, rules)
        if not survivors:
            return [], _verdict(backend, stage, reason)
        routes = survivors
    who = (backend.name, backend.dist, backend.version)
    ordered = sorted(
        (
            evolve(r, measured=rules.measurement(model.shape, who, r.device, r.dtype))
            for r in routes
        ),
        key=lambda route: preference(route, rules),
    )
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


_RANKING = (
    "it is not in the settings' priority list as high",
    "it was not measured on this machine",
    "it was measured slower on this machine",
    "it is not first-party",
    "its device comes later",
    "its declared priority is lower",
    "its name comes later",
)


def _rank(backend: Found, route: Route, rules: Rules) -> tuple[Any, ...]:
    place = rules.priority.index(backend.name) if backend.name in rules.priority else 10**6
    return (
        place,
        route.measured is None,
        -route.measured.score if route.measured else 0.0,
        not backend.first_party,
        device_order(route.device, rules),
        -route.capability.priority,
        backend.name,
        backend.dist,
        preference(route, rules),
    )


def _why_below(mine: tuple[Any, ...], best: tuple[Any, ...], name: str) -> str:
    for reason, left, right in zip(_RANKING, mine, best, strict=False):
        if left != right:
            return f"could serve, ranked below {name}: {reason}"
    return f"could serve, ranked below {name}"


def _why_chosen(route: Route, answer: Probe, refused: Sequence[tuple[Route, Probe]]) -> str:
    parts = [f"{route.dtype} on {route.device}", route.file]
    if answer.reason:
        parts.append(answer.reason)
    if route.measured:
        parts.append(str(route.measured))
    parts += [f"passed over {other.file} on {other.device}: {no.reason}" for other, no in refused]
    return "; ".join(parts)
