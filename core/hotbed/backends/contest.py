"""The routes of all backends, ranked, and asked in that order until one answers yes."""

from __future__ import annotations

import heapq
import itertools
from collections.abc import Callable, Sequence
from typing import Any

from attrs import evolve, frozen

from hotbed.backends.catalog import Found
from hotbed.backends.converters import Converters
from hotbed.backends.decision import Model, Request, Route, Rules, Stage, Verdict
from hotbed.backends.routes import conversion_of, device_order, next_route, preference
from hotbed.backends.stages import verdict_on
from hotbed.backends.values import Probe, ProbeRequest

__all__ = ["Ask", "Contest"]

Ask = Callable[[Found, ProbeRequest], Probe]
Rank = tuple[Any, ...]

_RANKING = (
    "it is not in the settings' priority list as high",
    "it was not measured on this machine",
    "it was measured slower on this machine",
    "somebody else's plugin would have to convert for it",
    "it is not first-party",
    "its device comes later",
    "its declared priority is lower",
    "its name comes later",
)

_SILENT = "its probe said no, and gave no reason"


@frozen
class _Entry:
    rank: Rank
    place: int
    route: Route


@frozen
class _Refusal:
    route: Route
    reason: str
    fix: str
    by_converter: bool

    def __str__(self) -> str:
        return f"passed over {self.route.file} on {self.route.device}: {self.reason}"


class Contest:
    """Who of those that survived every other stage is chosen on this machine.

    Args:
        request: What is asked for.
        model: What there is to run.
        everyone: Every installed backend; a backend's place in it is what the others call it by.
        converters: Who converts.
        rules: Ranking from the settings.
        probe: Asks one backend about this machine.
    """

    def __init__(
        self,
        request: Request,
        model: Model,
        everyone: Sequence[Found],
        converters: Converters,
        rules: Rules,
        probe: Ask,
    ) -> None:
        self._request = request
        self._model = model
        self._everyone = everyone
        self._usable = {found.name: found for found in everyone if found.usable}
        self._converters = converters
        here = tuple(one for one in rules.measured if one.shape == model.shape)
        self._rules = evolve(rules, measured=here)
        self._probe = probe
        self._waiting: list[tuple[Rank, int, _Entry]] = []
        self._serial = itertools.count()
        self._refusals: dict[int, list[_Refusal]] = {}
        self._no: set[tuple[int, str, str]] = set()
        self._unable: set[tuple[int, str, str]] = set()

    def enter(self, place: int, route: Route) -> None:
        """Let a route of the backend at that place take part."""
        # The serial number leaves what ranks alike in the order of the manifest.
        self._enter(place, route, next(self._serial))

    def _enter(self, place: int, route: Route, serial: int) -> None:
        backend = self._everyone[place]
        if self._rules.measured:
            who = (backend.name, backend.dist, backend.version)
            measured = self._rules.measurement(self._model.shape, who, route.device, route.dtype)
            route = evolve(route, measured=measured)
        foreign = bool(route.converter) and self._converters.is_foreign(
            route.converter_rank, backend.dist
        )
        entry = _Entry(_rank(backend, route, foreign, self._rules), place, route)
        heapq.heappush(self._waiting, (entry.rank, serial, entry))

    def run(self) -> dict[int, Verdict]:
        """Ask, and give the verdict on each backend that took part, by place, best first."""
        winner, verdicts = self._ask_in_turn()
        runners_up: dict[int, _Entry] = {}
        for _, _, entry in sorted(self._waiting, key=lambda item: item[:2]):
            if not self._is_refused(entry):
                runners_up.setdefault(entry.place, entry)
        for place in sorted({*self._refusals, *runners_up}.difference(verdicts)):
            if winner is not None and place in runners_up:
                verdicts[place] = self._passed_over(runners_up[place], winner)
            else:
                verdicts[place] = self._refused(place)
        return verdicts

    def _ask_in_turn(self) -> tuple[_Entry | None, dict[int, Verdict]]:
        while self._waiting:
            _, serial, entry = heapq.heappop(self._waiting)
            if self._is_refused(entry):
                continue
            route = entry.route
            if (entry.place, route.converter, route.converter_device) not in self._unable:
                answer = self._ask(entry)
                if isinstance(answer, Probe):
                    return entry, {entry.place: self._chosen(entry, answer)}
                self._refusals.setdefault(entry.place, []).append(answer)
                if not answer.by_converter:
                    self._no.add((entry.place, route.device, route.dtype))
                    continue
                self._unable.add((entry.place, route.converter, route.converter_device))
            if (following := self._next(entry)) is not None:
                self._enter(entry.place, following, serial)
        return None, {}

    def _next(self, entry: _Entry) -> Route | None:
        return next_route(entry.route, self._converters, self._everyone[entry.place].dist)

    def _is_refused(self, entry: _Entry) -> bool:
        """Whether its backend said no to the same question, asked for another file."""
        return (entry.place, entry.route.device, entry.route.dtype) in self._no

    def _ask(self, entry: _Entry) -> Probe | _Refusal:
        route, folder = entry.route, self._model.folder
        question = ProbeRequest(
            action=self._request.action, device=route.device, dtype=route.dtype, folder=folder
        )
        answer = self._probe(self._everyone[entry.place], question)
        if not answer.ok:
            return _Refusal(route, answer.reason or _SILENT, answer.fix, by_converter=False)
        if route.converter:
            question = ProbeRequest(action="convert", device=route.converter_device, folder=folder)
            conversion = self._probe(self._usable[route.converter], question)
            if not conversion.ok:
                reason = conversion.reason or _SILENT
                return _Refusal(route, reason, conversion.fix, by_converter=True)
        return answer

    def _chosen(self, entry: _Entry, answer: Probe) -> Verdict:
        route = entry.route
        parts = [f"{route.dtype} on {route.device}", route.file, answer.reason]
        parts += [str(route.measured)] if route.measured else []
        parts += map(str, self._refusals.get(entry.place, []))
        reason = "; ".join(filter(None, parts))
        return verdict_on(self._everyone[entry.place], Stage.CHOSEN, reason, route=route)

    def _refused(self, place: int) -> Verdict:
        first = self._refusals[place][0]
        reason = first.reason
        if first.by_converter:
            others = self._converters.who_does_not_know(conversion_of(first.route))
            reason = "; ".join(filter(None, (f"{first.route.file}: {reason}", others)))
        return verdict_on(self._everyone[place], Stage.PROBE, reason, first.fix)

    def _passed_over(self, entry: _Entry, winner: _Entry) -> Verdict:
        best = self._everyone[winner.place].name
        refusals = self._refusals.get(entry.place, [])
        reason = "; ".join([_why_below(entry.rank, winner.rank, best), *map(str, refusals)])
        fix = refusals[0].fix if refusals else ""
        backend = self._everyone[entry.place]
        return verdict_on(backend, Stage.PASSED_OVER, reason, fix, route=entry.route)


def _rank(backend: Found, route: Route, foreign: bool, rules: Rules) -> Rank:
    """What sorts it; less is better.

    A foreign converter comes behind whatever does without: installing it must change nothing.
    """
    place = rules.priority.index(backend.name) if backend.name in rules.priority else 10**6
    return (
        place,
        route.measured is None,
        -route.measured.score if route.measured else 0.0,
        foreign,
        not backend.first_party,
        device_order(route.device, rules),
        -route.capability.priority,
        backend.name,
        backend.dist,
        # Of foreign converters the first in order, whatever else the next one could write.
        route.converter_rank if foreign else 0,
        *preference(route),
    )


def _why_below(mine: Rank, best: Rank, name: str) -> str:
    for reason, left, right in zip(_RANKING, mine, best, strict=False):
        if left != right:
            return f"not asked, for it ranks below {name}: {reason}"
    return f"not asked, for it ranks below {name}"
