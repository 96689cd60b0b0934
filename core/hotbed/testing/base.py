"""What all suites share: which backend, in a home of their own, and no test may be lost."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, ClassVar

import pytest

import hotbed
from hotbed.backends.engine import Engine
from hotbed.backends.values import ProbeRequest
from hotbed.errors import BackendError, UsageError
from hotbed.loading import House, default_house
from hotbed.testing.cases import NOTHING, Case, cases_of
from hotbed.testing.gaps import Gap

__all__ = ["Suite"]

_MAY_BE_SET = frozenset({"backend", "pytestmark"})


@pytest.mark.filterwarnings("ignore::hotbed.HotbedWarning")
class Suite:
    """The base of the suites.

    Attributes:
        backend: The backend's name; without it, ``--hotbed-backend`` says it.
        action: Whose capabilities make the cases.
    """

    backend: ClassVar[str] = ""
    action: ClassVar[str] = ""
    _hotbed_suite: ClassVar[bool] = True

    def pytest_generate_tests(self, metafunc: pytest.Metafunc) -> None:
        """Run each test once for each thing that the manifest declares."""
        if "case" in metafunc.fixturenames:
            name = self._named(metafunc.config)
            try:
                cases = cases_of(name, self.action)
            except UsageError as error:
                raise pytest.Collector.CollectError(str(error)) from None
            metafunc.parametrize("case", cases or [NOTHING], ids=str)

    @classmethod
    def _named(cls, config: pytest.Config) -> str:
        name = cls.backend or config.getoption("hotbed_backend")
        if not name:
            raise pytest.Collector.CollectError(
                f"{cls.__name__} tests a backend, and none was named: "
                f'--hotbed-backend NAME, or `backend = "NAME"` in a subclass'
            )
        return str(name)

    @pytest.fixture
    def name(self, request: pytest.FixtureRequest) -> str:
        """The backend under test."""
        return self._named(request.config)

    @pytest.fixture(autouse=True)
    def own_home(
        self, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
    ) -> Iterator[None]:
        """Keep what the kit converts out of the user's cache, in one home for the whole run."""
        home = tmp_path_factory.getbasetemp() / "hotbed-kit-home"
        monkeypatch.setenv("HOTBED_HOME", str(home))
        # Spawned children of multiprocessing import nothing from the current directory.
        monkeypatch.setenv("PYTHONSAFEPATH", "1")
        hotbed.refresh()
        yield
        hotbed.refresh()

    @pytest.fixture
    def house(self, own_home: None) -> House:
        """The catalogs and settings of this process."""
        return default_house()

    @pytest.fixture
    def engine(self, house: House, name: str) -> Engine:
        """The backend behind its hooks."""
        try:
            return house.engine(name)
        except BackendError as error:
            pytest.fail(str(error), pytrace=False)

    def require(self, engine: Engine, case: Case) -> None:
        """Leave the test out where the backend's own probe says that it cannot run here."""
        request = ProbeRequest(action=self.action, device=case.device, dtype=case.dtype)
        answer = engine.probe(request)
        if not answer.ok:
            raise Gap(f"the probe says: {answer.reason}" + (answer.fix and f"; fix: {answer.fix}"))

    def test_no_test_was_removed_or_replaced(self) -> None:
        """Every test and fixture of the kit is the kit's own.

        To state a known fault, override the test with ``@pytest.mark.xfail(strict=True,
        reason="…")`` and call ``super()`` in it. What a manifest does not declare is not tested,
        so a test that does not apply is mended there.
        """
        mine = type(self)
        changed = [
            problem
            for cls in mine.__mro__
            if not cls.__module__.startswith("hotbed.testing.") and cls is not object
            for attribute, value in vars(cls).items()
            if (problem := _problem(attribute, value))
        ]
        assert not changed, "\n".join(changed)


def _problem(attribute: str, value: Any) -> str:
    if attribute.startswith("__") or attribute in _MAY_BE_SET or not _is_ours(attribute):
        return ""
    if not attribute.startswith("test_"):
        return f"{attribute} belongs to the kit and may not be replaced"
    for mark in getattr(value, "pytestmark", ()):
        if mark.name == "xfail" and mark.kwargs.get("strict") and mark.kwargs.get("reason"):
            return ""
    return f"{attribute} was replaced without @pytest.mark.xfail(strict=True, reason=…)"


def _is_ours(attribute: str) -> bool:
    return any(attribute in vars(cls) for cls in _suites(Suite))


def _suites(cls: type) -> Iterator[type]:
    yield cls
    child: type
    for child in cls.__subclasses__():
        if child.__module__.startswith("hotbed.testing."):
            yield from _suites(child)
