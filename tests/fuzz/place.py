"""The folders of a session: the user's own, which nothing may touch, and what the worker has."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

from tests.fuzz.file_mutations import SECRET

__all__ = ["build_seeds", "environment", "lay_out"]

_FOLDERS = (
    *("cases", "own/home", "own/tmp", "own/config"),
    *("sentinel/work", "sentinel/home/.ssh"),
)
_OURS = (
    "HOTBED_",
    "HF_",
    "XDG_",
    "PIP_",
    "ORT_",
    "PYTEST_",
    "SENTENCE_TRANSFORMERS",
    "HUGGINGFACE",
)
_TRAPS = ("onnxruntime", "numpy", "pip", "tokenizers", "hotbed")
"""Modules in the current folder that nobody may import."""


def environment(place: Path) -> dict[str, str]:
    """Variables of a process that must find nothing of the user's, and no network."""
    env = {name: value for name, value in os.environ.items() if not name.startswith(_OURS)}
    folders = {
        "HOME": place / "sentinel" / "home",
        "HOTBED_HOME": place / "own" / "home",
        "HF_HOME": place / "own" / "hf",
        "XDG_CONFIG_HOME": place / "own" / "config",
        "TMPDIR": place / "own" / "tmp",
    }
    path = [str(Path.cwd()), *filter(None, sys.path)]
    fixed = {
        "PYTHONPATH": os.pathsep.join(path),
        "PYTHONDONTWRITEBYTECODE": "1",
        "PYTHONNOUSERSITE": "1",
        "HF_HUB_OFFLINE": "1",
        "PIP_NO_INDEX": "1",
        "PIP_CONFIG_FILE": os.devnull,
        "PIP_NO_CACHE_DIR": "1",
        "NO_PROXY": "*",
        "PATH": os.defpath,  # pip asks every rustc that it finds for its version, and rustup writes
    }
    return {**env, **fixed, **{name: str(path) for name, path in folders.items()}}


def lay_out(place: Path) -> None:
    """Make what is not there of the folders, and of a home with something to lose in it."""
    for name in _FOLDERS:
        (place / name).mkdir(parents=True, exist_ok=True)
    home, work = place / "sentinel" / "home", place / "sentinel" / "work"
    if (work / _TRAPS[-1]).exists():
        return  # written again, it would look changed
    (home / ".ssh" / "id_rsa").write_text(SECRET, encoding="utf-8")
    (home / "secret.json").write_text(json.dumps({"secret": SECRET}), encoding="utf-8")
    (home / ".bashrc").write_text("# the user's own\n", encoding="utf-8")
    trap = f"open({str(home / 'ran')!r}, 'w').close()\n"
    for name in _TRAPS:
        (work / name).mkdir()
        for file in ("__init__.py", "__main__.py"):
            (work / name / file).write_text(trap, encoding="utf-8")


def build_seeds(place: Path) -> None:
    """Build the seeds in a process of its own, with a home of its own."""
    lay_out(place)
    building = place / "building"
    lay_out(building)
    (place / "seeds").mkdir()
    subprocess.run(
        [sys.executable, "-P", "-m", "tests.fuzz.seed_building", str(place / "seeds")],
        env=environment(building),
        cwd=building,
        check=True,
        timeout=300,
    )
