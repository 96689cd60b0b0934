"""What a registry costs: resolving among thousands, registering, sixteen writers, loading.

    python benchmarks/registry.py --versions 10000 --json registry.json

Registering is measured beside copying, hashing and flushing the same files; sixteen writers beside
MLflow's, where it is installed; loading beside the same folder, with digests remembered.
"""

from __future__ import annotations

import argparse
import hashlib
import importlib.util
import json
import multiprocessing
import os
import shutil
import tempfile
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from mix import MODEL
from rounds import spread

_WRITERS = 16
_PACKAGES = ("hotbed", "sqlalchemy", "alembic", "mlflow", "onnxruntime")
Rows = list[dict[str, Any]]


def main() -> None:
    """Measure, print the table, write the JSON."""
    from machine import describe

    parser = argparse.ArgumentParser(description="Measure the registry.")
    parser.add_argument("--versions", type=int, default=10_000, help="among which is resolved")
    parser.add_argument("--rounds", type=int, default=5, help="of what is done once a round")
    parser.add_argument("--times", type=int, default=20, help="versions of each of the writers")
    parser.add_argument("--json", type=Path, help="where the figures are written")
    args = parser.parse_args()
    os.environ.setdefault("HF_HUB_OFFLINE", "1")
    facts = describe(_PACKAGES)
    with tempfile.TemporaryDirectory() as name:
        place = Path(name)
        rows = [
            *_writers(place, args.times),
            *_registering(place, args.rounds),
            *_loading(place, args.rounds),
            *_resolving(place, args.versions),
        ]
    result = {"machine": facts, "rows": rows}
    _print(result)
    if args.json:
        args.json.write_text(json.dumps(result, indent=2) + "\n", encoding="utf-8")


def _row(name: str, unit: str, values: Sequence[float]) -> dict[str, Any]:
    return {"name": name, "unit": unit, **spread(values)}


def _timed(work: Callable[..., object], *arguments: object) -> float:
    start = time.perf_counter()
    work(*arguments)
    return time.perf_counter() - start


def _writers(place: Path, times: int) -> Rows:
    """Versions a second of sixteen processes that register a tiny model at once."""
    from hotbed.testing import build_tiny

    model = build_tiny(place / "tiny")
    rows = [_rate(_register_many, "hotbed", place, model, times)]
    if importlib.util.find_spec("mlflow"):
        rows.append(_rate(_register_many_with_mlflow, "MLflow", place, model, times))
    return rows


def _rate(work: Any, name: str, place: Path, model: Path, times: int) -> dict[str, Any]:
    context = multiprocessing.get_context("spawn")
    with context.Manager() as manager:
        barrier = manager.Barrier(_WRITERS)
        arguments = [(str(place / name), str(model), times, barrier)] * _WRITERS
        with context.Pool(_WRITERS) as pool:
            spans = pool.starmap(work, arguments)
    took = max(end for _, end in spans) - min(start for start, _ in spans)
    return _row(f"{name}: {_WRITERS} writers", "versions/s", [_WRITERS * times / took])


def _register_many(place: str, model: str, times: int, barrier: Any) -> tuple[float, float]:
    from hotbed.registry import Registry

    registry = Registry(place)
    barrier.wait()
    start = time.time()
    for _ in range(times):
        registry.register("tiny", model)
    return start, time.time()


def _register_many_with_mlflow(
    place: str, model: str, times: int, barrier: Any
) -> tuple[float, float]:
    from mlflow import MlflowClient
    from mlflow.exceptions import MlflowException

    Path(place).mkdir(exist_ok=True)
    if barrier.wait() == 0:  # one makes the tables: several at once break one another
        MlflowClient(registry_uri=f"sqlite:///{place}/mlflow.db").create_registered_model("tiny")
    barrier.wait()
    client = MlflowClient(registry_uri=f"sqlite:///{place}/mlflow.db")
    start = time.time()
    for _ in range(times):
        try:
            client.create_model_version("tiny", source=model)
        except MlflowException as error:
            print(f"MLflow: {error!s:.100}")
    return start, time.time()


def _registering(place: Path, rounds: int) -> Rows:
    """Registering MiniLM, as a multiple of copying, hashing and flushing it."""
    from written import source_folder

    from hotbed.registry import Registry

    source = source_folder(MODEL)
    registry = Registry(place / "minilm-registry")
    ratios, ours = [], []
    for number in range(rounds):
        folder = place / f"minilm{number}"
        shutil.copytree(source, folder)
        with (folder / "README.md").open("a", encoding="utf-8") as file:
            file.write(str(number))
        _spoil(folder / "model.safetensors", number)  # else nothing would be written twice
        copied = _timed(_copy, folder, place / f"copy{folder.name}")
        took = _timed(registry.register, "minilm", folder)
        ours.append(1000 * took)
        ratios.append(took / copied)
    return [
        _row("register MiniLM, new weights", "ms", ours),
        _row("the same, beside copying, hashing and flushing", "×", ratios),
    ]


def _spoil(path: Path, number: int) -> None:
    content = bytearray(path.read_bytes())
    content[-4:] = number.to_bytes(4, "little")
    path.write_bytes(content)


def _copy(folder: Path, out: Path) -> None:
    for path in sorted(folder.rglob("*")):
        if not path.is_file():
            continue
        target = out / path.relative_to(folder)
        target.parent.mkdir(parents=True, exist_ok=True)
        hashing = hashlib.sha256()
        with path.open("rb") as source, target.open("wb") as file:
            while chunk := source.read(1 << 20):
                hashing.update(chunk)
                file.write(chunk)
            file.flush()
            os.fsync(file.fileno())


def _loading(place: Path, rounds: int) -> Rows:
    """Loading MiniLM from the registry, beside the folder itself, digests remembered."""
    import hotbed
    from hotbed.registry import Registry

    registry, folder = place / "loading", place / "onnx"
    hotbed.convert(MODEL, folder, profile="cpu", backend="onnx_cpu")
    Registry(registry).register("minilm", folder)
    times: dict[str, list[float]] = {"folder": [], "registry": []}

    def load(model: str, **options: Any) -> None:
        hotbed.load(model, backend="onnx_cpu", **options).close()

    for _ in range(rounds + 1):
        times["folder"].append(_timed(load, str(folder)))
        times["registry"].append(_timed(partial(load, registry=registry), "registry:minilm"))
    more = [1000 * (b - a) for a, b in zip(times["folder"][1:], times["registry"][1:], strict=True)]
    return [
        _row("load MiniLM from a folder", "ms", [1000 * t for t in times["folder"][1:]]),
        _row("more from the registry", "ms", more),
    ]


def _resolving(place: Path, versions: int) -> Rows:
    """One resolution among many versions of one model."""
    from hotbed.registry import Registry
    from hotbed.testing import build_tiny

    registry = Registry(place / "many")
    model = build_tiny(place / "many-model")
    took = [_timed(registry.register, "tiny", model) for _ in range(versions)]
    middle = f"0.0.{versions // 2}"
    registry.promote(f"tiny@{middle}", "production")
    rows = [_row(f"register, up to {versions:,} versions", "ms", [1000 * t for t in took[-200:]])]
    for wanted in ("production", middle, "^0.0.1", "latest"):
        times = [1000 * _timed(registry.resolve, f"tiny@{wanted}") for _ in range(300)]
        rows.append(_row(f"resolve @{wanted}", "ms", times))
    rows.append(_row("audit", "s", [_timed(registry.audit)]))
    return rows


def _print(result: dict[str, Any]) -> None:
    from machine import show, spread_in_words
    from rich.table import Table

    table = Table(caption="median \\[min..max]")
    table.add_column("what")
    table.add_column("", justify="right", no_wrap=True)
    table.add_column("")
    for row in result["rows"]:
        table.add_row(row["name"], spread_in_words(row, 2), row["unit"])
    show(result, table)


if __name__ == "__main__":
    main()
