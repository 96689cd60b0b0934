"""How long finding and choosing take with many plugins installed.

    python benchmarks/selection.py --json selection.json

The plugins are real distributions in a folder on the path: metadata, an entry point, a light
module with a manifest and hooks. Each figure comes from a process of its own.
"""

from __future__ import annotations

import argparse
import compileall
import importlib
import importlib.metadata
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from processes import medians

_PACKAGES = ("hotbed", "stevedore", "pluggy", "attrs", "onnxruntime")

_SOURCE = '''"""A backend of somebody's."""

from __future__ import annotations

from hotbed.backends import Capability, Manifest, Probe, hookimpl

HOTBED = Manifest(
    name="{name}",
    summary="One of many",
    hook_api=1,
    capabilities=({capabilities}),
)


@hookimpl
def hotbed_probe(request) -> Probe:
    """Say yes."""
    return Probe(ok=True)


@hookimpl
def hotbed_load(artifact, options):
    """Open nothing."""
'''

_READS = 'Capability(action="embed", formats="onnx", profiles=("cpu", "portable")),'
_CONVERTS = (
    'Capability(action="convert", formats="safetensors", to="onnx", families=("bert", "t5"), '
    'profiles=("cpu", "portable")),'
)
_KINDS = {
    "mixed": (
        _READS,
        'Capability(action="embed", formats="acme", dtypes=("float32", "bfloat16")),',
        'Capability(action="embed", formats="onnx", devices=("npu", "cpu")),',
        _CONVERTS.replace('("bert", "t5")', '"t5"'),
        _READS + _CONVERTS,
    ),
    "all read and convert": (_READS + _CONVERTS,),
}
"""What the plugins can do, in turn. The second kind is the hardest: everybody is a candidate, and
each could have its file from each."""

_COLUMNS = {
    "scan_ms": ("scan ms", 1),
    "read_ms": ("of it entry points ms", 1),
    "first_ms": ("first selection ms", 1),
    "other_ms": ("another request ms", 1),
    "later_us": ("the same again µs", 1),
    "memory_mb": ("memory of the scan MB", 1),
}


def main() -> None:
    """Run every size in turn, several times; print the table; write the JSON."""
    parser = argparse.ArgumentParser(description="Measure discovery and selection.")
    parser.add_argument("--runs", type=int, default=7, help="processes of each size")
    parser.add_argument("--sizes", type=int, nargs="+", default=[1, 10, 100, 500])
    parser.add_argument("--json", type=Path, help="where the figures are written")
    parser.add_argument("--child", type=Path, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.child:
        print(json.dumps(_measure(args.child)))
        return
    with tempfile.TemporaryDirectory() as folder:
        rows = _rows(Path(folder), args.sizes, args.runs)
    result = {"machine": _machine(), "runs": args.runs, "rows": rows, "absent": {}}
    _print(result)
    if args.json:
        args.json.write_text(json.dumps(result, indent=2) + "\n", encoding="utf-8")


def _rows(folder: Path, sizes: list[int], runs: int) -> list[dict[str, Any]]:
    from hotbed.testing import build_tiny

    model = build_tiny(folder / "model")
    cases = [(size, "mixed") for size in sizes] + [(max(sizes), "all read and convert")]
    sites = [_install(folder / f"site{n}", *case) for n, case in enumerate(cases)]
    figures: list[list[dict[str, float]]] = [[] for _ in cases]
    for number in range(runs + 1):
        for place, site in enumerate(sites):
            found = _process(site, model, folder / "home")
            if number:  # the first round fills the disk's cache
                figures[place].append(found)
    return [
        {"plugins": size, "kind": kind, **medians(found)}
        for (size, kind), found in zip(cases, figures, strict=True)
    ]


def _install(site: Path, size: int, kind: str) -> Path:
    """Write the distributions as pip leaves them."""
    site.mkdir()
    for number in range(size):
        name = f"acme{number:03}"
        capabilities = _KINDS[kind][number % len(_KINDS[kind])]
        source = _SOURCE.format(name=name, capabilities=capabilities)
        (site / f"{name}.py").write_text(source, encoding="utf-8")
        info = site / f"hotbed_{name}-1.0.dist-info"
        info.mkdir()
        readme = "A README, as most distributions carry one in their metadata.\n" * 60
        head = f"Metadata-Version: 2.1\nName: hotbed-{name}\nVersion: 1.0\nRequires-Dist: hotbed\n"
        (info / "METADATA").write_text(f"{head}\n{readme}", encoding="utf-8")
        entry = f"[hotbed.backends]\n{name} = {name}\n"
        (info / "entry_points.txt").write_text(entry, encoding="utf-8")
    compileall.compile_dir(site, quiet=1)  # as pip does
    return site


def _process(site: Path, model: Path, home: Path) -> dict[str, float]:
    command = [sys.executable, __file__, "--child", str(model)]
    path = os.pathsep.join([str(site), *filter(None, [os.environ.get("PYTHONPATH")])])
    environment = {**os.environ, "PYTHONPATH": path, "HOTBED_HOME": str(home)}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"{site.name}: ended with {done.returncode}\n{done.stderr}")
    figures: dict[str, float] = json.loads(done.stdout)
    return figures


def _measure(model: Path) -> dict[str, float]:
    """What one process needs: to find everybody, to choose, to choose again."""
    importlib.import_module("onnxruntime")  # which the first probe would do

    from hotbed.backends.catalog import BACKENDS, Catalog
    from hotbed.backends.decision import Request
    from hotbed.loading import default_house

    house = default_house()
    located = house.locate(str(model))
    read_ms: list[float] = []

    def read(group: str) -> Any:
        found, milliseconds = _timed(lambda: list(importlib.metadata.entry_points(group=group)))
        read_ms.append(milliseconds)
        return found

    house.backends = Catalog(BACKENDS, read=read)
    before = _resident()
    found, scan_ms = _timed(house.backends.found)
    memory = _resident() - before
    assert all(item.usable for item in found), [item.error for item in found]
    folder = house.read(located)
    house.wrappers.found()
    decision, first_ms = _timed(lambda: house.decide(Request(), folder))
    assert decision.chosen is not None
    assert decision.chosen.backend == "onnx_cpu"
    assert len(decision.verdicts) == len(found)
    _, other_ms = _timed(lambda: house.decide(Request(dtype="float32"), folder))
    request, times = Request(), 2000
    _, again_ms = _timed(lambda: [house.decide(request, folder) for _ in range(times)])
    return {
        "scan_ms": scan_ms,
        "read_ms": sum(read_ms),
        "first_ms": first_ms,
        "other_ms": other_ms,
        "later_us": 1000 * again_ms / times,
        "memory_mb": memory / 1e6,
    }


def _timed(work: Callable[[], Any]) -> tuple[Any, float]:
    start = time.perf_counter()
    result = work()
    return result, 1000 * (time.perf_counter() - start)


def _resident() -> int:
    """Bytes of this process in memory; 0 where the system does not tell so."""
    path = Path("/proc/self/statm")
    if not path.exists():
        return 0
    return int(path.read_text(encoding="ascii").split()[1]) * os.sysconf("SC_PAGESIZE")


def _machine() -> dict[str, Any]:
    from machine import describe

    return describe(_PACKAGES)


def _print(result: dict[str, Any]) -> None:
    from machine import show, spread_in_words
    from rich.table import Table

    table = Table(caption=f"median \\[min..max] of {result['runs']} processes of a size, in turn")
    table.add_column("plugins beside hotbed's own")
    for name, _ in _COLUMNS.values():
        table.add_column(name, justify="right")
    for row in result["rows"]:
        cells = [spread_in_words(row[key], digits) for key, (_, digits) in _COLUMNS.items()]
        table.add_row(f"{row['plugins']} ({row['kind']})", *cells)
    show(result, table)


if __name__ == "__main__":
    main()
