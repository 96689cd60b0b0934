"""Folders whose ONNX file somebody else exported."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import hotbed
from hotbed.errors import ModelError, UnsupportedModelError
from hotbed.inference.tokenisation import Tokenizer
from hotbed.models import read_folder
from hotbed.testing import TEXTS, build_tiny
from tests.onnx.graphs import HIDDEN, as_model_folder, table, write_graph

IDS = {"input_ids": "int64", "attention_mask": "int64"}


def folder_with(folder: Path, **graph: Any) -> Path:
    """A tiny folder, without heads, that holds nothing runnable but such a graph."""
    build_tiny(folder, heads=())
    write_graph(as_model_folder(folder), **{"inputs": IDS, **graph})
    return folder


def rows_of(folder: Path) -> list[Any]:
    """For each of the tiny texts, the table's rows of its tokens."""
    ids = Tokenizer.open(read_folder(folder)).encode(TEXTS).ids
    return [table()[row] for row in ids]


def expected_mean(folder: Path) -> Any:
    """The mean of each text's rows."""
    return np.array([rows.mean(axis=0) for rows in rows_of(folder)])


def encode(folder: Path, **options: Any) -> Any:
    """Load and embed the tiny texts."""
    with hotbed.load(folder, **options) as model:
        return model.encode(list(TEXTS), batch_size=3)


pytestmark = pytest.mark.filterwarnings("ignore::hotbed.HotbedWarning")


@pytest.mark.parametrize("kind", ["int64", "int32"])
def test_inputs_of_either_width(tmp_path: Path, kind: str) -> None:
    """A graph that takes int32 is fed int32."""
    inputs = dict.fromkeys(IDS, kind)
    folder = folder_with(tmp_path / "m", inputs=inputs, outputs={"last_hidden_state": 3})
    np.testing.assert_allclose(encode(folder), expected_mean(folder), atol=1e-6)


def test_token_types_are_zeros(tmp_path: Path) -> None:
    """``token_type_ids`` are fed as zeros, which an embedding model was trained with."""
    inputs = {**IDS, "token_type_ids": "int64"}
    folder = folder_with(
        tmp_path / "m",
        inputs=inputs,
        outputs={"last_hidden_state": 3},
        added=["token_type_ids", "attention_mask"],
    )
    np.testing.assert_allclose(encode(folder), expected_mean(folder) + 1, atol=1e-6)


@pytest.mark.parametrize("side", ["right", "left"])
def test_positions_count_tokens(tmp_path: Path, side: str) -> None:
    """``position_ids`` count from each text's own first token, wherever the padding is."""
    folder = build_tiny(tmp_path / "m", heads=(), padding_side=side)
    write_graph(
        as_model_folder(folder),
        inputs={**IDS, "position_ids": "int32"},
        outputs={"last_hidden_state": 3},
        added=["position_ids"],
    )
    means = [(np.arange(len(rows)).mean() + rows.mean(axis=0)) for rows in rows_of(folder)]
    np.testing.assert_allclose(encode(folder), np.array(means), atol=1e-5)


def test_a_graph_that_only_gives_tokens_is_pooled_and_headed(tmp_path: Path) -> None:
    """The folder's pooling and heads run in numpy after a graph that stops before them."""
    folder = build_tiny(
        tmp_path / "m", config={"hidden_size": HIDDEN}, heads=("Dense", "Normalize")
    )
    write_graph(as_model_folder(folder), inputs=IDS, outputs={"token_embeddings": 3})
    with hotbed.load(folder) as model:
        assert model.loaded.outputs == ("token_embeddings",)
        vectors = model.encode(list(TEXTS))
        assert model.get_embedding_dimension() == vectors.shape[1] == 24
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-5)


def test_a_pooled_output_of_any_name(tmp_path: Path) -> None:
    """The one output of rank 2 is the sentence embedding, whatever it is called."""
    folder = folder_with(tmp_path / "m", outputs={"pooler_output": 2})
    expected = np.array([rows[0] for rows in rows_of(folder)])
    np.testing.assert_allclose(encode(folder), expected, atol=1e-6)


def test_a_named_sentence_embedding_wins(tmp_path: Path) -> None:
    """Where the graph names ``sentence_embedding``, that is taken and not pooled again."""
    outputs = {"last_hidden_state": 3, "sentence_embedding": 2, "other": 2}
    folder = folder_with(tmp_path / "m", outputs=outputs)
    expected = np.array([rows[0] for rows in rows_of(folder)])
    np.testing.assert_allclose(encode(folder), expected, atol=1e-6)


@pytest.mark.parametrize("outputs", [{"last_hidden_state": 3}, {"pooled": 2}])
def test_a_width_that_is_not_declared_is_found_out(tmp_path: Path, outputs: dict[str, int]) -> None:
    """A graph whose last dimension is a name is run once to learn its width."""
    folder = folder_with(tmp_path / "m", outputs=outputs, names=False)
    with hotbed.load(folder) as model:
        assert model.get_embedding_dimension() == HIDDEN


@pytest.mark.parametrize(
    "inputs", [{**IDS, "pixel_values": "int64"}, {**IDS, "token_type_ids": "float32"}]
)
def test_an_input_that_nobody_can_feed_is_refused(tmp_path: Path, inputs: dict[str, str]) -> None:
    """An unknown input, or one of another kind, is named with what hotbed feeds."""
    folder = folder_with(tmp_path / "m", inputs=inputs, outputs={"last_hidden_state": 3})
    name = list(inputs)[-1]
    with pytest.raises(UnsupportedModelError, match=rf"wants the input '{name}'.*input_ids"):
        encode(folder)


@pytest.mark.parametrize("outputs", [{"a": 3, "b": 3}, {"a": 2, "b": 2}])
def test_outputs_that_could_be_either_are_refused(tmp_path: Path, outputs: dict[str, int]) -> None:
    """Of several outputs of one rank none is guessed; the message lists them."""
    folder = folder_with(tmp_path / "m", outputs=outputs)
    with pytest.raises(UnsupportedModelError, match=r"gives a .*, b .*; none is sentence_emb"):
        encode(folder)


def test_a_graph_that_pooled_the_prompt_cannot_leave_it_out(tmp_path: Path) -> None:
    """Leaving the prompt out needs token embeddings; a graph that only pools is refused."""
    folder = build_tiny(
        tmp_path / "m",
        heads=(),
        pooling={"pooling_mode": "cls", "include_prompt": False},
        prompts={"query": "query : "},
    )
    write_graph(as_model_folder(folder), inputs=IDS, outputs={"sentence_embedding": 2})
    with hotbed.load(folder) as model:
        assert model.encode("cat").shape == (HIDDEN,)
        with pytest.raises(UnsupportedModelError, match="leaves its prompt out of pooling"):
            model.encode_query("cat")


@pytest.mark.parametrize("content", [b"", b"\x08", b"not a graph"])
def test_a_broken_graph_is_named(tmp_path: Path, content: bytes) -> None:
    """A zero-length or foreign file under the graph's name is an error with its path."""
    folder = folder_with(tmp_path / "my_data", outputs={"last_hidden_state": 3})
    (folder / "onnx" / "model.onnx").write_bytes(content)
    with pytest.raises(ModelError, match=r"model\.onnx") as caught:
        encode(folder)
    assert "external" not in str(caught.value)


def test_a_graph_that_was_cut_off_is_corrupt(tmp_path: Path) -> None:
    """Half a graph is a corrupt file, with its size."""
    folder = folder_with(tmp_path / "m", outputs={"last_hidden_state": 3})
    path = folder / "onnx" / "model.onnx"
    half = path.read_bytes()[: path.stat().st_size // 2]
    path.write_bytes(half)
    with pytest.raises(hotbed.HotbedError, match=rf"model\.onnx \({len(half):,} bytes\)"):
        encode(folder)


@pytest.mark.parametrize("location", ["../outside.bin", "../../outside.bin"])
def test_external_data_outside_the_folder_is_refused(tmp_path: Path, location: str) -> None:
    """A graph cannot make the runtime read a file elsewhere."""
    folder = folder_with(tmp_path / "m", outputs={"last_hidden_state": 3}, location=location)
    (folder / "onnx" / location).resolve().write_bytes(table().tobytes())
    with pytest.raises(ModelError, match="external data cannot be used"):
        encode(folder)


def test_external_data_that_is_not_there_is_told(tmp_path: Path) -> None:
    """A graph whose ``_data`` was not copied along says that the data must lie beside it."""
    folder = folder_with(
        tmp_path / "m", outputs={"last_hidden_state": 3}, location="model.onnx_data"
    )
    with pytest.raises(ModelError, match=r"must lie beside the file"):
        encode(folder)
    (folder / "onnx" / "model.onnx_data").write_bytes(table().tobytes())
    np.testing.assert_allclose(encode(folder), expected_mean(folder), atol=1e-6)
