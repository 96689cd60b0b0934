"""ModernBERT, Nomic and GTE against transformers' own models, and their hub spellings.

The hub's own code for Nomic and GTE cannot be run here. Its spelling of the tensors is
transformers' conversion table read backwards, and what only that code does is written down from it
where it is tested.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from hotbed.testing.tiny_families import TINY, build_family
from tests.oracle.family import Subject, save
from tests.oracle.pair import CUT, Pair

pytestmark = pytest.mark.filterwarnings(CUT)

LONGEST = 36
NATIVE = {"hidden_size": 32}  # Nomic with transformers' keys

CASES: list[tuple[str, dict[str, Any]]] = [
    ("modernbert", {}),
    ("modernbert", {"local_attention": 2, "num_hidden_layers": 5, "num_attention_heads": 2}),
    ("modernbert", {"local_attention": 200}),
    ("modernbert", {"norm_bias": True, "attention_bias": True, "mlp_bias": True}),
    ("modernbert", {"global_attn_every_n_layers": 2, "hidden_activation": "silu"}),
    ("modernbert", {"layer_types": ["sliding_attention", "full_attention"] * 2}),
    ("modernbert", {"rope_scaling": {"rope_type": "linear", "factor": 2.0}}),
    ("modernbert", {"global_rope_theta": 500.0, "local_rope_theta": 70.0}),
    ("nomic_bert", NATIVE),
    ("nomic_bert", {**NATIVE, "num_attention_heads": 2, "hidden_act": "gelu"}),
    ("nomic_bert", {**NATIVE, "head_dim": 12, "type_vocab_size": 1}),
    ("nomic_bert", {**NATIVE, "rope_parameters": {"rope_type": "linear", "factor": 3.0}}),
    ("gte", {}),
    ("gte", {"num_attention_heads": 2, "hidden_act": "relu", "type_vocab_size": 0}),
    ("gte", {"rope_parameters": None}),
    ("gte", {"rope_parameters": {"rope_type": "linear", "factor": 2.0, "rope_theta": 50.0}}),
]


@pytest.mark.parametrize("seed", [1, 2])
@pytest.mark.parametrize(("family", "config"), CASES, ids=str)
def test_a_random_model(
    tmp_path: Path,
    torch: Any,
    st: Callable[..., Any],
    family: str,
    config: dict[str, Any],
    seed: int,
) -> None:
    """On every kind of batch, both profiles and the numpy reference give transformers' vectors."""
    folder = save(torch, tmp_path / "m", family, config, seed=seed)
    Subject.open(folder, torch, st, LONGEST).check(seed=seed)


@pytest.mark.parametrize(("family", "config"), CASES, ids=str)
def test_a_configuration_of_transformers_4(
    tmp_path: Path, torch: Any, st: Callable[..., Any], family: str, config: dict[str, Any]
) -> None:
    """A folder with the keys of older versions gives what transformers makes of it today."""
    Subject.open(build_family(tmp_path / "m", family, config=config), torch, st, LONGEST).check()


@pytest.mark.parametrize("family", ["modernbert", "gte"])
def test_texts(tmp_path: Path, pair: Callable[..., Pair], family: str) -> None:
    """Texts, tokenised and batched by each side, give sentence-transformers' vectors."""
    pair(build_family(tmp_path / "m", family)).agree()


@pytest.mark.parametrize("original", [True, False], ids=["hub", "native"])
@pytest.mark.parametrize(("family", "config"), [("nomic_bert", NATIVE), ("gte", {})])
def test_both_spellings_that_transformers_writes(
    tmp_path: Path,
    torch: Any,
    st: Callable[..., Any],
    family: str,
    config: dict[str, Any],
    original: bool,
) -> None:
    """transformers saves a model under the hub's names or its own; both are read."""
    folder = save(torch, tmp_path / "m", family, config, save_original_format=original)
    Subject.open(folder, torch, st, LONGEST).check()


@pytest.mark.parametrize("dialect", TINY["nomic_bert"].dialects)
@pytest.mark.parametrize(
    ("hub", "native"),
    [
        ({}, {}),
        ({"n_head": 2, "activation_function": "geglu"}, {"hidden_act": "gelu"}),
        ({"n_head": 8, "activation_function": "glu"}, {"hidden_act": "sigmoid"}),
        ({"rotary_emb_base": 77}, {"rope_theta": 77.0}),
    ],
    ids=str,
)
def test_nomic_as_the_hub_configures_it(
    tmp_path: Path,
    torch: Any,
    st: Callable[..., Any],
    hub: dict[str, Any],
    native: dict[str, Any],
    dialect: str,
) -> None:
    """The hub's keys mean what transformers' mean; both spellings of the tensors are read."""
    hub = {"pad_vocab_size_multiple": 1, "n_inner": 256, **hub}
    native = {"num_attention_heads": hub.get("n_head", 4), **NATIVE, **native}
    if "rope_theta" in native:
        native["rope_parameters"] = {"rope_type": "default", "rope_theta": native["rope_theta"]}
    ours = build_family(tmp_path / "hub", "nomic_bert", config=hub, dialect=dialect, seed=4)
    theirs = build_family(tmp_path / "native", "nomic_bert", config=native, seed=4)
    Subject.of(st(theirs), ours, torch, LONGEST).check()


def test_nomic_beyond_the_tokens_it_was_trained_on(
    tmp_path: Path, torch: Any, st: Callable[..., Any]
) -> None:
    """``rotary_scaling_factor`` is transformers' dynamic scaling.

    Texts fill their batches, because transformers stretches by the length of the batch and hotbed
    by the text's own; and grow, because transformers keeps the widest stretch so far.
    """
    hub = {
        "rotary_scaling_factor": 2,
        "max_trained_positions": 10,
        "n_inner": 256,
        "pad_vocab_size_multiple": 1,
    }
    scaling = {"rope_type": "dynamic", "factor": 2.0, "rope_theta": 1000.0}
    native = {**NATIVE, "max_position_embeddings": 10, "rope_parameters": scaling}
    ours = build_family(tmp_path / "hub", "nomic_bert", config=hub, seed=4)
    theirs = build_family(tmp_path / "native", "nomic_bert", config=native, seed=4)
    model = st(theirs)
    for longest in (8, 11, 25, 36):
        Subject.of(model, ours, torch, longest).check(["longest"])


@pytest.mark.parametrize("mixed", [None, 0.625])
@pytest.mark.parametrize("dialect", TINY["new"].dialects)
def test_gte_as_the_hub_configures_it(
    tmp_path: Path, torch: Any, st: Callable[..., Any], dialect: str, mixed: float | None
) -> None:
    """The hub's spellings, and its NTK scaling, which transformers' class has no word for.

    The frequencies are those of ``NTKScalingRotaryEmbedding`` in ``modeling.py`` of
    Alibaba-NLP/new-impl, after https://kexue.fm/archives/9706.
    """
    scaling = {"type": "ntk", "factor": 8.0, "mixed_b": mixed}
    ours = build_family(
        tmp_path / "hub", "new", config={"rope_scaling": scaling}, dialect=dialect, seed=4
    )
    model = st(build_family(tmp_path / "native", "gte", seed=4))
    size, base, factor = 8, 20000.0, 8.0
    base = base * factor if mixed is None else base
    turns = 1.0 / (base ** (torch.arange(0, size, 2).float() / size))
    if mixed is None:
        turns = turns / factor ** (2 / size)
    else:
        slope = torch.tensor(factor).log() / (size / 2) ** mixed
        turns = turns / (slope * torch.arange(1, size // 2 + 1).float() ** mixed).exp()
    model[0].auto_model.rotary_emb.inv_freq = turns
    Subject.of(model, ours, torch, LONGEST).check()


def test_gte_under_transformers_own_name_with_the_hubs_tensors(
    tmp_path: Path, torch: Any, st: Callable[..., Any]
) -> None:
    """arctic-embed-m-v2.0: ``gte`` as model_type, the hub's keys and the hub's spelling."""
    config = {"rope_parameters": None, "rope_theta": 160000, "rope_scaling": None}
    ours = build_family(tmp_path / "hub", "gte", config=config, dialect="hub", seed=4)
    theirs = build_family(tmp_path / "native", "gte", config={"rope_parameters": None}, seed=4)
    Subject.of(st(theirs), ours, torch, LONGEST).check()
