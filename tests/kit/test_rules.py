"""The kit's own rules: what may be skipped, what may be replaced, what is left out."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.kit.fault import HEALTHY
from tests.kit.patients import examine

SUBCLASS = """
import pytest
from hotbed.testing import EmbedSuite, ManifestSuite

class TestMine(EmbedSuite):
    backend = "patient"
"""
ABSENT = (
    HEALTHY
    + """
@hookimpl
def hotbed_probe(request):
    from hotbed.backends import Probe
    return Probe(ok=request.device != "cpu", reason="no cpu in this machine", fix="buy one")
"""
)
OTHER_FORMAT = (
    HEALTHY
    + """
from hotbed.backends import FileFormat
HOTBED = evolve(
    HOTBED,
    formats=(FileFormat(name="acme", folder="acme", suffix=".acme"),),
    capabilities=(Capability(action="embed", formats="acme"),),
)
"""
)
FORMAT_TEST = "test_shape_dtype_and_layout"
RULE = "test_no_test_was_removed_or_replaced"


def test_a_subclass_runs_every_test(tmp_path: Path) -> None:
    """Subclassing with one line runs what the zero-code suite runs."""
    mine = examine(tmp_path / "a", HEALTHY, tests=SUBCLASS)
    theirs = examine(tmp_path / "b", HEALTHY, "-k", "TestEmbed")
    assert mine.code == theirs.code == 0, mine.text + theirs.text
    counted = [outcome.report["backends"][0]["capabilities"] for outcome in (mine, theirs)]
    assert counted[0] == counted[1]


@pytest.mark.parametrize(
    "change",
    [
        "    test_order_is_the_callers = None\n",
        "    def test_order_is_the_callers(self): pass\n",
        "    @pytest.mark.xfail(reason='flaky')\n    def test_order_is_the_callers(self): pass\n",
        "    @pytest.fixture\n    def folder(self, tmp_path): return tmp_path\n",
    ],
    ids=["deleted", "replaced", "xfail that is not strict", "fixture"],
)
def test_a_test_cannot_be_taken_away(tmp_path: Path, change: str) -> None:
    """A test that was deleted or replaced, or a fixture that was, fails the suite."""
    outcome = examine(tmp_path, HEALTHY, "-k", RULE, tests=SUBCLASS + change)
    assert outcome.failed == {RULE}, outcome.text


def test_a_known_fault_can_be_stated(tmp_path: Path) -> None:
    """``xfail(strict=True, reason=…)`` is allowed, and reported as a known fault."""
    change = """
    @pytest.mark.xfail(strict=True, reason="rows are reversed, issue 7")
    def test_order_is_the_callers(self, model):
        raise AssertionError
"""
    chosen = f"{RULE} or test_order_is_the_callers"
    outcome = examine(tmp_path, HEALTHY, "-k", chosen, tests=SUBCLASS + change)
    assert outcome.code == 0, outcome.text
    (known,) = outcome.report["backends"][0]["not passed"]
    assert known["outcome"] == "known fault"
    assert "issue 7" in known["reason"] or known["test"] == "test_order_is_the_callers"


@pytest.mark.parametrize(
    "change",
    [
        "    pytestmark = pytest.mark.skip(reason='not today')\n",
        "    pytestmark = pytest.mark.skipif(True, reason='not today')\n",
    ],
)
def test_a_test_cannot_be_skipped(tmp_path: Path, change: str) -> None:
    """A skip that is no declared gap is a failure that says so."""
    outcome = examine(tmp_path, HEALTHY, "-k", FORMAT_TEST, tests=SUBCLASS + change)
    assert outcome.failed == {FORMAT_TEST}
    assert "skipped by something else than a declared gap" in outcome.text


def test_an_absent_device_is_a_gap(tmp_path: Path) -> None:
    """Where the probe says no, tests are skipped with its reason and fix."""
    outcome = examine(tmp_path, ABSENT, "-k", FORMAT_TEST, "-rs")
    assert outcome.code == 0, outcome.text
    assert "the probe says: no cpu in this machine; fix: buy one" in outcome.text
    (gap,) = outcome.report["backends"][0]["not passed"]
    assert gap["outcome"] == "gap"


def test_a_required_device_is_a_failure(tmp_path: Path) -> None:
    """With ``--hotbed-require`` the same gap fails."""
    outcome = examine(tmp_path, ABSENT, "-k", FORMAT_TEST, "--hotbed-require")
    assert outcome.failed == {FORMAT_TEST}
    assert "no cpu in this machine" in outcome.text


def test_a_model_that_nobody_can_make_is_a_gap(tmp_path: Path) -> None:
    """A format that nothing installed writes is skipped, and the reason names it."""
    outcome = examine(tmp_path, OTHER_FORMAT, "-k", FORMAT_TEST, "-rs")
    assert outcome.code == 0, outcome.text
    assert "nothing installed makes a model in acme for float32" in outcome.text


def test_what_is_not_declared_is_left_out(tmp_path: Path) -> None:
    """A manifest without ``convert`` and ``quantize`` leaves those suites out, not skipped."""
    outcome = examine(tmp_path, HEALTHY, "-k", "TestConvert or TestQuantize")
    assert outcome.code == 0, outcome.text
    assert "skipped" not in outcome.text


def test_a_backend_that_is_not_installed_is_named() -> None:
    """The error says which backends there are."""
    command = [sys.executable, "-m", "pytest", "-q", "--pyargs", "hotbed.testing.suite"]
    done = subprocess.run(
        [*command, "--hotbed-backend", "nobody"], capture_output=True, text=True, check=False
    )
    assert done.returncode != 0
    assert "'nobody' is not installed" in done.stdout + done.stderr


def test_no_backend_named_is_an_error() -> None:
    """Without a name the kit says how to give one."""
    command = [sys.executable, "-m", "pytest", "-q", "--pyargs", "hotbed.testing.suite"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode != 0
    assert "--hotbed-backend NAME" in done.stdout + done.stderr


def test_pytest_elsewhere_does_not_import_hotbed(tmp_path: Path) -> None:
    """Installing hotbed slows nobody's pytest: its plugin imports nothing of it."""
    (tmp_path / "test_mine.py").write_text(
        "import sys\n\ndef test_it():\n    assert '_hotbed_pytest' in sys.modules\n"
        "    assert not [name for name in sys.modules if name.partition('.')[0] == 'hotbed']\n",
        encoding="utf-8",
    )
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout
