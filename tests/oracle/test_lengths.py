"""How many tokens of a text are read: every rung of the precedence, and the setter."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from hotbed import Embedder, HotbedWarning
from hotbed.errors import HotbedError
from hotbed.testing import build_tiny
from tests.oracle.pair import CUT, Pair, edit

Load = Callable[..., Pair]
Change = Callable[[Path], None]
LONG = "the small cat sleeps under the large tree . " * 6


def own(**settings: Any) -> Change:
    """Replace the settings of the Transformer module."""

    def change(folder: Path) -> None:
        path = folder / "sentence_bert_config.json"
        path.write_text(json.dumps(settings), encoding="utf-8")

    return change


def tokenizer(**changes: Any) -> Change:
    """Change the tokenizer's configuration, and leave the Transformer module without a limit."""

    def change(folder: Path) -> None:
        own()(folder)
        edit(folder / "tokenizer_config.json", **changes)

    return change


def legacy(folder: Path) -> None:
    """Keep the Transformer module's settings under an old file name."""
    own(max_seq_length=9)(folder)
    (folder / "sentence_bert_config.json").rename(folder / "sentence_roberta_config.json")


def without(*names: str) -> Change:
    """Remove files."""

    def change(folder: Path) -> None:
        for name in names:
            (folder / name).unlink()

    return change


RUNGS = [
    pytest.param(own(max_seq_length=10, processor_kwargs={"model_max_length": 8}), 8, id="kwargs"),
    pytest.param(
        own(max_seq_length=10, tokenizer_args={"model_max_length": 8}), 8, id="old kwargs"
    ),
    pytest.param(own(max_seq_length=10), 10, id="max_seq_length"),
    pytest.param(legacy, 9, id="max_seq_length in a legacy file"),
    pytest.param(own(max_seq_length=None), 32, id="max_seq_length null"),
    pytest.param(own(), 32, id="model_max_length"),
    pytest.param(tokenizer(model_max_length=None, max_len=9), 9, id="max_len"),
    pytest.param(tokenizer(model_max_length=1000), 40, id="positions"),
    pytest.param(tokenizer(model_max_length=int(1e30)), 40, id="positions, no limit told"),
    pytest.param(tokenizer(model_max_length=None), 40, id="positions, limit absent"),
    pytest.param(without("sentence_bert_config.json"), 32, id="no settings"),
    pytest.param(without("modules.json"), 32, id="no modules.json"),
    pytest.param(
        without("sentence_bert_config.json", "modules.json", "tokenizer_config.json"),
        40,
        id="nothing",
    ),
]


@pytest.mark.filterwarnings(CUT)
@pytest.mark.parametrize(("change", "limit"), RUNGS)
def test_precedence(tmp_path: Path, pair: Load, change: Change, limit: int) -> None:
    """Each rung gives the limit that sentence-transformers gives, and texts are cut there."""
    folder = build_tiny(tmp_path / "tiny")
    change(folder)
    models = pair(folder)
    assert models.hotbed.max_seq_length == models.st.max_seq_length == limit
    models.agree(["bread", LONG, ""])
    assert models.hotbed.last_truncated == 1
    assert len(models.hotbed.encode(LONG, output_value="token_embeddings")) == limit


@pytest.mark.filterwarnings(CUT)
@pytest.mark.parametrize("limit", [2, 3, 12, 40])
def test_setter(tmp_path: Path, pair: Load, limit: int) -> None:
    """Setting max_seq_length on the model moves the cut as in sentence-transformers."""
    models = pair(build_tiny(tmp_path / "tiny"))
    models.st.max_seq_length = models.hotbed.max_seq_length = limit
    models.agree(["bread", LONG, ""])


@pytest.mark.filterwarnings(CUT)
@pytest.mark.parametrize("limit", [5, 16, 17])
def test_around_the_limit(tmp_path: Path, pair: Load, limit: int) -> None:
    """Texts one token shorter than the limit, just as long, and longer agree with the oracle."""
    models = pair(build_tiny(tmp_path / "tiny", max_seq_length=limit))
    texts = [" ".join(["water"] * words) for words in range(limit + 3)]
    models.agree(texts)
    assert models.hotbed.last_truncated == sum(len(t.split()) + 2 > limit for t in texts)


@pytest.mark.filterwarnings(CUT)
@pytest.mark.parametrize("kwargs", [False, True], ids=["tokenizer_config", "processor_kwargs"])
def test_cutting_the_left(tmp_path: Path, pair: Load, kwargs: bool) -> None:
    """A tokenizer that truncates on the left keeps a text's end, as in sentence-transformers."""
    folder = build_tiny(tmp_path / "tiny")
    if kwargs:
        own(max_seq_length=6, processor_kwargs={"truncation_side": "left"})(folder)
    else:
        own(max_seq_length=6)(folder)
        edit(folder / "tokenizer_config.json", truncation_side="left")
    models = pair(folder)
    models.agree(["bread water stone water red fish", LONG])
    same = [models.hotbed.encode(f"{start} a dog eats bread") for start in ("sun", "moon")]
    np.testing.assert_array_equal(*same)


def test_cut_texts_are_told_of(both: Load) -> None:
    """hotbed warns once that texts were cut and counts them; sentence-transformers is silent."""
    models = both()
    models.st.encode(LONG)
    with pytest.warns(HotbedWarning, match="1 of the texts are longer than 16"):
        models.hotbed.encode(LONG)
    models.hotbed.encode([LONG, LONG])
    assert models.hotbed.last_truncated == 2


@pytest.mark.filterwarnings(CUT)
def test_more_tokens_than_positions(tmp_path: Path, pair: Load) -> None:
    """A folder's limit above the model's positions fails there at long texts; here it is lowered.

    Vectors are those of sentence-transformers with the limit that the positions allow.
    """
    models = pair(build_tiny(tmp_path / "tiny", max_seq_length=200))
    assert (models.hotbed.max_seq_length, models.st.max_seq_length) == (40, 200)
    models.agree(["bread", ""])
    with pytest.raises((RuntimeError, IndexError)):
        models.st.encode(LONG)
    models.st.max_seq_length = 40
    models.agree(["bread", LONG, ""])
    with pytest.raises(HotbedError, match="positions for 40 tokens"):
        models.hotbed.max_seq_length = 41


@pytest.mark.parametrize(
    "settings",
    [
        {"processing_kwargs": {"text": {"max_length": 5}}},
        {"config_kwargs": {"num_hidden_layers": 1}},
        {"config_args": {"num_hidden_layers": 1}},
    ],
    ids=str,
)
def test_settings_that_hotbed_does_not_follow(
    tmp_path: Path, st: Callable[..., Any], hb: Callable[..., Embedder], settings: dict[str, Any]
) -> None:
    """hotbed refuses settings that change the vectors; sentence-transformers follows them."""
    folder = build_tiny(tmp_path / "tiny")
    before = st(folder).encode(LONG)
    own(max_seq_length=16, **settings)(folder)
    assert np.abs(st(folder).encode(LONG) - before).max() > 1e-3
    with pytest.raises(HotbedError, match="hotbed does not follow that"):
        hb(folder)
