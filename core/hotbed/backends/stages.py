"""What becomes of one backend before it is asked: the stages that need nothing but its manifest."""

from __future__ import annotations

from hotbed.backends.catalog import FIRST_PARTY, Found
from hotbed.backends.converters import Converters
from hotbed.backends.decision import Model, Request, Route, Stage, Verdict
from hotbed.backends.manifest import SUPPORTED_HOOK_APIS, Capability, Manifest
from hotbed.backends.routes import by_device, by_dtype, by_family, no_format, placed, routes_of

__all__ = ["judge", "other_hook_api", "verdict_on"]


def verdict_on(
    found: Found, stage: Stage, reason: str, fix: str = "", route: Route | None = None
) -> Verdict:
    """A verdict, with the backend's origin filled in."""
    return Verdict(
        backend=found.name,
        dist=found.dist,
        version=found.version,
        stage=stage,
        reason=reason,
        fix=fix,
        route=route,
    )


def judge(
    backend: Found, request: Request, model: Model, converters: Converters
) -> tuple[list[Route], Verdict | None]:
    """The routes that survive every stage but the probe; or the verdict, if none does."""
    manifest = backend.manifest
    out = _out_before_routes(backend, manifest, request)
    if out is not None or manifest is None:
        return [], out
    routes = [
        route
        for capability in manifest.capabilities
        if _is_asked_for(capability, request)
        for route in routes_of(capability, model, converters, request, backend.dist)
    ]
    if not routes:
        reason = no_format(manifest.capabilities, request, model)
        return [], verdict_on(backend, Stage.FORMAT, reason)
    for stage, narrow in (
        (Stage.FAMILY, by_family),
        (Stage.DEVICE, by_device),
        (Stage.DTYPE, by_dtype),
    ):
        routes, reason = narrow(routes, request, model, converters)
        if not routes:
            return [], verdict_on(backend, stage, reason)
    return placed(routes, request, model), None


def _out_before_routes(
    backend: Found, manifest: Manifest | None, request: Request
) -> Verdict | None:
    if backend.blocked:
        return verdict_on(backend, Stage.BLOCKED, backend.blocked)
    if backend.conflict:
        return verdict_on(backend, Stage.CONFLICT, backend.conflict, backend.fix)
    if backend.error:
        return verdict_on(backend, Stage.LOAD, backend.error, backend.fix)
    if manifest is None:
        reason = f"{backend.value} holds no `HOTBED = Manifest(...)`"
        return verdict_on(backend, Stage.LOAD, reason, backend.fix)
    if manifest.hook_api not in SUPPORTED_HOOK_APIS:
        return verdict_on(backend, Stage.HOOK_API, *other_hook_api(backend, manifest))
    if request.backend is not None and backend.name != request.backend:
        return verdict_on(backend, Stage.NAMED, f"backend={request.backend!r} was named")
    offered = {(c.action, c.task) for c in manifest.capabilities}
    if (request.action, request.task) not in offered:
        does = ", ".join(sorted(f"{action} {task}" for action, task in offered)) or "nothing"
        reason = f"asked for {request.action} {request.task}; it does {does}"
        return verdict_on(backend, Stage.ACTION, reason)
    if not any(_is_asked_for(capability, request) for capability in manifest.capabilities):
        return verdict_on(backend, Stage.ACTION, _not_asked_for(manifest, request))
    return None


def _is_asked_for(capability: Capability, request: Request) -> bool:
    asked = (capability.action, capability.task) == (request.action, request.task)
    writes = request.to in ("", capability.to)
    return asked and writes and (not request.recipe or request.recipe in capability.recipes)


def _not_asked_for(manifest: Manifest, request: Request) -> str:
    if request.recipe:
        names = ", ".join(name for c in manifest.capabilities for name in c.recipes)
        return f"asked for the recipe {request.recipe}; it has {names}"
    writes = ", ".join(sorted({c.to for c in manifest.capabilities if c.to}))
    return f"asked to write {request.to}; it writes {writes}"


def other_hook_api(backend: Found, manifest: Manifest) -> tuple[str, str]:
    """Why a backend and this hotbed do not understand one another, and who is too old."""
    spoken = ", ".join(map(str, sorted(SUPPORTED_HOOK_APIS)))
    reason = f"written for {manifest.hook_api}, this hotbed speaks {spoken}"
    older = manifest.hook_api < min(SUPPORTED_HOOK_APIS)
    return reason, f"pip install -U {backend.dist if older else FIRST_PARTY}"
