"""What a registry costs: resolving among thousands, registering, sixteen writers, serving.

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
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from mix import MODEL
from rounds import spread

_WRITERS = 16
_PACKAGES = ("hotbed", "sqlalchemy", "alembic", "mlflow", "onnxruntime")
Rows = list[dict[str, Any]]
Span = tuple[float, float, int]  # start, end, and how many were made in between


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
            *_serving(place, args.rounds),
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
    """Versions a second of sixteen processes that register a tiny model at once.

    Warm, and cold: with what the first registration of a process pays. MLflow is measured twice:
    noting where a model lies, which keeps no file, and with the files logged to a run, as
    ``log_model`` does.
    """
    from hotbed.testing import build_tiny

    model = build_tiny(place / "tiny")
    works: dict[str, Any] = {"hotbed": _with_hotbed}
    if importlib.util.find_spec("mlflow"):
        works |= {"MLflow, files kept": _with_mlflow, "MLflow, no file kept": _noted_by_mlflow}
    return [
        _rate(work, f"{name}, {start}", place, model, times, start == "warm")
        for start in ("warm", "cold")
        for name, work in works.items()
    ]


def _rate(work: Any, name: str, place: Path, model: Path, times: int, warm: bool) -> dict[str, Any]:
    context = multiprocessing.get_context("spawn")
    with context.Manager() as manager:
        barrier = manager.Barrier(_WRITERS)
        arguments = [
            (str(place / name.replace(" ", "-")), str(model), times, warm, barrier)
        ] * _WRITERS
        with context.Pool(_WRITERS) as pool:
            spans = pool.starmap(work, arguments)
    took = max(end for _, end, _ in spans) - min(start for start, _, _ in spans)
    made = sum(count for _, _, count in spans)
    label = f"{name}: {_WRITERS} writers, {made} of {_WRITERS * times} made"
    return _row(label, "versions/s", [made / took])


def _repeated(register: Callable[[], bool], times: int, warm: bool, barrier: Any) -> Span:
    """Begin together; warm once imports, and whatever else the first one pays, are paid."""
    if warm:
        register()
    barrier.wait()
    start = time.time()
    made = sum(register() for _ in range(times))
    return start, time.time(), made


def _with_hotbed(
    place: str, model: str, times: int, warm: bool, barrier: Any
) -> tuple[float, float, int]:
    from hotbed.registry import Registry

    registry = Registry(place)
    return _repeated(lambda: bool(registry.register("tiny", model)), times, warm, barrier)


def _with_mlflow(
    place: str, model: str, times: int, warm: bool, barrier: Any
) -> tuple[float, float, int]:
    client, run = _mlflow(place, barrier)

    def register() -> bool:
        client.log_artifacts(run.info.run_id, model, "model")
        return _noted(client, f"{run.info.artifact_uri}/model")

    return _repeated(register, times, warm, barrier)


def _noted_by_mlflow(
    place: str, model: str, times: int, warm: bool, barrier: Any
) -> tuple[float, float, int]:
    client, _ = _mlflow(place, barrier)
    return _repeated(lambda: _noted(client, model), times, warm, barrier)


def _mlflow(place: str, barrier: Any) -> tuple[Any, Any]:
    from mlflow import MlflowClient

    Path(place).mkdir(exist_ok=True)
    where = f"sqlite:///{place}/mlflow.db"
    if barrier.wait() == 0:  # one makes the tables: several at once break one another
        client = MlflowClient(where, where)
        client.create_registered_model("tiny")
        client.create_experiment("tiny", artifact_location=Path(place, "artifacts").as_uri())
    barrier.wait()
    client = MlflowClient(where, where)
    return client, client.create_run(client.get_experiment_by_name("tiny").experiment_id)


def _noted(client: Any, source: str) -> bool:
    from mlflow.exceptions import MlflowException

    try:
        client.create_model_version("tiny", source=source)
    except MlflowException as error:
        print(f"MLflow: {error!s:.100}")
        return False
    return True


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


def _serving(place: Path, rounds: int) -> Rows:
    """What a deployment adds to a call, and what callers feel while it swaps models."""
    from hotbed.deployment import Deployment, ModelPool
    from hotbed.registry import Registry

    registry, folder = Registry(place / "loading"), place / "onnx"
    registry.register("minilm", folder)  # the same files, another version
    registry.promote("minilm@0.0.1", "production")
    text, rows = "How do I bake bread without yeast?", []
    pool = ModelPool()
    with Deployment("minilm@production", registry=registry, pool=pool, poll=None) as serving:
        with serving.use() as plain:  # the same session, without the deployment around it
            ways = {"plain": plain.encode, "deployed": serving.encode}
            times = _called(ways, text, 300 * rounds)
        added = [1e6 * (b - a) for a, b in zip(times["plain"], times["deployed"], strict=True)]
        rows.append(_row("a query, without a deployment", "ms", [1000 * t for t in times["plain"]]))
        rows.append(_row("more with one", "µs", added))
        quiet = [1000 * t for t in times["deployed"]]
        felt, swaps = _while_swapping(registry, serving, text, rounds)
        for name, some in (("no swap", quiet), ("while models are swapped", felt)):
            rows += [
                _row(f"a query, {name}, p{share}", "ms", [_percentile(some, share)])
                for share in (50, 99, 100)
            ]
        rows.append(_row("a swap: load, digests, health", "ms", swaps))
    return rows


def _called(
    ways: Mapping[str, Callable[[str], object]], text: str, calls: int
) -> dict[str, list[float]]:
    times: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(calls):
        for name, call in ways.items():
            times[name].append(_timed(call, text))
    return times


def _while_swapping(
    registry: Any, serving: Any, text: str, rounds: int
) -> tuple[list[float], list[float]]:
    """Milliseconds of calls, one after another, while the alias moves to and fro."""
    swaps: list[float] = []
    done = threading.Event()

    def swap() -> None:
        for number in range(2 * rounds):
            registry.promote(f"minilm@0.0.{2 - number % 2}", "production")
            swaps.append(1000 * _timed(serving.refresh))
        done.set()

    thread = threading.Thread(target=swap)
    thread.start()
    felt = []
    while not done.is_set():
        felt.append(1000 * _timed(serving.encode, text))
    thread.join()
    return felt, swaps


def _percentile(values: Sequence[float], share: float) -> float:
    import numpy as np

    return float(np.percentile(values, share))


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
