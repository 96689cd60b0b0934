"""Plans against brute force: every one is the best for some price, and nothing is forgotten.

Everett 1963 (doi:10.1287/opre.11.3.399): what minimises time + price × loss also minimises time
among all plans that lose no more.
"""

from __future__ import annotations

import itertools

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from hotbed.quantisation.planning import Losses, Option, Plan, Unit, plans

numbers = st.integers(0, 60)
options = st.lists(st.tuples(numbers, numbers, numbers), min_size=1, max_size=3)


def unit(name: str, rest: list[tuple[int, int, int]]) -> Unit:
    """A unit whose float32 takes longest and loses nothing."""
    first = Option("float32", 100.0, 400.0, np.zeros(2))
    others = [
        Option(f"r{place}", float(seconds), float(nbytes), np.array([loss, 2.0 * loss]))
        for place, (seconds, nbytes, loss) in enumerate(rest)
    ]
    return Unit(layers=(name,), options=(first, *others))


units = st.lists(options, min_size=1, max_size=4).map(
    lambda found: [unit(f"layer{place}", rest) for place, rest in enumerate(found)]
)


def mean(losses: Losses) -> float:
    """What counts of the losses."""
    return float(losses.mean())


def everything(found: list[Unit]) -> list[Plan]:
    """Every plan there is."""
    return [Plan.of(chosen) for chosen in itertools.product(*(u.options for u in found))]


@given(units, st.sampled_from([0.0, 0.5]))
def test_no_plan_is_beaten(found: list[Unit], price: float) -> None:
    """No plan at all costs less and loses no more, or costs no more and loses less."""
    all_plans = [(p.seconds + price * p.nbytes, mean(p.losses)) for p in everything(found)]
    for plan in plans(found, mean, byte_price=price):
        cost, loss = plan.seconds + price * plan.nbytes, mean(plan.losses)
        assert not any(
            (c < cost - 1e-9 and w <= loss + 1e-9) or (c <= cost + 1e-9 and w < loss - 1e-9)
            for c, w in all_plans
        )


@given(units, st.integers(0, 500))
def test_every_price_has_its_plan(found: list[Unit], price: int) -> None:
    """For any price on loss, one of the plans is as good as the best of all."""
    best = min(p.seconds + price * mean(p.losses) for p in everything(found))
    mine = min(p.seconds + price * mean(p.losses) for p in plans(found, mean))
    assert abs(mine - best) < 1e-6


@given(units)
def test_plans_go_from_fast_to_faithful(found: list[Unit]) -> None:
    """The first costs least, the last loses least, and each loses less than the one before."""
    ladder = plans(found, mean)
    losses = [mean(plan.losses) for plan in ladder]
    assert losses == sorted(losses, reverse=True)
    assert [p.seconds for p in ladder] == sorted(p.seconds for p in ladder)
    every = everything(found)
    assert ladder[0].seconds == min(p.seconds for p in every)
    assert losses[-1] == min(mean(p.losses) for p in every)


@given(units)
def test_a_plan_is_the_sum_of_its_options(found: list[Unit]) -> None:
    """Seconds, bytes and losses add up, and every layer has its recipe."""
    for plan in plans(found, mean):
        assert plan.seconds == sum(option.seconds for option in plan.chosen)
        assert np.array_equal(plan.losses, sum(option.losses for option in plan.chosen))
        recipes = plan.recipes(found)
        assert list(recipes) == [u.layers[0] for u in found]
        assert list(recipes.values()) == [option.recipe for option in plan.chosen]
