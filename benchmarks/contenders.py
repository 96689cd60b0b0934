"""Who is measured, and how each is opened: their own defaults, equal threads, equal token limit."""

# ruff: noqa: TID251 - the peers are what is measured here

from __future__ import annotations

import importlib.util
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from mix import CAP, MODEL
from rounds import Encode, Floats

__all__ = [
    "BASELINE",
    "ONNX_BACKEND",
    "Setup",
    "fastembed_from",
    "limit_for_fastembed",
    "onnx_backend",
    "open_all",
]

BASELINE = "sentence-transformers, torch fp32"
ONNX_BACKEND = "sentence-transformers, onnx"

_EXPORT_BATCH = 32
_OPENVINO = ("hotbed", "hotbed_openvino", "openvino", "onnx")


@dataclass(frozen=True, kw_only=True)
class Setup:
    """What the contenders share.

    Attributes:
        folder: The model in PyTorch's layout.
        work: An empty folder for what has to be written first.
        threads: Threads of each contender.
    """

    folder: Path
    work: Path
    threads: int


@dataclass(frozen=True, kw_only=True)
class _Contender:
    needs: tuple[str, ...]
    open: Callable[[Setup], Encode]


def open_all(setup: Setup, names: Sequence[str]) -> tuple[dict[str, Encode], dict[str, str]]:
    """Open contenders by name.

    Returns:
        Those that opened, and for each other one the reason.
    """
    opened: dict[str, Encode] = {}
    absent: dict[str, str] = {}
    for name in names:
        contender = CONTENDERS[name]
        missing = [item for item in contender.needs if importlib.util.find_spec(item) is None]
        if missing:
            absent[name] = f"not installed here: {', '.join(missing)}"
            continue
        try:
            opened[name] = contender.open(setup)
        except Exception as error:
            # Whatever a peer raises, the others are still measured, and the table says why.
            absent[name] = f"{type(error).__name__}: {error}"
    return opened, absent


def _sentence_transformers(setup: Setup) -> Encode:
    import torch
    from sentence_transformers import SentenceTransformer

    torch.set_num_threads(setup.threads)
    return _encode_of(SentenceTransformer(str(setup.folder), device="cpu"))


def _encode_of(model: Any) -> Encode:
    def encode(texts: Sequence[str]) -> Floats:
        return np.asarray(model.encode(list(texts), show_progress_bar=False))

    return encode


def _hotbed(setup: Setup) -> Encode:
    import hotbed

    model = hotbed.load(MODEL, backend="onnx_cpu", threads=setup.threads)
    return lambda texts: np.asarray(model.encode(list(texts), show_progress_bar=False))


def _hotbed_int8(setup: Setup) -> Encode:
    """hotbed on ONNX Runtime, quantised on the built-in texts, none of which is of the mix."""
    import hotbed

    folder = setup.work / "int8"
    hotbed.convert(MODEL, folder, dtype="int8", profile="cpu", backend="onnx_cpu")
    model = hotbed.load(folder, backend="onnx_cpu", dtype="int8", threads=setup.threads)
    return lambda texts: np.asarray(model.encode(list(texts), show_progress_bar=False))


def _openvino(dtype: str) -> Callable[[Setup], Encode]:
    """hotbed on the OpenVINO plugin of examples/plugins, in an arithmetic."""

    def open_it(setup: Setup) -> Encode:
        import hotbed

        model = hotbed.load(MODEL, backend="openvino", dtype=dtype, threads=setup.threads)
        return lambda texts: np.asarray(model.encode(list(texts), show_progress_bar=False))

    return open_it


def _openvino_quantised(recipe: str) -> Callable[[Setup], Encode]:
    """The same, quantised by NNCF on texts that are not those of the mix."""

    def open_it(setup: Setup) -> Encode:
        from written import quantise

        import hotbed
        from hotbed.fidelity.texts import TEXTS
        from hotbed.tuning.texts import mixed_texts

        folder = quantise(MODEL, setup.work / recipe, recipe, [*TEXTS, *mixed_texts(300)])
        model = hotbed.load(folder, backend="openvino", dtype="int8", threads=setup.threads)
        return lambda texts: np.asarray(model.encode(list(texts), show_progress_bar=False))

    return open_it


def onnx_backend(folder: Path, threads: int) -> Encode:
    """sentence-transformers on ONNX Runtime; optimum exports where it finds no graph."""
    import onnxruntime
    from sentence_transformers import SentenceTransformer

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    kwargs = {"provider": "CPUExecutionProvider", "session_options": options}
    return _encode_of(
        SentenceTransformer(str(folder), device="cpu", backend="onnx", model_kwargs=kwargs)
    )


def _fastembed(setup: Setup) -> Encode:
    from written import write

    folder = write(MODEL, setup.work / "fastembed", profile="portable")
    limit_for_fastembed(folder, CAP)
    return fastembed_from(folder, setup.threads)


def limit_for_fastembed(folder: Path, limit: int) -> None:
    """Write the token limit where fastembed looks for it: it reads the tokenizer's file only."""
    path = folder / "tokenizer_config.json"
    config = json.loads(path.read_text(encoding="utf-8"))
    path.write_text(json.dumps({**config, "model_max_length": limit}), encoding="utf-8")


def fastembed_from(folder: Path, threads: int) -> Encode:
    """fastembed on a local folder that holds ``onnx/model.onnx``, with its own batches of 256."""
    from fastembed import TextEmbedding
    from fastembed.common.model_description import ModelSource, PoolingType

    name = f"hotbed/{folder.name}"
    config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    TextEmbedding.add_custom_model(
        model=name,
        pooling=PoolingType.MEAN,
        normalization=True,
        sources=ModelSource(hf=name),  # asked for, and never used: the files are here
        dim=config["hidden_size"],
        model_file="onnx/model.onnx",
    )
    model = TextEmbedding(
        name,
        threads=threads,
        specific_model_path=str(folder),
        providers=["CPUExecutionProvider"],
    )
    return lambda texts: np.stack(list(model.embed(list(texts))))


def _exported(setup: Setup) -> Encode:
    """PyTorch's own exporter and ONNX Runtime: what a careful user builds by hand."""
    import onnxruntime
    from tokenizers import Tokenizer

    path = setup.work / "exported.onnx"
    _export(setup.folder, path)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = setup.threads
    session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    tokenizer = Tokenizer.from_file(str(setup.folder / "tokenizer.json"))
    tokenizer.enable_truncation(CAP)
    tokenizer.no_padding()
    return lambda texts: _run_sorted(session, tokenizer, texts)


def _export(folder: Path, path: Path) -> None:
    import torch
    from sentence_transformers import SentenceTransformer

    modules = SentenceTransformer(str(folder), device="cpu")

    class Sentences(torch.nn.Module):  # type: ignore[misc]  # torch is not followed
        def __init__(self) -> None:
            super().__init__()
            self.modules_ = modules

        def forward(self, input_ids: Any, attention_mask: Any) -> Any:
            features = {"input_ids": input_ids, "attention_mask": attention_mask}
            return self.modules_(features)["sentence_embedding"]

    example = torch.ones(2, 16, dtype=torch.long)
    grid = {0: torch.export.Dim("batch"), 1: torch.export.Dim("tokens")}
    torch.onnx.export(
        Sentences().eval(),
        (example, example.clone()),
        str(path),
        input_names=["input_ids", "attention_mask"],
        output_names=["sentence_embedding"],
        dynamo=True,
        dynamic_shapes=(grid, grid),
        verbose=False,
    )


def _run_sorted(session: Any, tokenizer: Any, texts: Sequence[str]) -> Floats:
    """Batches of 32, longest first, each padded to its longest: as sentence-transformers does."""
    ids = [encoding.ids for encoding in tokenizer.encode_batch_fast(list(texts))]
    order = sorted(range(len(ids)), key=lambda place: -len(ids[place]))
    rows: list[Any] = [None] * len(ids)
    for start in range(0, len(order), _EXPORT_BATCH):
        places = order[start : start + _EXPORT_BATCH]
        grid = np.zeros((len(places), len(ids[places[0]])), dtype=np.int64)
        mask = np.zeros_like(grid)
        for row, place in enumerate(places):
            grid[row, : len(ids[place])] = ids[place]
            mask[row, : len(ids[place])] = 1
        feeds = {"input_ids": grid, "attention_mask": mask}
        for place, vector in zip(places, session.run(None, feeds)[0], strict=True):
            rows[place] = vector
    return np.stack(rows)


CONTENDERS: Mapping[str, _Contender] = {
    BASELINE: _Contender(needs=("torch", "sentence_transformers"), open=_sentence_transformers),
    "hotbed": _Contender(needs=("hotbed", "onnxruntime"), open=_hotbed),
    "hotbed, static int8": _Contender(needs=("hotbed", "onnxruntime", "onnx"), open=_hotbed_int8),
    "hotbed, OpenVINO float32": _Contender(needs=_OPENVINO, open=_openvino("float32")),
    "hotbed, OpenVINO bfloat16": _Contender(needs=_OPENVINO, open=_openvino("bfloat16")),
    "hotbed, OpenVINO static int8": _Contender(
        needs=(*_OPENVINO, "nncf"), open=_openvino_quantised("static_int8")
    ),
    "hotbed, OpenVINO int8 weights": _Contender(
        needs=(*_OPENVINO, "nncf"), open=_openvino_quantised("int8_weights")
    ),
    "fastembed": _Contender(needs=("fastembed", "hotbed", "onnx"), open=_fastembed),
    "torch.onnx.export, batches of 32 sorted": _Contender(
        needs=("torch", "onnxscript", "sentence_transformers", "onnxruntime"), open=_exported
    ),
    ONNX_BACKEND: _Contender(
        needs=("optimum", "sentence_transformers", "onnxruntime"),
        open=lambda setup: onnx_backend(setup.folder, setup.threads),
    ),
}
"""In the order of the table."""
