"""Files that are missing, cut off or wrong give an error of ours, never a crash or a vector."""

from __future__ import annotations

import json
import os
import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import attrs
from attrs import evolve

from hotbed.backends.values import Artifact, LoadOptions, Variant
from hotbed.child_processes import run_python
from hotbed.inference.embedder import Embedder
from hotbed.loading import House
from hotbed.settings import Settings
from hotbed.testing.cases import Case
from hotbed.testing.opening import OpeningSuite

__all__ = ["DAMAGES", "DamageTests"]


def _empty(path: Path) -> None:
    path.write_bytes(b"")


def _cut(path: Path) -> None:
    os.truncate(path, path.stat().st_size // 2)


def _scribble(path: Path) -> None:
    path.write_bytes(b"\x07not a model\x00" * 64)


DAMAGES: dict[str, Callable[[Path], None]] = {
    "missing": Path.unlink,
    "empty": _empty,
    "cut off": _cut,
    "corrupted": _scribble,
}


class DamageTests(OpeningSuite):
    """Each damage to each file of an artifact, in a child process that may die of it."""

    def test_damaged_files_are_refused(
        self, house: House, case: Case, model: Embedder, tmp_path: Path
    ) -> None:
        """A damaged file makes ``hotbed_load`` raise; whatever it raises becomes a HotbedError.

        Else the child crashed (check the file before handing it to native code), or it loaded
        (compare what was read with what the file should hold).
        """
        artifact: Artifact = self.artifact(house, model)
        jobs = []
        for number, (file, damage) in enumerate(
            (file, damage) for file in _files(artifact) for damage in DAMAGES
        ):
            place = tmp_path / str(number)
            shutil.copytree(artifact.path.parent, place)
            DAMAGES[damage](place / file.name)
            jobs.append((f"{file.name} {damage}", str(place / artifact.path.name)))
        order = json.dumps(
            {
                "backend": case.backend,
                "folder": str(artifact.folder),
                "variant": attrs.asdict(artifact.variant),
                "options": attrs.asdict(self.load_options(case)),
                "jobs": jobs,
            }
        )
        done = run_python(["-m", "hotbed.testing.damage"], stdin=order, timeout=300)
        said = dict(line.split("\t", 1) for line in done.stdout.splitlines() if "\t" in line)
        for name, _ in jobs:
            assert name in said, (
                f"the child ended with {done.returncode} at {name}: {done.stderr[-2000:]}"
            )
            assert said[name] == "refused", f"{name}: {said[name]}"


def _files(artifact: Artifact) -> list[Path]:
    """The file, and what lies beside it under its name: external data, separate weights."""
    stem = artifact.path.name.removesuffix(artifact.path.suffix)
    beside = (f"{artifact.path.name}_data", f"{artifact.path.name}.data", f"{stem}.bin")
    return [artifact.path, *(p for name in beside if (p := artifact.path.parent / name).exists())]


def _child() -> None:
    """Load each damaged file, and say what came of it, a line each."""
    from hotbed.errors import HotbedError

    order: dict[str, Any] = json.load(sys.stdin)
    engine = House(Settings()).engine(order["backend"])
    artifact = Artifact(
        folder=Path(order["folder"]), path=Path(), variant=Variant(**order["variant"])
    )
    for name, path in order["jobs"]:
        try:
            engine.load(evolve(artifact, path=Path(path)), LoadOptions(**order["options"]))
            result = "it was loaded"
        except HotbedError:
            result = "refused"
        sys.stdout.write(f"{name}\t{result}\n")
        sys.stdout.flush()


if __name__ == "__main__":
    _child()
