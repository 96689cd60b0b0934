"""What cases start from: small real files of every kind that strangers make.

Built once for a session, in a process of its own (``python -m tests.fuzz.seeds FOLDER``), with the
vectors that are right for each model beside them.
"""

from __future__ import annotations

import json
import shutil
import sys
import zipfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from attrs import asdict, frozen

__all__ = ["GROUPS", "SEEDS", "TEXTS", "VERSION", "WHEEL", "Seed", "build_all", "read_seeds"]

TEXTS = (
    "bread",
    "a dog runs over the river",
    "the small cat sleeps under the large tree . the green bird eats the red fish !",
)
"""One short, one longer, and one that most of the tiny models cut."""

WHEEL, VERSION = "acme-model", "1.0"


@frozen(kw_only=True)
class Seed:
    """What a case changes, and what then reads it.

    Attributes:
        name: Of its folder among the seeds.
        group: Cases of one group are run together, and have one test.
        targets: What may read it.
        files: Globs of the files that are changed.
        sealed: Globs of the files whose digests hotbed knows.
        tolerance: How far numbers of vectors of length 1 may lie from the right ones.
        neighbours: Whether a text's vector must not depend on the texts beside it.
        writable: Whether what reads the files may write there as well: databases, caches.
    """

    name: str
    group: str
    targets: tuple[str, ...]
    files: tuple[str, ...] = ("**/*",)
    sealed: tuple[str, ...] = ()
    tolerance: float = 1e-4
    neighbours: bool = True
    writable: bool = False


_MODEL = ("load", "load", "load", "load", "convert", "info", "validate", "register")
_GRAPH = ("load", "load", "load", "info")
_FAMILIES = ("bert", "roberta", "mpnet", "modernbert", "nomic_bert", "new", "qwen3", "gemma3_text")

SEEDS = (
    *(Seed(name=f"family-{name}", group="models", targets=_MODEL) for name in _FAMILIES),
    Seed(name="heads", group="models", targets=_MODEL),
    Seed(name="sharded", group="models", targets=_MODEL),
    Seed(name="static", group="models", targets=_MODEL),
    Seed(name="model2vec", group="models", targets=_MODEL),
    Seed(name="m3", group="models", targets=_MODEL, files=("*.pt", "*.pt", "*.json")),
    Seed(name="adapter", group="models", targets=_MODEL, files=("adapter*",)),
    Seed(name="graph", group="graphs", targets=_GRAPH, files=("onnx/*", "onnx/*", "*.json")),
    Seed(name="maskless", group="graphs", targets=_GRAPH, files=("onnx/*",)),
    Seed(name="bert-graph", group="graphs", targets=_GRAPH, files=("onnx/*",)),
    Seed(
        name="converted",
        group="written",
        targets=(*_GRAPH, "validate"),
        files=("onnx/*", "hotbed.json", "*.json"),
        sealed=("onnx/*",),
    ),
    Seed(
        name="quantized",
        group="written",
        targets=("load int8", "load int8", "info"),
        files=("onnx/*", "hotbed.json", "*.json"),
        sealed=("onnx/*",),
        tolerance=1e-5,
    ),
    Seed(
        name="cache",
        group="written",
        targets=("cache",),
        files=("home/**/*",),
        sealed=("*",),
        writable=True,
    ),
    Seed(
        name="registry",
        group="registry",
        targets=("registry", "registry", "keep house"),
        files=("registry/*.sqlite3", "registry/**/*"),
        sealed=("registry/blobs/*",),
        writable=True,
    ),
    Seed(name="archive", group="archives", targets=("import",), files=("archive.tar",)),
    Seed(name="wheel", group="wheels", targets=("wheel",), files=("*.whl",)),
    Seed(name="settings", group="settings", targets=("settings",), files=("hotbed.toml",)),
    Seed(name="own-settings", group="settings", targets=("own settings",), files=("hotbed/*",)),
    Seed(name="tuned", group="settings", targets=("tuned",), files=("tuned.json",)),
    Seed(name="lines", group="texts", targets=("embed",), files=("texts.*",)),
    Seed(name="vectors", group="texts", targets=("health",), files=("reference_vectors.*",)),
)

GROUPS = {
    "models": 10,
    "graphs": 5,
    "written": 5,
    "registry": 4,
    "archives": 4,
    "settings": 3,
    "texts": 2,
    "wheels": 1,
}
"""Group → its share of the cases."""


def read_seeds(folder: Path) -> dict[str, dict[str, Any]]:
    """What was built: seed → the vectors that are right, or an error where it was refused."""
    found: dict[str, dict[str, Any]] = json.loads((folder / "seeds.json").read_text("utf-8"))
    return found


# --- the child that builds them -------------------------------------------------------------------


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
    rows = [json.dumps({"text": text, "id": number}) for number, text in enumerate(TEXTS)]
    (path / "texts.jsonl").write_text("\n".join(rows) + "\n", encoding="utf-8")
    (path / "texts.txt").write_text("\n".join(TEXTS) + "\n", encoding="utf-8")


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
