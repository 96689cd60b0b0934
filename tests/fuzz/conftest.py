"""How many cases, which ones, and the seeds that all tests here share."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.fuzz.place import build_seeds

CASES = 340
"""Of the default run: ten rounds of the groups' shares, in under a minute of processor time."""


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the fuzzer's options; they are known where pytest is started with this folder."""
    group = parser.getgroup("fuzz", "hotbed's fuzzer")
    group.addoption(
        "--fuzz-cases", type=int, metavar="N", help=f"cases to run, {CASES} unless said"
    )
    group.addoption("--fuzz-seed", type=int, metavar="N", help="which cases: 0 unless said")
    group.addoption("--fuzz-keep", metavar="FOLDER", help="keep the files of cases with findings")


@pytest.fixture(scope="session")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the seeds."""
    folder = tmp_path_factory.mktemp("fuzz")
    build_seeds(folder)
    return folder


@pytest.fixture(scope="session")
def numbers(request: pytest.FixtureRequest) -> range:
    """The cases to run."""
    return range(request.config.getoption("--fuzz-cases", None) or CASES)


@pytest.fixture(scope="session")
def session_seed(request: pytest.FixtureRequest) -> int:
    """What decides, with a number, what a case is."""
    return int(request.config.getoption("--fuzz-seed", None) or 0)


@pytest.fixture(scope="session")
def keep(request: pytest.FixtureRequest) -> Path | None:
    """Where to keep the files of cases with findings."""
    chosen = request.config.getoption("--fuzz-keep", None)
    return Path(chosen) if chosen else None
