"""From a case's number to what happens in it: the same number, the same case, on any machine."""

from __future__ import annotations

import fnmatch
import shutil
from collections.abc import Sequence
from pathlib import Path
from random import Random

from attrs import frozen

from tests.fuzz.byte_mutations import BYTES
from tests.fuzz.database_mutations import DATABASES
from tests.fuzz.file_mutations import BESIDE, FILES
from tests.fuzz.json_mutations import JSON
from tests.fuzz.mutation import MEANING, NEUTRAL, UNREADABLE, Mutation, NotApplicableError, Place
from tests.fuzz.mutation import pick as pick_mutation
from tests.fuzz.onnx_mutations import GRAPHS
from tests.fuzz.seeds import GROUPS, SEEDS, Seed
from tests.fuzz.tar_mutations import TARS
from tests.fuzz.tensor_mutations import PICKLES, SAFETENSORS
from tests.fuzz.text_mutations import LINES, SETTINGS
from tests.fuzz.zip_mutations import ZIPS

__all__ = ["SEALED", "Case", "Step", "draw", "group_of", "prepare"]

SEALED = "sealed"

_BY_SUFFIX: dict[str, list[Mutation]] = {
    ".json": JSON,
    ".safetensors": SAFETENSORS,
    ".onnx": GRAPHS,
    ".pt": [*PICKLES, *ZIPS],
    ".whl": ZIPS,
    ".tar": TARS,
    ".toml": SETTINGS,
    ".jsonl": LINES,
    ".txt": LINES,
    ".sqlite3": DATABASES,
}
_TURNS = [group for group, share in GROUPS.items() for _ in range(share)]
Random(0).shuffle(_TURNS)
_TRIES = 20
_GIANT = 1 << 30


@frozen(kw_only=True)
class Step:
    """One change.

    Attributes:
        file: Which file, relative to the case's folder.
        mutation: The name of the change.
        effect: What it means for the vectors.
        told: What it did.
    """

    file: str
    mutation: str
    effect: str
    told: str

    def __str__(self) -> str:
        return f"{self.file}: {self.mutation}: {self.told}"


@frozen(kw_only=True)
class Case:
    """A number, and what it decides.

    Attributes:
        number: The case.
        session: The session's seed.
        seed: What is changed.
        target: What reads it.
        kept: Which of the drawn changes are made; None makes all.
    """

    number: int
    session: int
    seed: Seed
    target: str
    kept: tuple[int, ...] | None = None


def group_of(number: int) -> str:
    """The group whose turn a case is."""
    return _TURNS[number % len(_TURNS)]


def draw(number: int, session: int) -> Case:
    """Decide what a case does."""
    rng = Random(f"{session}/{number}")
    seed = rng.choice([one for one in SEEDS if one.group == group_of(number)])
    return Case(number=number, session=session, seed=seed, target=rng.choice(seed.targets))


def prepare(case: Case, seeds: Path, folder: Path, outside: Path) -> list[Step]:
    """Copy the case's seed, and change it.

    Args:
        case: The case.
        seeds: Where the seeds were built.
        folder: Where the changed copy goes.
        outside: The user's home, which is not the model's business.

    Returns:
        What was done; nothing where no change could be made.
    """
    shutil.copytree(seeds / case.seed.name, folder, symlinks=True)
    rng = Random(f"{case.session}/{case.number}/changes")
    count = rng.choices((1, 2, 3), (6, 3, 1))[0]
    steps = []
    for number in range(count):
        own = Random(f"{case.session}/{case.number}/{number}")
        if case.kept is None or number in case.kept:
            steps += _change(own, case.seed, folder, outside)
    return steps


def _change(rng: Random, seed: Seed, folder: Path, outside: Path) -> list[Step]:
    for _ in range(_TRIES):
        files = _files(folder, seed.files)
        if not files:
            return []
        place = Place(root=folder, file=rng.choice(files), outside=outside)
        mutation = _mutation(rng, place.file)
        beside = mutation in BESIDE
        kept = place.file.read_bytes()
        try:
            told = mutation.act(rng, place)
        except (NotApplicableError, FileExistsError, RecursionError):
            continue
        if not beside and _is_ordinary(place.file) and place.file.read_bytes() == kept:
            continue
        name = place.file.relative_to(folder).as_posix()
        sealed = not beside and any(fnmatch.fnmatch(name, glob) for glob in seed.sealed)
        effect = SEALED if sealed else mutation.effect
        return [Step(file=name, mutation=mutation.name, effect=effect, told=told)]
    return []


def _files(folder: Path, globs: Sequence[str]) -> list[Path]:
    """Ordinary files, each as often as globs name it."""
    found = [path for glob in globs for path in sorted(folder.glob(glob))]
    return [path for path in found if _is_ordinary(path)]


def _is_ordinary(path: Path) -> bool:
    return path.is_file() and not path.is_symlink() and path.stat().st_size < _GIANT


def _mutation(rng: Random, file: Path) -> Mutation:
    known = _BY_SUFFIX.get(file.suffix)
    if file.suffix == ".whl":  # pip hands it over; what else may lie in its place is pip's
        return pick_mutation(rng, [*ZIPS, *BYTES])
    if known is None:
        pools, weights = [BYTES, FILES, BESIDE], [6, 3, 1]
    else:
        pools, weights = [known, BYTES, FILES, BESIDE], [12, 3, 4, 1]
    return pick_mutation(rng, rng.choices(pools, weights)[0])


def effect_of(steps: Sequence[Step]) -> str:
    """What all changes together mean for the vectors."""
    effects = {step.effect for step in steps}
    if effects <= {NEUTRAL}:
        return NEUTRAL
    if MEANING in effects:
        return MEANING
    return SEALED if SEALED in effects else UNREADABLE
