"""``hotbed.load``: what is chosen, what is refused, and what is kept of it."""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import hotbed
from hotbed.backends import cpu_quota
from hotbed.errors import (
    ClosedError,
    MissingFileError,
    NoBackendError,
    SourceError,
    UsageError,
)
from hotbed.testing import build_tiny
from hotbed.testing.tiny import bert_config, bert_tensors
from tests.onnx.graphs import as_model_folder, write_graph


def test_the_decision_is_kept(tiny: Path) -> None:
    """An embedder says which backend serves it, on what, from which file, and why."""
    with hotbed.load(tiny) as model:
        assert model.decision.chosen is not None
        assert model.decision.chosen.backend == "onnx_cpu"
        assert "model.safetensors → onnx (cpu) by onnx_cpu" in model.why()
        assert (model.device, model.loaded.dtype) == ("cpu", "float32")
        assert model.loaded.provider == "CPUExecutionProvider"
        assert repr(model) == "<Embedder tiny: onnx_cpu, float32 on cpu, 32 dimensions>"
    assert repr(model) == "<Embedder (closed)>"


@pytest.mark.parametrize(
    ("options", "stage"),
    [
        ({"device": "cuda"}, "device: asked for cuda; runs on cpu"),
        ({"device": "cuda:1"}, "device: asked for cuda:1"),
        ({"device": "tpu"}, "device: asked for tpu"),
        ({"dtype": "bf16"}, "dtype: asked for bfloat16; it computes in"),
        ({"dtype": "int8"}, "dtype: "),
        ({"backend": "acme"}, "not named: backend='acme' was named"),
    ],
)
def test_what_is_not_there_is_an_error_with_the_table(
    tiny: Path, options: dict[str, Any], stage: str
) -> None:
    """A named device, dtype or backend is used or refused: nothing else steps in silently."""
    with pytest.raises(NoBackendError) as caught:
        hotbed.load(tiny, **options)
    message = str(caught.value)
    assert message.startswith("no backend can serve this:\nembed tiny (")
    assert "rejected  onnx_cpu" in message
    assert stage in message


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"trust_remote_code": True}, "never runs code from a model folder"),
        ({"threads": 0}, "threads=0: expected a whole number of at least 1"),
        ({"dtype": "float31"}, "dtype='float31' is not known"),
        ({"max_seq_length": 0}, "max_seq_length=0"),
        ({"truncate_dim": 33}, "truncate_dim=33: the model's vectors have 32"),
        ({"default_prompt_name": "gone"}, "default_prompt_name='gone'"),
    ],
)
def test_arguments_that_cannot_be_used(tiny: Path, options: dict[str, Any], message: str) -> None:
    """A mistaken argument is refused by name and value."""
    with pytest.raises(UsageError, match=message):
        hotbed.load(tiny, **options)


@pytest.mark.parametrize("dtype", ["float32", "fp32", None])
def test_half_precision_weights_are_computed_in_float32(tmp_path: Path, dtype: str | None) -> None:
    """Where the backend computes in float32 only, float16 weights widen, asked for or not."""
    tensors = {name: v.astype(np.float16) for name, v in bert_tensors(bert_config()).items()}
    with hotbed.load(build_tiny(tmp_path / "m", tensors=tensors), dtype=dtype) as model:
        assert model.loaded.dtype == "float32"
        assert model.encode("cat").dtype == np.float32


def test_a_quantised_file_is_used_only_when_asked_for(tiny: Path) -> None:
    """Beside the model's own weights an int8 file serves ``dtype="int8"`` and nothing else."""
    ids = {"input_ids": "int64", "attention_mask": "int64"}
    write_graph(tiny / "onnx" / "model_int8.onnx", inputs=ids, outputs={"pooled": 2})
    with hotbed.load(tiny) as model:
        assert model.loaded.dtype == "float32"
        assert model.get_embedding_dimension() == 32
    with hotbed.load(tiny, dtype="int8") as model:
        assert model.loaded.dtype == "int8"
        assert not model.loaded.batch_dependent  # by its operators, whatever it is called
        assert model.get_embedding_dimension() == 4
    with hotbed.load(tiny, dtype="float32") as model:
        assert model.get_embedding_dimension() == 32


def test_an_onnx_file_alone_is_enough(tiny: Path, calls: list[Any]) -> None:
    """A folder without safetensors runs its ONNX file as it is and converts nothing."""
    ids = {"input_ids": "int64", "attention_mask": "int64"}
    write_graph(as_model_folder(tiny), inputs=ids, outputs={"sentence_embedding": 2})
    with hotbed.load(tiny) as model:
        assert "onnx/model.onnx" in model.why()
        assert model.encode("cat").shape == (4,)
    assert not [call for call in calls if call[0] == "convert"]


def test_an_unknown_family_is_refused_with_its_name(tmp_path: Path) -> None:
    """An architecture that nothing here builds: the families known, and who could export it."""
    folder = build_tiny(tmp_path / "m", config={"model_type": "mamba"})
    told = r"by pytorch: not installed: torch.*onnx_cpu does not know 'mamba', only bert, camembert"
    with pytest.raises(NoBackendError, match=told):
        hotbed.load(folder)


def test_a_pickle_is_named(tiny: Path) -> None:
    """A folder whose weights are a pickle is refused with the way out: PyTorch reads it."""
    (tiny / "model.safetensors").rename(tiny / "pytorch_model.bin")
    with pytest.raises(
        NoBackendError, match=r'not installed: torch.*pip install "hotbed\[torch\]"'
    ):
        hotbed.load(tiny)


def test_a_pickle_is_named_where_nobody_reads_it(
    tiny: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The same without the backend: the file, why it is not opened, and the way out."""
    (tiny / "model.safetensors").rename(tiny / "pytorch_model.bin")
    monkeypatch.setenv("HOTBED_BLOCKED", "pytorch")
    hotbed.refresh()
    with pytest.raises(MissingFileError, match=r"a pickle.*--to safetensors"):
        hotbed.load(tiny)


def test_a_folder_that_is_not_there(tmp_path: Path) -> None:
    """A path that does not exist is a source error, and the hub is not asked."""
    with pytest.raises(SourceError, match="does not exist"):
        hotbed.load(tmp_path / "none")


def test_a_path_may_be_text_or_path(tiny: Path) -> None:
    """``str`` and ``Path`` load the same model."""
    with hotbed.load(tiny) as a, hotbed.load(str(tiny)) as b:
        assert np.array_equal(a.encode("cat"), b.encode("cat"))


def test_threads_of_its_own(tiny: Path) -> None:
    """``threads=1`` gives a session one thread; otherwise it has as many as the CPU quota."""
    with hotbed.load(tiny) as usual, hotbed.load(tiny, threads=1) as own:
        assert dict(own.loaded.facts)["threads"].partition(",")[0] == "1"
        assert dict(usual.loaded.facts)["threads"].partition(",")[0] == str(cpu_quota())
        np.testing.assert_allclose(own.encode("cat"), usual.encode("cat"), atol=1e-6)


def test_others_in_the_process_can_use_onnxruntime(tiny: Path) -> None:
    """After hotbed opened a model, a session opened in the ordinary way still works."""
    runtime = importlib.import_module("onnxruntime")
    ids = {"input_ids": "int64", "attention_mask": "int64"}
    path = write_graph(tiny.parent / "other.onnx", inputs=ids, outputs={"pooled": 2})
    with hotbed.load(tiny) as model:
        session = runtime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
        assert [item.name for item in session.get_outputs()] == ["pooled"]
        assert model.encode("cat").shape == (32,)


def test_a_closed_embedder(tiny: Path, calls: list[Any]) -> None:
    """After ``close`` every use is an error; closing twice is fine and frees once."""
    model = hotbed.load(tiny)
    calls.clear()  # the gate has opened and closed what was converted
    model.close()
    model.close()
    assert calls.count(("close",)) == 1
    for use in (lambda: model.encode("cat"), lambda: model.max_seq_length, lambda: model.device):
        with pytest.raises(ClosedError, match="embedder of tiny was closed"):
            use()


def test_a_backend_that_is_blocked_is_shown(tiny: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """``HOTBED_BLOCKED`` keeps a backend out, and the table says so."""
    monkeypatch.setenv("HOTBED_BLOCKED", "onnx_cpu")
    hotbed.refresh()
    with pytest.raises(NoBackendError, match="blocked: blocked by the settings"):
        hotbed.load(tiny)
