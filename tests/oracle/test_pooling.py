"""Pooling modes, both forms of their configuration, and padding on either side."""

from __future__ import annotations

from collections.abc import Callable
from itertools import permutations
from typing import Any

import pytest

from hotbed.backends.values import POOLING_MODES
from hotbed.testing.tiny import TEXTS
from tests.oracle.pair import CUT, Pair

pytestmark = pytest.mark.filterwarnings(CUT)

Both = Callable[..., Pair]
SIDES = ("right", "left")
OLD = {
    "cls": "pooling_mode_cls_token",
    "max": "pooling_mode_max_tokens",
    "mean": "pooling_mode_mean_tokens",
    "mean_sqrt_len_tokens": "pooling_mode_mean_sqrt_len_tokens",
    "weightedmean": "pooling_mode_weightedmean_tokens",
    "lasttoken": "pooling_mode_lasttoken",
}


def booleans(*modes: str) -> dict[str, bool]:
    """The old form of the configuration: one boolean a mode."""
    return {key: mode in modes for mode, key in OLD.items()}


@pytest.mark.parametrize("side", SIDES)
@pytest.mark.parametrize("mode", POOLING_MODES)
def test_a_mode(both: Both, mode: str, side: str) -> None:
    """Each mode alone gives sentence-transformers' vectors, wherever the padding is."""
    both(pooling={"pooling_mode": mode}, heads=(), padding_side=side).agree()


@pytest.mark.parametrize("mode", POOLING_MODES)
def test_an_old_boolean(both: Both, mode: str) -> None:
    """Each mode written as an old boolean gives sentence-transformers' vectors."""
    both(pooling=booleans(mode), heads=()).agree()


@pytest.mark.parametrize("modes", list(permutations(("mean", "cls", "max"))), ids=",".join)
def test_a_list_keeps_its_order(both: Both, modes: tuple[str, ...]) -> None:
    """Modes in a list are joined in the list's order, as in sentence-transformers."""
    pair = both(pooling={"pooling_mode": list(modes)}, heads=())
    pair.agree()
    assert pair.hotbed.get_embedding_dimension() == pair.st.get_embedding_dimension() == 96


def test_all_modes_in_a_list(both: Both) -> None:
    """All six modes joined, last first, give sentence-transformers' vectors."""
    both(pooling={"pooling_mode": list(reversed(POOLING_MODES))}, heads=()).agree()


def test_old_booleans_have_a_fixed_order(both: Both) -> None:
    """Old booleans are joined in sentence-transformers' order, whatever the file's."""
    both(pooling=dict(reversed(booleans(*OLD).items())), heads=()).agree()


@pytest.mark.parametrize(
    "pooling",
    [
        pytest.param(booleans(), id="no boolean true"),
        pytest.param({"pooling_mode_cls_token": True}, id="mean not mentioned"),
        pytest.param({**booleans("cls"), "pooling_mode": "max"}, id="both forms"),
        pytest.param({"pooling_mode": ["lasttoken"]}, id="a list of one"),
        pytest.param({}, id="nothing"),
    ],
)
def test_corners_of_the_configuration(both: Both, pooling: dict[str, Any]) -> None:
    """Odd pooling configurations mean what they mean to sentence-transformers."""
    both(pooling=pooling, heads=()).agree()


@pytest.mark.parametrize("side", SIDES)
def test_one_text_alone(both: Both, side: str) -> None:
    """Every text alone, without padding, gives sentence-transformers' vector."""
    pair = both(pooling={"pooling_mode": list(POOLING_MODES)}, heads=(), padding_side=side)
    for text in TEXTS:
        pair.agree(text)
    pair.agree(batch_size=1)


def test_left_padding_moves_positions(both: Both) -> None:
    """Absolute positions count left padding, so a vector depends on its batch in both."""
    pair = both(padding_side="left")
    short, long = "bread", "the small cat sleeps under the large tree"
    for model in (pair.st, pair.hotbed):
        alone, beside = model.encode(short), model.encode([short, long])[0]
        assert abs(alone - beside).max() > 1e-3
    pair.agree([short, long])
