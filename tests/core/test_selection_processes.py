"""The same decision in every process, whatever order its sets happen to have."""

from __future__ import annotations

import hashlib
import json
import os
import random
import subprocess
import sys
from pathlib import Path

from hotbed.backends.decision import Model, Rules
from hotbed.backends.selection import select
from tests.core.backends import backend
from tests.core.machines import (
    CAPABILITIES,
    DEVICES,
    DISTS,
    MEASUREMENTS,
    NAMES,
    REQUESTS,
    VARIANTS,
    probing,
)

ROOT = Path(__file__).parents[2]


def digest(machines: int) -> str:
    """A digest over the whole text of the decisions on many machines, the same ones each time."""
    rng = random.Random(20)
    told = hashlib.sha256()
    for _ in range(machines):
        found = [
            backend(
                name,
                *[rng.choice(CAPABILITIES[rng.choice(["embed", "convert"])]) for _ in range(3)],
                dist=rng.choice(DISTS),
            )
            for name in rng.sample(NAMES, 4)
        ]
        files = {variant.file: variant for variant in rng.choices(VARIANTS, k=3)}
        model = Model(name="m", family="bert", variants=tuple(files.values()), shape="this shape")
        rules = Rules(measured=tuple(rng.choices(MEASUREMENTS, k=5)))
        refused = {(rng.choice(NAMES), "embed", rng.choice(DEVICES)) for _ in range(4)}
        decision = select(rng.choice(REQUESTS), model, found, probing(frozenset(refused)), rules)
        told.update(f"{decision.explain()}{json.dumps(decision.as_dict())}".encode())
    return told.hexdigest()


def test_the_decision_is_the_same_in_every_process() -> None:
    """Decisions, tables and reasons are byte for byte the same for any hash seed."""
    script = "import tests.core.test_selection_processes as t; print(t.digest(200))"
    digests = set()
    for seed in ("0", "1", "2"):
        path = os.pathsep.join([str(ROOT), *sys.path])
        done = subprocess.run(
            [sys.executable, "-c", script],
            env={**os.environ, "PYTHONHASHSEED": seed, "PYTHONPATH": path},
            capture_output=True,
            text=True,
            check=True,
        )
        digests.add(done.stdout.strip())
    assert digests == {digest(200)}
