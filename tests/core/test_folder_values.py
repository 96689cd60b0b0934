"""Values in the JSON files of a model folder: what is wrong is said at reading, all of it at once.

Each row of the tables is a fault that a stranger's file can have.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hotbed.errors import CorruptFileError, HotbedError, UnsupportedModelError
from hotbed.models import read_folder
from hotbed.testing import build_tiny
from hotbed.testing.tiny_families import TINY, build_family

CONFIG, POOLING, DENSE = "config.json", "1_Pooling/config.json", "2_Dense/config.json"
OWN, SAVED = "sentence_bert_config.json", "config_sentence_transformers.json"
TOKENIZER, NORM = "tokenizer_config.json", "3_LayerNorm/config.json"

NUMBERS: tuple[Any, ...] = ("x", True, [], {}, -1e308, 1e308, 10**4000, -5, 0.5)
FLAGS: tuple[Any, ...] = ("yes", 0, 1, [], {})
TEXTS: tuple[Any, ...] = (5, True, [], {}, "\ud800")

TABLE: list[tuple[str, str, tuple[Any, ...]]] = [
    (CONFIG, "pad_token_id", (*NUMBERS, 2**32)),
    (CONFIG, "max_position_embeddings", (*NUMBERS, 0, None)),
    (CONFIG, "hidden_size", (*NUMBERS, 0, None)),
    (CONFIG, "num_hidden_layers", (*NUMBERS, None)),
    (CONFIG, "vocab_size", (*NUMBERS, 0, None)),
    (CONFIG, "type_vocab_size", (*NUMBERS, None)),
    (CONFIG, "layer_norm_eps", ("x", True, None, [], {}, -1e-9, 1.5, 10**4000)),
    (CONFIG, "hidden_act", (*TEXTS, None)),
    (CONFIG, "is_decoder", FLAGS),
    (CONFIG, "model_type", (5, True, ["bert"], {"a": 1}, "\udfff")),
    (CONFIG, "architectures", ("BertModel", 5, [5], [None], {})),
    (OWN, "max_seq_length", (*NUMBERS, 0, 16.5)),
    (OWN, "do_lower_case", FLAGS),
    (OWN, "processor_kwargs", (5, "x", [])),
    (OWN, "processor_kwargs", tuple({"model_max_length": value} for value in NUMBERS)),
    (OWN, "processor_kwargs", ({"truncation_side": "up"}, {"truncation_side": 5})),
    (TOKENIZER, "model_max_length", ("x", True, [], {}, -1, 0, 1e308)),
    (TOKENIZER, "truncation_side", ("up", "Left", 5, True, [], {})),
    (TOKENIZER, "padding_side", ("up", "", 5, True, [], {})),
    (TOKENIZER, "do_lower_case", (*FLAGS, None)),
    (TOKENIZER, "strip_accents", FLAGS),
    (TOKENIZER, "tokenize_chinese_chars", (*FLAGS, None)),
    (TOKENIZER, "tokenizer_class", TEXTS),
    (TOKENIZER, "pad_token", (5, True, [], {"content": 5})),
    (SAVED, "prompts", (5, "x", True, ["query"], {"query": 5}, {"query": ["x"]}, {"q": "\ud800"})),
    (SAVED, "default_prompt_name", TEXTS),
    (SAVED, "similarity_fn_name", ("cos", 5, True, [], {})),
    (SAVED, "truncate_dim", (*NUMBERS, 0, "24")),
    (POOLING, "pooling_mode", (5, True, {}, [5], ["mean", None])),
    (POOLING, "pooling_mode_mean_tokens", (*FLAGS, None)),
    (POOLING, "include_prompt", (*FLAGS, None)),
    (POOLING, "word_embedding_dimension", (*NUMBERS, 0)),
    (DENSE, "in_features", (*NUMBERS, 0, None)),
    (DENSE, "out_features", (*NUMBERS, 0, None)),
    (DENSE, "bias", (*FLAGS, None)),
    (DENSE, "activation_function", (*TEXTS, None)),
    (DENSE, "use_residual", (*FLAGS, None)),
    (NORM, "dimension", (*NUMBERS, 0, None)),
]
CASES = [(file, key, value) for file, key, values in TABLE for value in values]

OF_FAMILIES: dict[str, dict[str, tuple[Any, ...]]] = {
    "gemma3_text": {
        "sliding_window": (-1, 0, None, "x", 1.5),
        "sliding_window_pattern": (0, -6, "x"),
        "query_pre_attn_scalar": (0, -1, "x", None),
        "head_dim": (0, -8, "x", 10**9),
        "rope_local_base_freq": (0, -1.0, "x"),
        "use_bidirectional_attention": (1, "yes"),
    },
    "modernbert": {
        "global_attn_every_n_layers": (0, -3, "x", None),
        "local_attention": (0, -1, "x"),
        "norm_bias": ("no", 0),
        "global_rope_theta": (0, -1, "x", None, 1e308),
    },
    "nomic_bert": {"rope_theta": (0, -1, "x", None)},
    "gte": {
        "rope_scaling": (5, [], {"factor": "x"}, {"factor": 0}, {"rope_type": 5}),
        "rope_theta": (0, "x", None),
    },
    "qwen3": {
        "num_key_value_heads": (0, -1, "x"),
        "max_window_layers": (-1, "x"),
        "layer_types": (5, "full_attention", [5]),
        "rms_norm_eps": (None, "x", -1, 2),
        "rope_parameters": ({"full_attention": {"rope_theta": 0}}, {"rope_theta": "x"}),
    },
    "mpnet": {"relative_attention_num_buckets": (0, -1, "x")},
    "distilbert": {"dim": (0, "x", None), "n_layers": (-1, "x"), "activation": (None, 5)},
}
FAMILY_CASES = [
    (family, key, value)
    for family, keys in OF_FAMILIES.items()
    for key, values in keys.items()
    for value in values
]


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model with every kind of module; tests put back what they change."""
    place = tmp_path_factory.mktemp("values") / "tiny"
    return build_tiny(place, heads=("Dense", "LayerNorm", "Normalize"))


def change(path: Path, **values: Any) -> str:
    """Set keys of a JSON file; gives the text that it had."""
    before = path.read_text("utf-8") if path.exists() else "{}"
    path.write_text(json.dumps({**json.loads(before), **values}), "utf-8")
    return before


@pytest.mark.parametrize(("file", "key", "value"), CASES)
def test_a_value_is_named_with_what_is_allowed(
    shared: Path, file: str, key: str, value: Any
) -> None:
    """The error names the file and the key, and says what is allowed."""
    before = change(shared / file, **{key: value})
    try:
        with pytest.raises(CorruptFileError, match=rf"wrong kind[^;]*{file}: {key}") as caught:
            read_folder(shared)
    finally:
        (shared / file).write_text(before, "utf-8")
    assert "is allowed" in str(caught.value)
    assert len(str(caught.value)) < 1000
    assert str(caught.value).replace("\n", "").isprintable()


@pytest.fixture(scope="module")
def families(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """A tiny model of each family."""
    place = tmp_path_factory.mktemp("families")
    return {name: build_family(place / name, name) for name in OF_FAMILIES}


@pytest.mark.parametrize(("family", "key", "value"), FAMILY_CASES)
def test_a_value_of_an_architecture(
    families: dict[str, Path], family: str, key: str, value: Any
) -> None:
    """What shapes a family's graph is checked before anything is built."""
    folder = families[family]
    before = change(folder / CONFIG, **{key: value})
    try:
        with pytest.raises(CorruptFileError, match=rf"config\.json: {key}.* is allowed"):
            read_folder(folder)
    finally:
        (folder / CONFIG).write_text(before, "utf-8")


@pytest.mark.parametrize("family", TINY)
def test_good_values_of_every_family_pass(tmp_path: Path, family: str) -> None:
    """Nothing that the kit's models say is refused."""
    assert read_folder(build_family(tmp_path / "m", family)).family


def test_all_mistakes_come_together(tmp_path: Path) -> None:
    """Mistakes of several files are one error, with a line for each."""
    folder = build_tiny(tmp_path / "tiny", heads=("Dense",))
    change(folder / CONFIG, pad_token_id="x", layer_norm_eps=None)
    change(folder / TOKENIZER, truncation_side="up")
    change(folder / SAVED, truncate_dim=0)
    change(folder / DENSE, out_features="many")
    with pytest.raises(CorruptFileError, match="5 values of the wrong kind") as caught:
        read_folder(folder)
    lines = str(caught.value).splitlines()[1:]
    assert len(lines) == 5
    for name in (CONFIG, TOKENIZER, SAVED, DENSE):
        assert any(line.strip().startswith(f"{name}: ") for line in lines)


JSON_FILES = (CONFIG, "modules.json", POOLING, OWN, TOKENIZER, SAVED, DENSE)

CONTENTS: dict[str, tuple[bytes, str]] = {
    "deep lists": (b"[" * 100_000 + b"]" * 100_000, "nested more than"),
    "deep objects": (b'{"a":' * 50_000 + b"1" + b"}" * 50_000, "nested more than"),
    "deep and open": (b"[" * 100_000, "nested more than"),
    "NaN": (b'{"a": NaN}', "NaN is no number"),
    "infinity": (b'{"a": -Infinity}', "-Infinity is no number"),
    "5,000 digits": (b'{"a": ' + b"9" * 5000 + b"}", "cannot be used"),
    "a key twice": (b'{"a": 1, "a": 2}', "'a' is there twice, with 1 and 2"),
    "a byte order mark": (b"\xef\xbb\xbf{}", "byte order mark"),
    "not UTF-8": ('{"a": "ö"}'.encode("latin-1"), "not UTF-8"),
    "git-lfs": (b"version https://git-lfs.github.com/spec/v1\noid sha256:0\n", "git-lfs pointer"),
    "nothing": (b"", "is empty"),
    "cut off": (b'{"a": ', "cut off"),
}


@pytest.mark.parametrize("name", JSON_FILES)
@pytest.mark.parametrize("kind", CONTENTS)
def test_strange_content_is_named(shared: Path, name: str, kind: str) -> None:
    """Whatever the bytes are, the error is CorruptFileError and names that file."""
    content, message = CONTENTS[kind]
    before = (shared / name).read_bytes()
    (shared / name).write_bytes(content)
    try:
        with pytest.raises(CorruptFileError, match=message) as caught:
            read_folder(shared)
    finally:
        (shared / name).write_bytes(before)
    assert name in str(caught.value)


def _folder(path: Path) -> None:
    path.mkdir()


def _pipe(path: Path) -> None:
    os.mkfifo(path)


def _zeros(path: Path) -> None:
    path.symlink_to("/dev/zero")


def _circle(path: Path) -> None:
    path.symlink_to(path.name)


def _nowhere(path: Path) -> None:
    path.symlink_to("nowhere.json")


def _long_name(path: Path) -> None:
    path.symlink_to("x" * 255 + "/" + "y" * 3000)


def _huge(path: Path) -> None:
    with path.open("wb") as file:
        file.truncate(10**12)  # sparse


@pytest.mark.skipif(os.name == "nt", reason="Windows has no pipes in folders")
@pytest.mark.parametrize("name", JSON_FILES)
@pytest.mark.parametrize("make", [_folder, _pipe, _zeros, _circle, _nowhere, _long_name, _huge])
def test_what_is_no_file_is_named(shared: Path, name: str, make: Callable[[Path], None]) -> None:
    """A folder, a pipe, a device, a link in a circle or to nowhere: neither read nor absent."""
    path = shared / name
    kept = path.rename(path.with_suffix(".kept"))
    try:
        make(path)
        # A link to a device is refused as a link already: it leads out of the folder.
        with pytest.raises((CorruptFileError, UnsupportedModelError), match=name):
            read_folder(shared)
    finally:
        if path.is_dir() and not path.is_symlink():
            path.rmdir()
        else:
            path.unlink(missing_ok=True)
        kept.rename(path)


@pytest.mark.parametrize(
    "entry",
    [
        5,
        {},
        {"type": "sentence_transformers.models.Normalize"},
        {"type": 5, "path": ""},
        {"type": "sentence_transformers.models.Normalize", "path": 5},
        {"type": "sentence_transformers.models.Normalize", "path": "x" * 5000},
        {"type": "sentence_transformers.models.Dense", "path": "a\0b"},
    ],
)
def test_an_entry_of_the_modules(tmp_path: Path, entry: Any) -> None:
    """An entry that is no module is an error of the file."""
    folder = build_tiny(tmp_path / "tiny", heads=())
    entries = json.loads((folder / "modules.json").read_text())
    (folder / "modules.json").write_text(json.dumps([*entries, entry]))
    with pytest.raises((CorruptFileError, UnsupportedModelError)):
        read_folder(folder)


@pytest.mark.parametrize("value", ["yes", 5, [], {}])
def test_a_static_model_is_checked_as_well(tmp_path: Path, value: Any) -> None:
    """model2vec's keys are checked by its own table, with and without modules.json."""
    folder = build_family(tmp_path / "m", "model2vec", config={"normalize": value})
    for name in ("modules.json", "none"):
        (folder / name).unlink(missing_ok=True)
        with pytest.raises(CorruptFileError, match="normalize is .* true or false or null"):
            read_folder(folder)


anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=9),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3)
    ),
    max_leaves=6,
)
KEYS = sorted({(file, key) for file, key, _ in TABLE})


@settings(max_examples=300, deadline=None)
@given(place=st.sampled_from(KEYS), value=anything)
def test_any_value_is_read_or_refused(shared: Path, place: tuple[str, str], value: Any) -> None:
    """Whatever JSON value stands at a key that is read: it is read, or a HotbedError says why."""
    file, key = place
    before = change(shared / file, **{key: value})
    try:
        folder = read_folder(shared)
        _ = folder.variants, folder.shape, folder.max_seq_length, folder.weight_files
    except HotbedError as error:
        told = str(error)
    else:
        told = file
    finally:
        (shared / file).write_text(before, "utf-8")
    assert file in told
