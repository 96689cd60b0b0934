"""How near two ways of computing the same vectors are; numpy, and plain Python, as the oracle."""

from __future__ import annotations

import math
from typing import Any

import attrs
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from hotbed.backends.manifest import DTYPES
from hotbed.errors import UsageError
from hotbed.fidelity import Fidelity, Threshold, compare_vectors, threshold
from hotbed.fidelity.compare import NEIGHBOURS

NUMBERS = st.floats(-8, 8, width=32)


@st.composite
def pairs(draw: st.DrawFn, least: int = 1, most: int = 16) -> tuple[Any, Any]:
    """Two arrays of one shape; the second is often near the first, as in earnest."""
    shape = draw(st.tuples(st.integers(least, most), st.integers(1, 6)))
    first = draw(arrays.arrays(np.float64, shape, elements=NUMBERS))
    second = draw(arrays.arrays(np.float64, shape, elements=NUMBERS))
    share = draw(st.sampled_from([0.0, 0.01, 1.0]))
    return first, first + share * (second - first)


def cosine(a: Any, b: Any) -> float:
    """One row against one row, in plain Python."""
    if not any(a) and not any(b):
        return 1.0  # both say nothing, which agrees
    if not any(a) or not any(b):
        return 0.0
    return math.fsum(x * y for x, y in zip(a, b, strict=True)) / (math.hypot(*a) * math.hypot(*b))


@given(pairs())
def test_the_figures_are_those_of_plain_python(pair: tuple[Any, Any]) -> None:
    """Lowest, mean, 1st percentile and largest difference, row by row and number by number."""
    a, b = pair
    found = compare_vectors(a, b)
    cosines = sorted(cosine(x, y) for x, y in zip(a.tolist(), b.tolist(), strict=True))
    place = 0.01 * (len(cosines) - 1)  # linear between the neighbours, as numpy's default
    below = int(place)
    above = min(below + 1, len(cosines) - 1)
    percentile = cosines[below] + (place - below) * (cosines[above] - cosines[below])
    assert found.texts == len(a)
    assert found.lowest == pytest.approx(cosines[0], abs=1e-9)
    assert found.mean == pytest.approx(math.fsum(cosines) / len(cosines), abs=1e-9)
    assert found.percentile == pytest.approx(percentile, abs=1e-9)
    assert found.max_abs == max(
        abs(x - y) for row, other in zip(a, b, strict=True) for x, y in zip(row, other, strict=True)
    )


@given(pairs(least=3))
def test_neighbours_are_those_of_a_sorted_list(pair: tuple[Any, Any]) -> None:
    """Each text's nearest others, sorted in plain Python from numpy's scores, the first on a tie.

    Rounding may part what is equal, so only pairs whose scores are apart are judged.
    """
    a, b = pair
    count = min(NEIGHBOURS, len(a) - 2)
    shared = 0
    for one in range(len(a)):
        lists = []
        for rows in (a, b):
            lengths = np.linalg.norm(rows, axis=1, keepdims=True)
            unit = rows / np.where(lengths == 0, 1, lengths)
            scores = {other: float(unit[one] @ unit[other]) for other in range(len(a))}
            del scores[one]
            ordered = sorted(scores, key=lambda other: (-scores[other], other))
            values = [scores[other] for other in ordered]
            if count < len(values) and values[count - 1] - values[count] < 1e-9:
                return
            lists.append(set(ordered[:count]))
        shared += len(lists[0] & lists[1])
    expected = shared / (count * len(a))
    assert compare_vectors(a, b).neighbours == pytest.approx(expected, abs=1e-12)


@given(pairs())
def test_the_order_of_the_two_does_not_matter(pair: tuple[Any, Any]) -> None:
    """Whichever is taken for right, the figures are the same."""
    assert compare_vectors(*pair) == compare_vectors(*reversed(pair))


@given(pairs())
def test_a_thing_agrees_with_itself(pair: tuple[Any, Any]) -> None:
    """The same vectors: cosines of 1, no difference, the same neighbours."""
    found = compare_vectors(pair[0], pair[0].copy())
    assert found.lowest == pytest.approx(1.0, abs=1e-12)
    assert (found.max_abs, found.neighbours) == (0.0, 1.0 if len(pair[0]) > 2 else None)


@given(pairs(), st.floats(0.001, 1000))
def test_lengths_do_not_matter_to_cosines(pair: tuple[Any, Any], factor: float) -> None:
    """A model that gives longer vectors in the same directions is as near."""
    a, b = pair
    plain, scaled = compare_vectors(a, b), compare_vectors(a, factor * b)
    for name in ("lowest", "percentile", "mean"):
        assert getattr(scaled, name) == pytest.approx(getattr(plain, name), abs=1e-9)


@given(pairs(least=3))
def test_figures_stay_in_their_bounds(pair: tuple[Any, Any]) -> None:
    """−1 ≤ lowest ≤ percentile and mean ≤ 1, and a share is a share."""
    found = compare_vectors(*pair)
    edge = 1e-12
    assert -1 - edge <= found.lowest <= found.percentile + edge
    assert found.lowest - edge <= found.mean <= 1 + edge
    assert found.neighbours is not None
    assert 0 <= found.neighbours <= 1


def test_a_small_case_by_hand() -> None:
    """One row turned by a right angle, one kept: cosines 0 and 1."""
    found = compare_vectors(np.array([[1, 0], [0, 2]]), np.array([[0, 3], [0, 1]]))
    assert found.margin == pytest.approx(0.98)  # 1.96 · √½ / √2
    assert attrs.evolve(found, margin=0.0) == Fidelity(
        texts=2, lowest=0.0, percentile=0.01, mean=0.5, max_abs=3.0, neighbours=None
    )


def test_opposite_vectors_have_a_cosine_of_minus_one() -> None:
    """The sign counts: an embedding and its negative are as far as can be."""
    row = np.array([[3.0, 4.0]])
    assert compare_vectors(row, -row).lowest == -1.0


@pytest.mark.parametrize(
    ("first", "second", "expected"), [([0, 0], [0, 0], 1.0), ([0, 0], [1, 0], 0.0)]
)
def test_vectors_of_nothing(first: list[int], second: list[int], expected: float) -> None:
    """Two zero vectors agree; a zero vector agrees with nothing else."""
    rows = np.array([first, [1, 1]]), np.array([second, [1, 1]])
    assert compare_vectors(*rows).lowest == pytest.approx(expected, abs=1e-12)


def test_neighbours_by_hand() -> None:
    """Four texts on a circle, two neighbours each; turning one of them changes half of its own.

    At 0°, 10°, 20° and 180°, against 0°, 10°, 190° and 180°: the neighbours of the four are
    {10, 20} / {10, 190}, {0, 20} / {0, 190}, {0, 10} / {180, 0 or 10}, {20, 10} / {190, 10}.
    """

    def circle(*degrees: float) -> Any:
        angles = np.radians(degrees)
        return np.stack([np.cos(angles), np.sin(angles)], axis=1)

    before, after = circle(0, 10, 20, 180), circle(0, 11, 190, 180)
    found = compare_vectors(before, after)
    # After: text 0 is nearest to 1 (11°), then 2 (170°); text 1 to 0, then 3 (169°);
    # text 2 to 3 (10°), then 0 (170°); text 3 to 2 (10°), then 1 (169°).
    shared = [{1, 2} & {1, 2}, {0, 2} & {0, 3}, {1, 0} & {3, 0}, {2, 1} & {2, 1}]
    assert found.neighbours == sum(map(len, shared)) / 8 == 0.75


def test_at_most_ten_neighbours_are_compared() -> None:
    """What is farther away than the ten nearest may change as it likes."""
    degrees = np.array([*range(11), 90, 120, 150])
    swapped = degrees.copy()
    swapped[11:] = [120, 150, 90]

    def circle(angles: Any) -> Any:
        angles = np.radians(angles)
        return np.stack([np.cos(angles), np.sin(angles)], axis=1)

    found = compare_vectors(circle(degrees), circle(swapped))
    assert NEIGHBOURS == 10
    assert found.lowest < 0.9
    # The eleven near ones keep one another; each of the three others has the other two, and the
    # eight nearest of the eleven, which stay the same from 120° and 150° and 90°.
    assert found.neighbours == 1.0


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.int8])
def test_any_kind_of_number_is_taken_and_left_as_it_is(dtype: Any) -> None:
    """Sums are made in float64, so that half precision is not judged in half precision."""
    rng = np.random.default_rng(3)
    rows = (rng.standard_normal((5, 384)) * 20).astype(dtype)
    other = rows.copy()
    other[0, 0] += 1
    kept = rows.copy(), other.copy()
    found = compare_vectors(rows, other)
    exact = rows.astype(np.float64), other.astype(np.float64)
    expected = exact[0][0] @ exact[1][0] / np.prod([np.linalg.norm(x[0]) for x in exact])
    assert found.lowest == pytest.approx(expected, abs=1e-12)
    assert found.max_abs == abs(exact[0][0, 0] - exact[1][0, 0])
    np.testing.assert_array_equal(rows, kept[0])
    np.testing.assert_array_equal(other, kept[1])


@pytest.mark.parametrize(
    ("first", "second", "said"),
    [
        (np.ones((2, 3)), np.ones((2, 4)), r"\(2, 3\) with \(2, 4\)"),
        (np.ones((2, 3)), np.ones((3, 3)), r"\(2, 3\) with \(3, 3\)"),
        (np.ones(3), np.ones(3), r"give two \(texts, dimension\)"),
        (np.ones((0, 3)), np.ones((0, 3)), r"\(0, 3\)"),
        (np.array([[1.0, np.nan]]), np.ones((1, 2)), "not finite"),
        (np.ones((1, 2)), np.array([[np.inf, 1.0]]), "not finite"),
    ],
)
def test_what_cannot_be_compared_is_an_error(first: Any, second: Any, said: str) -> None:
    """The message names both shapes, or that numbers are not finite: NaN never passes for near."""
    with pytest.raises(UsageError, match=said):
        compare_vectors(first, second)


@pytest.mark.parametrize(
    ("dtype", "lowest", "mean"),
    [
        ("float32", 0.99999, -1),
        ("float16", 0.9999, -1),
        ("bfloat16", 0.999, -1),
        ("int8", -1, 0.99),
        ("uint8", -1, 0.99),
        ("q8", -1, 0.99),
        ("w8", -1, 0.99),
        ("q4", -1, -1),
        ("q4f16", -1, -1),
        ("bnb4", -1, -1),
    ],
)
def test_the_thresholds(dtype: str, lowest: float, mean: float) -> None:
    """What the documentation promises for each arithmetic, in all of its spellings."""
    edges = 0.9 if mean > -1 else lowest
    for spelling in [name for name, meant in DTYPES.items() if meant == dtype]:
        asked = threshold(spelling)
        assert asked == Threshold(lowest=lowest, mean=mean, edges=edges, repetition=lowest)


def test_every_arithmetic_has_its_line_above() -> None:
    """A dtype that is added has to be given a threshold, or a place among those without."""
    assert set(DTYPES.values()) == {
        *("float32", "float16", "bfloat16", "int8", "uint8", "q8", "w8", "q4", "q4f16", "bnb4")
    }


def fidelity(lowest: float, mean: float) -> Fidelity:
    """A comparison with these two."""
    return Fidelity(
        texts=9, lowest=lowest, percentile=lowest, mean=mean, max_abs=0.0, neighbours=1.0
    )


def test_what_falls_short_is_told_with_both_figures() -> None:
    """Each cosine that is too low is named, with what it is and what is asked for."""
    asked = Threshold(lowest=0.999, mean=0.9999)
    assert asked.shortfall(fidelity(0.999, 0.9999)) == ""
    assert asked.shortfall(fidelity(0.99, 0.99991)) == (
        "lowest cosine 0.990000, and at least 0.999 is asked for"
    )
    assert asked.shortfall(fidelity(0.99, 0.5)) == (
        "lowest cosine 0.990000, and at least 0.999 is asked for; "
        "mean cosine 0.500000, and at least 0.9999 is asked for"
    )


@given(st.floats(-1, 1), st.floats(-1, 1), st.floats(-1, 1), st.floats(-1, 1))
def test_nothing_falls_short_exactly_where_all_is_reached(
    lowest: float, mean: float, asked_lowest: float, asked_mean: float
) -> None:
    """A figure that is reached to the last digit is reached."""
    short = Threshold(lowest=asked_lowest, mean=asked_mean).shortfall(fidelity(lowest, mean))
    assert (short == "") == (lowest >= asked_lowest and mean >= asked_mean)


def test_where_nothing_is_asked_nothing_falls_short() -> None:
    """A 4-bit form may be as far off as it is; the figure is stated elsewhere."""
    assert threshold("q4").shortfall(fidelity(-1.0, -1.0)) == ""
