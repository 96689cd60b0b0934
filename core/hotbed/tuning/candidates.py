"""Who can serve a model on this machine, in which arithmetic, as selection itself sees it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from attrs import frozen

from hotbed.backends.catalog import Found
from hotbed.backends.decision import Request, Verdict
from hotbed.tuning.bench import Bench

__all__ = ["Asked", "Refusal", "Who", "find_candidates", "who"]

Who = tuple[str, str, str, str]


@frozen(kw_only=True)
class Asked:
    """What to look at.

    Attributes:
        backends: Only these; empty means all.
        dtypes: Only these; empty means all that are declared.
        device: ``auto`` for all devices, or one.
        budgets: Padded tokens in a batch to try, besides what each engine chooses itself.
        purpose: What decides who is best: ``bulk`` or ``queries``.
        rounds: Passes that count.
    """

    backends: tuple[str, ...] = ()
    dtypes: tuple[str, ...] = ()
    device: str = "auto"
    budgets: tuple[int, ...] = (256, 512, 1024, 2048)
    purpose: str = "bulk"
    rounds: int = 4


@frozen(kw_only=True)
class Refusal:
    """A backend that cannot serve the model so, and its one reason."""

    backend: str
    dtype: str
    device: str
    reason: str
    fix: str = ""


def who(verdict: Verdict) -> Who:
    """What tells one candidate from another: backend, distribution, device, dtype."""
    assert verdict.route is not None  # only what can serve is a candidate
    return verdict.backend, verdict.dist, verdict.route.device, verdict.route.dtype


def find_candidates(bench: Bench, asked: Asked) -> tuple[list[Verdict], list[Refusal]]:
    """Ask selection for each backend, dtype and device by itself.

    Args:
        bench: The model and the machine.
        asked: What to look at.

    Returns:
        Those that can serve, and those that cannot with the reason.
    """
    able: dict[Who, Verdict] = {}
    refused: dict[Refusal, None] = {}
    for request in _requests(bench.house.backends.found(), asked):
        decision = bench.decide(request)
        if decision.chosen is not None:
            able.setdefault(who(decision.chosen), decision.chosen)
            continue
        for verdict in decision.verdicts:
            if verdict.backend == request.backend:
                reason = f"{verdict.stage.value}: {verdict.reason}"
                refusal = Refusal(
                    backend=verdict.backend,
                    dtype=request.dtype or "",
                    device=request.device,
                    reason=reason,
                    fix=verdict.fix,
                )
                refused.setdefault(refusal)
    return list(able.values()), list(refused)


def _requests(found: Iterable[Found], asked: Asked) -> Iterator[Request]:
    for name in dict.fromkeys(item.name for item in found):
        if asked.backends and name not in asked.backends:
            continue
        declared = _declared(item for item in found if item.name == name)
        if not declared:
            yield Request(backend=name, device=asked.device)
            continue
        for dtype in asked.dtypes or dict.fromkeys(dtype for dtype, _ in declared):
            devices = [device for known, device in declared if known == dtype] or ["auto"]
            for device in devices if asked.device == "auto" else [asked.device]:
                yield Request(backend=name, dtype=dtype, device=device)


def _declared(found: Iterable[Found]) -> list[tuple[str, str]]:
    """Every (dtype, device) of whatever embeds; none where nothing of that name is usable."""
    pairs = dict.fromkeys(
        (dtype, device)
        for item in found
        if item.usable and item.manifest is not None
        for capability in item.manifest.capabilities
        if capability.action == "embed"
        for dtype in capability.dtypes
        for device in capability.devices
    )
    return list(pairs)
