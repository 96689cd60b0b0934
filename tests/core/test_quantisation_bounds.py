"""Bounds and texts: what is asked for, on what it is decided, and mistakes in either."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from hotbed.backends.values import Layer
from hotbed.errors import UsageError
from hotbed.fidelity import Fidelity, compare_vectors
from hotbed.quantisation.bounds import Bounds
from hotbed.quantisation.mixes import Mix, Trial, frontier
from hotbed.quantisation.sensitivity import units_of
from hotbed.quantisation.texts import LEAST, divide
from hotbed.tuning.timing import Spread

GIVEN = [f"text number {number} about nothing" for number in range(90)]


def found(lowest: float, mean: float) -> Fidelity:
    """A comparison that found so much."""
    return Fidelity(
        texts=9, lowest=lowest, percentile=lowest, mean=mean, max_abs=0.1, neighbours=None
    )


@pytest.mark.parametrize(
    ("bounds", "missed"),
    [
        ({}, ""),
        ({"min_cosine": 0.97, "min_mean_cosine": 0.99, "max_size": 40, "min_speedup": 1.5}, ""),
        ({"min_cosine": 0.99}, "lowest cosine"),
        ({"min_mean_cosine": 0.999}, "mean cosine"),
        ({"max_size": 39}, "size"),
        ({"min_speedup": 2.5, "max_size": 1}, "size, speed"),
    ],
)
def test_what_is_missed_is_named(bounds: dict[str, Any], missed: str) -> None:
    """A candidate at lowest 0.98, mean 0.99, 40 bytes and twice the speed, against bounds."""
    assert Bounds(**bounds).missed(found(0.98, 0.99), 40, 2.0) == missed


def test_bounds_that_cannot_be_are_named_together() -> None:
    """All mistakes come in one error."""
    with pytest.raises(UsageError) as caught:
        Bounds(min_cosine=2, min_mean_cosine=-3, max_size=0, min_speedup=-1)
    for word in ("min_cosine=2", "min_mean_cosine=-3", "max_size=0", "min_speedup=-1"):
        assert word in str(caught.value)


def test_bounds_in_words() -> None:
    """Bounds read as what was asked."""
    words = str(Bounds(min_cosine=0.98, max_size=40_000_000))
    assert words == "lowest cosine ≥ 0.98, size ≤ 40 MB"
    assert str(Bounds()) == "no bounds"


@pytest.mark.parametrize("texts", [None, GIVEN])
def test_parts_share_no_text(texts: list[str] | None) -> None:
    """What is calibrated on, chosen by and checked on are three sets without a common text."""
    parts = divide(texts, seed=1)
    sets = [set(part) for part in (parts.calibration, parts.search, parts.held_out)]
    assert not sets[0] & sets[1]
    assert not sets[0] & sets[2]
    assert not sets[1] & sets[2]
    assert min(map(len, sets)) >= 16


def test_the_seed_decides() -> None:
    """The same seed gives the same parts, in whatever order texts come; another one others."""
    again = divide([*reversed(GIVEN), "", GIVEN[0]], seed=3)
    assert divide(GIVEN, seed=3) == again
    assert divide(GIVEN, seed=4) != again


@pytest.mark.parametrize(
    ("texts", "words"),
    [
        ([], f"0 texts were given, 0 of them different .* needs {LEAST} at least"),
        (["one", "one", " ", "two"], "4 texts were given, 2 of them different and not empty"),
        ([*GIVEN, 7], "texts are strings, and one is a int: 7"),
        ("one string", "texts are several strings, and one string was given"),
    ],
)
def test_texts_that_will_not_do(texts: Any, words: str) -> None:
    """Too few texts, and what is no text, are refused before any work."""
    with pytest.raises(UsageError, match=words):
        divide(texts)


def test_a_mix_is_named_by_what_is_in_it() -> None:
    """A mix counts its recipes; one recipe alone is its name; the option holds what differs."""
    plan = {"a": "static_int8", "b": "static_int8", "c": "float32"}
    mix = Mix.of("onnx_cpu", "static_int8", plan)
    assert str(mix) == "2 static_int8 + 1 float32"
    assert mix.as_recipe().options == {"layers": {"c": "float32"}}
    whole = Mix.of("onnx_cpu", "static_int8", {"a": "static_int8"})
    assert str(whole) == "static_int8"
    assert whole.same_as(Mix(backend="onnx_cpu", recipe="static_int8"))
    assert not whole.as_recipe().options


def trial(name: str, speed: float, nbytes: int, mean: float) -> Trial:
    """A trial with these merits."""
    return Trial(
        mix=Mix(backend="b", recipe=name),
        nbytes=nbytes,
        fidelity=found(mean - 0.01, mean),
        speedup=Spread(median=speed, least=speed, most=speed),
    )


def test_the_frontier_is_what_nothing_beats() -> None:
    """Marked is whatever no other trial reaches in speed, size and fidelity together."""
    trials = [
        trial("fast", 3.0, 20, 0.95),
        trial("faithful", 1.0, 90, 1.0),
        trial("beaten", 2.5, 25, 0.94),
        trial("twin", 3.0, 20, 0.95),
        Trial(mix=Mix(backend="b", recipe="failed"), missed="it broke"),
    ]
    marked = {one.mix.recipe for one in frontier(trials) if one.leads}
    assert marked == {"fast", "faithful", "twin"}


def test_deep_models_are_measured_in_groups() -> None:
    """However deep the model, units are few, each of neighbours of one shape."""
    layers = [
        Layer(name=f"{depth}.{part}", inputs=8, outputs=8 * size)
        for depth in range(60)
        for size, part in enumerate(("a", "b", "c", "d"), 1)
    ]
    units = units_of(layers)
    assert len(units) <= 28  # 26, and the rest of each shape
    assert [layer for layer in layers if layer.name == "59.d"] == [units[-1][-1]]
    assert sorted(layer.name for unit in units for layer in unit) == sorted(
        layer.name for layer in layers
    )
    for unit in units:
        assert len({(layer.inputs, layer.outputs) for layer in unit}) == 1
    assert all(len(unit) == 1 for unit in units_of(layers[:26]))


def test_texts_are_kept_as_they_are() -> None:
    """Ranges and promises are of the texts given: none is changed on the way."""
    odd = [f"  {number} – ünïcode\t" for number in range(60)]
    parts = divide(odd)
    assert {*parts.calibration, *parts.search, *parts.held_out} == set(odd)


def test_identical_vectors_lose_nothing() -> None:
    """A candidate that gives the float32 vectors keeps the strictest bounds."""
    vectors = np.random.default_rng(0).normal(size=(5, 4)).astype(np.float32)
    fidelity = compare_vectors(vectors, vectors)
    assert not Bounds(min_cosine=0.999999, min_mean_cosine=0.999999).missed(fidelity, 1, 1.0)
