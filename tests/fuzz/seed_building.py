"""Builds the seeds, in a process of its own: ``python -m tests.fuzz.seed_building FOLDER``."""

from __future__ import annotations

import json
import shutil
import sys
import zipfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from attrs import asdict

from tests.fuzz.seeds import SEEDS, TEXTS, VERSION, WHEEL

__all__ = ["build_all", "right_vectors"]


def build_all(folder: Path) -> None:
    """Build every seed, and the vectors that are right for it."""
    known: dict[str, Any] = {}
    for seed in SEEDS:
        build = _BUILDERS.get(seed.name) or _BUILDERS[seed.name.partition("-")[0]]
        known[seed.name] = {"vectors": build(folder / seed.name, folder), "seed": asdict(seed)}
    (folder / "seeds.json").write_text(json.dumps(known), encoding="utf-8")


def right_vectors(folder: Path) -> list[list[float]]:
    """The texts' vectors by the family's forward in numpy."""
    import numpy as np

    from hotbed.inference.tokenisation import Tokenizer
    from hotbed.models import read_folder
    from hotbed.reference import sentence_embedding

    tokenizer = Tokenizer.open(read_folder(folder))
    batch = tokenizer.batch(tokenizer.encode(TEXTS), np.arange(len(TEXTS)))
    found: list[list[float]] = sentence_embedding(folder, batch).tolist()
    return found


def own_vectors(folder: Path, **options: Any) -> list[list[float]]:
    """The texts' vectors by hotbed: for what no reference knows, before it is changed."""
    import hotbed

    with hotbed.load(folder, **options) as model:
        found: list[list[float]] = model.encode(list(TEXTS), prompt="").tolist()
    return found


def _family(path: Path, folder: Path) -> Any:
    from hotbed.testing.tiny_families import build_family

    del folder
    prompts = {"query": "question : ", "document": ""}
    build_family(path, path.name.partition("-")[2], prompts=prompts)
    return right_vectors(path)


def _heads(path: Path, folder: Path) -> Any:
    from hotbed.testing import build_tiny

    del folder
    build_tiny(
        path,
        heads=("Dense", "LayerNorm", "Dropout", "Normalize"),
        pooling={"pooling_mode_mean_tokens": True, "pooling_mode_max_tokens": True},
        prompts={"query": "question : "},
    )
    return right_vectors(path)


def _sharded(path: Path, folder: Path) -> Any:
    from safetensors.numpy import load_file, save_file

    from hotbed.testing import build_tiny

    del folder
    build_tiny(path)
    tensors = load_file(path / "model.safetensors")
    vectors = right_vectors(path)
    (path / "model.safetensors").unlink()
    weight_map: dict[str, str] = {}
    for number in range(2):
        name = f"model-{number + 1:05}-of-00002.safetensors"
        part = {key: tensors[key] for i, key in enumerate(sorted(tensors)) if i % 2 == number}
        save_file(part, path / name)
        weight_map |= dict.fromkeys(part, name)
    index = {"metadata": {"total_size": 1}, "weight_map": weight_map}
    (path / "model.safetensors.index.json").write_text(json.dumps(index), encoding="utf-8")
    return vectors


def _static(path: Path, folder: Path) -> Any:
    from hotbed.testing.tiny_families import build_family

    del folder
    build_family(path, path.name)
    return right_vectors(path)


def _m3(path: Path, folder: Path) -> Any:
    from hotbed.testing.tiny_m3 import build_m3

    del folder
    build_m3(path)
    return right_vectors(path)


def _bpe(path: Path, folder: Path) -> Any:
    """A tokenizer of bytes, as GPT-2's and ModernBERT's are."""
    from tokenizers import Tokenizer, models, normalizers, pre_tokenizers

    vocabulary = {token: number for number, token in enumerate(_SPECIAL + _letters("Ġ"))}
    pairs = [("t", "h"), ("Ġ", "t"), ("e", "r")]
    for left, right in pairs:
        vocabulary[left + right] = len(vocabulary)
    tokenizer = Tokenizer(models.BPE(vocabulary, pairs, unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.Sequence(
        [normalizers.NFKC(), normalizers.Replace("  ", " "), normalizers.Prepend("x")]
    )
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(" ?[a-z]+", "isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=True),
        ]
    )
    return _tokenized(path, folder, tokenizer)


def _unigram(path: Path, folder: Path) -> Any:
    """A tokenizer of SentencePiece's kind, as XLM-RoBERTa's is."""
    from tokenizers import Tokenizer, models, normalizers, pre_tokenizers

    pieces = [(token, -1.0 - number / 9) for number, token in enumerate(_SPECIAL + _letters("▁"))]
    tokenizer = Tokenizer(models.Unigram(pieces, unk_id=1, byte_fallback=False))
    tokenizer.normalizer = normalizers.Sequence(
        [normalizers.Nmt(), normalizers.NFKC(), normalizers.Lowercase(), normalizers.Strip()]
    )
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace()
    return _tokenized(path, folder, tokenizer)


_SPECIAL = ["[PAD]", "[UNK]", "[CLS]", "[SEP]"]


def _letters(space: str) -> list[str]:
    return [*"abcdefghijklmnopqrstuvwxyz.!", space]


def _tokenized(path: Path, folder: Path, tokenizer: Any) -> Any:
    from tokenizers import processors

    from hotbed.testing import build_tiny

    del folder
    tokenizer.add_special_tokens(_SPECIAL)
    tokenizer.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", special_tokens=[("[CLS]", 2), ("[SEP]", 3)]
    )
    build_tiny(path, max_seq_length=32)
    tokenizer.save(str(path / "tokenizer.json"))
    return right_vectors(path)


def _hub(path: Path, folder: Path) -> Any:
    """A cache of the hub as huggingface_hub keeps it: a snapshot is links into its blobs."""
    model = path / "hub" / "models--acme--tiny"
    snapshot = model / "snapshots" / ("0" * 40)
    (model / "refs").mkdir(parents=True)
    (model / "refs" / "main").write_text("0" * 40, encoding="utf-8")
    (model / "blobs").mkdir()
    for file in sorted((folder / "family-bert").rglob("*")):
        if file.is_file():
            name = file.relative_to(folder / "family-bert")
            blob = model / "blobs" / name.as_posix().replace("/", "-")
            shutil.copy(file, blob)
            link = snapshot / name
            link.parent.mkdir(parents=True, exist_ok=True)
            link.symlink_to(Path("../" * (2 + len(name.parts) - 1), "blobs", blob.name))
    return right_vectors(folder / "family-bert")


def _ranges(path: Path, folder: Path) -> Any:
    import numpy as np

    del folder
    path.mkdir()
    np.save(path / "ranges.npy", np.array([[-1.0] * 16, [1.0] * 16], np.float32))


def _adapter(path: Path, folder: Path) -> Any:
    """LoRA on the queries beside its base; what is right has it merged: W + alpha / r · B A."""
    import numpy as np
    from safetensors.numpy import load_file, save_file

    from hotbed.testing import build_tiny

    merged = folder / ".merged"
    build_tiny(path)
    shutil.copytree(path, merged)
    rng = np.random.default_rng(5)
    tensors, adapter = load_file(path / "model.safetensors"), {}
    for layer in range(2):
        name = f"encoder.layer.{layer}.attention.self.query"
        first = rng.normal(size=(4, 32)).astype(np.float32)
        second = rng.normal(size=(32, 4)).astype(np.float32)
        adapter[f"base_model.model.{name}.lora_A.weight"] = first
        adapter[f"base_model.model.{name}.lora_B.weight"] = second
        tensors[f"{name}.weight"] = tensors[f"{name}.weight"] + 8 / 4 * second @ first
    save_file(tensors, merged / "model.safetensors")
    save_file(adapter, path / "adapter_model.safetensors")
    config = {
        "peft_type": "LORA",
        "base_model_name_or_path": "",
        "r": 4,
        "lora_alpha": 8,
        "target_modules": ["query"],
        "bias": "none",
        "task_type": "FEATURE_EXTRACTION",
        "fan_in_fan_out": False,
    }
    (path / "adapter_config.json").write_text(json.dumps(config), encoding="utf-8")
    return right_vectors(merged)


def _graph(path: Path, folder: Path) -> Any:
    from hotbed.testing import build_tiny
    from tests.onnx.graphs import as_model_folder, write_graph

    del folder
    build_tiny(path, heads=())
    inputs = {"input_ids": "int64", "attention_mask": "int64"}
    if path.name == "maskless":
        del inputs["attention_mask"]
    write_graph(as_model_folder(path), inputs=inputs, outputs={"last_hidden_state": 3})
    return own_vectors(path)


def _bert_graph(path: Path, folder: Path) -> Any:
    """A whole encoder as a stranger's file: hotbed's record of it is taken away."""
    import hotbed

    hotbed.convert(folder / "family-bert", path)
    (path / "hotbed.json").unlink()
    return right_vectors(folder / "family-bert")


def _converted(path: Path, folder: Path) -> Any:
    import hotbed

    hotbed.convert(folder / "family-bert", path)
    return right_vectors(folder / "family-bert")


def _quantized(path: Path, folder: Path) -> Any:
    import hotbed

    hotbed.convert(folder / "family-bert", path, dtype="int8", accept_loss=True)
    return own_vectors(path, dtype="int8")


def _cache(path: Path, folder: Path) -> Any:
    """A home with the graph of a model that lies beside it."""
    from hotbed.loading import House, load
    from hotbed.settings import Settings

    shutil.copytree(folder / "family-bert", path / "model")
    load(path / "model", house=House(Settings(home=path / "home"))).close()
    for lock in (path / "home").glob("*.sqlite3-*"):
        lock.unlink()
    return right_vectors(path / "model")


def _registry(path: Path, folder: Path) -> Any:
    from hotbed.registry import Registry

    with Registry(path / "registry", who="ada") as registry:
        registry.register("m", folder / "static", tags={"a": "b"}, metrics={"ndcg": 0.5})
        registry.register("m", folder / "model2vec", description="the second", parent="m@0.0.1")
        registry.promote("m@0.0.1", "production", why="first")
    return right_vectors(folder / "static")


def _archive(path: Path, folder: Path) -> Any:
    from hotbed.registry import Registry

    path.mkdir()
    with Registry(folder / "registry" / "registry", who="ada") as registry:
        registry.export(["m@0.0.1", "m@0.0.2"], path / "archive.tar")
    with Registry(folder / "empty", who="ada"):
        pass
    return right_vectors(folder / "static")


def _wheel(path: Path, folder: Path) -> Any:
    path.mkdir()
    info = f"acme_model-{VERSION}.dist-info"
    entries = {
        f"{info}/METADATA": f"Metadata-Version: 2.1\nName: {WHEEL}\nVersion: {VERSION}\n".encode(),
        f"{info}/WHEEL": b"Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
        f"{info}/RECORD": b"",
        "acme_model/__init__.py": b"raise SystemExit('never run')\n",
    }
    for file in sorted((folder / "model2vec").rglob("*")):
        if file.is_file():
            name = file.relative_to(folder / "model2vec").as_posix()
            entries[f"acme_model/data/{name}"] = file.read_bytes()
    with zipfile.ZipFile(path / f"acme_model-{VERSION}-py3-none-any.whl", "w") as archive:
        for name, content in entries.items():
            archive.writestr(name, content)
    return right_vectors(folder / "model2vec")


def _settings(path: Path, folder: Path) -> Any:
    del folder
    file = path / ("hotbed.toml" if path.name == "settings" else "hotbed/config.toml")
    file.parent.mkdir(parents=True)
    file.write_text('devices = ["cpu"]\npriority = ["onnx_cpu"]\n', encoding="utf-8")


def _tuned(path: Path, folder: Path) -> Any:
    from hotbed.backends.decision import Measurement
    from hotbed.measurements import Record, remember, this_machine
    from hotbed.models import read_folder
    from hotbed.version import __version__

    measurement = Measurement(
        shape=read_folder(folder / "static").shape,
        backend="onnx_cpu",
        dist="hotbed",
        version=__version__,
        device="cpu",
        dtype="float32",
        token_budget=512,
        bulk=80.0,
        query=0.004,
        score=80.0,
    )
    record = Record(
        machine=this_machine(),
        measurement=measurement,
        purpose="bulk",
        lowest_cosine=1.0,
        texts=64,
        rounds=4,
        date="2026-11-24T10:00:00+00:00",
    )
    path.mkdir()
    remember(path / "tuned.json", [record])
    (path / "tuned.json.lock").unlink(missing_ok=True)
    return right_vectors(folder / "static")


def _lines(path: Path, folder: Path) -> Any:
    del folder
    path.mkdir()
    suffix, lines = path.name.partition("-")[2], list(TEXTS)
    if suffix == "jsonl":
        lines = [json.dumps({"text": text, "id": number}) for number, text in enumerate(TEXTS)]
    (path / f"texts.{suffix}").write_text("\n".join(lines) + "\n", encoding="utf-8")


def _vectors(path: Path, folder: Path) -> Any:
    from hotbed.registry.reference import REFERENCE_FILE, compute_reference

    shutil.copytree(folder / "static", path)
    (path / REFERENCE_FILE).write_bytes(compute_reference(path).encode())
    return right_vectors(path)


_BUILDERS: dict[str, Callable[[Path, Path], Any]] = {
    "family": _family,
    "heads": _heads,
    "sharded": _sharded,
    "static": _static,
    "model2vec": _static,
    "m3": _m3,
    "bpe": _bpe,
    "unigram": _unigram,
    "hub": _hub,
    "ranges": _ranges,
    "adapter": _adapter,
    "graph": _graph,
    "maskless": _graph,
    "bert-graph": _bert_graph,
    "converted": _converted,
    "quantized": _quantized,
    "cache": _cache,
    "registry": _registry,
    "archive": _archive,
    "wheel": _wheel,
    "settings": _settings,
    "own-settings": _settings,
    "tuned": _tuned,
    "lines": _lines,
    "vectors": _vectors,
}


def main(arguments: Sequence[str]) -> None:
    """Build the seeds into a folder."""
    import warnings

    warnings.simplefilter("ignore")  # that a text is cut is meant
    build_all(Path(arguments[0]))


if __name__ == "__main__":
    main(sys.argv[1:])
