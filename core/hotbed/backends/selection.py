"""Choose a backend, and say why: one pure function of request, model, catalog, probes, settings.

Every backend goes through the stages in order, cheapest first, and the first stage that leaves it
nothing to run is its one reason. What survives is ranked; probes run in that order until one
answers yes. A route that converts first asks its converter as well.
"""

from __future__ import annotations

from collections.abc import Iterable

from hotbed.backends.catalog import Found
from hotbed.backends.contest import Ask, Contest
from hotbed.backends.converters import Converters
from hotbed.backends.decision import Decision, Model, Request, Rules, Stage, Verdict
from hotbed.backends.stages import judge

__all__ = ["select"]


def select(
    request: Request,
    model: Model,
    found: Iterable[Found],
    probe: Ask,
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
    # The order in which things were installed must not decide anything, not even a tie.
    everyone = sorted(found, key=lambda f: (f.name, f.dist, f.version, f.value))
    converters = Converters(everyone, model.family, request.task)
    contest = Contest(request, model, everyone, converters, rules, probe)
    verdicts: dict[int, Verdict] = {}
    for place, backend in enumerate(everyone):
        routes, out = judge(backend, request, model, converters)
        for route in routes:
            contest.enter(place, route)
        if out is not None:
            verdicts[place] = out
    verdicts |= contest.run()
    chosen = next((v for v in verdicts.values() if v.stage is Stage.CHOSEN), None)
    others = [verdicts[place] for place in range(len(everyone)) if verdicts[place] is not chosen]
    return Decision(
        request=request,
        model=model.name,
        chosen=chosen,
        verdicts=(chosen, *others) if chosen else tuple(others),
    )
