"""``hotbed doctor``, and each plugin in a process of its own."""

from __future__ import annotations

import json
import os
import subprocess
import time
from pathlib import Path
from typing import Any

import pytest

from hotbed.backends.catalog import BACKENDS, SOURCES, WRAPPERS
from tests.cli.conftest import Run
from tests.distributions import install

MANIFEST = """
from hotbed.backends import Capability, Manifest, hookimpl
HOTBED = Manifest(
    name="acme", hook_api=1, capabilities=[Capability(action="embed", formats="acme")]
)
"""
READ_AT_ZERO = "import ctypes\nctypes.string_at(0)\n"
POSIX = pytest.mark.skipif(os.name == "nt", reason="signals are POSIX")


def test_it_finds_nothing_to_mend_here(hotbed: Run) -> None:
    """On a sound installation it exits 0 and names the live onnxruntime."""
    done = hotbed("doctor", "--json")
    report = json.loads(done.stdout)
    assert (done.returncode, report["problems"], report["isolated"]) == (0, [], False)
    assert report["packages"]["onnxruntime"] in report["backends"][0]["reason"]
    assert "nothing needs mending" in hotbed("doctor").stdout


@pytest.mark.parametrize(("extra", "state"), [("fast", "not installed"), ("", "cannot run")])
def test_an_extra_that_nobody_asked_for_is_no_fault(
    hotbed: Run, tmp_path: Path, extra: str, state: str
) -> None:
    """A backend without what its extra brings is a choice; without a plain dependency, a fault."""
    manifest = f"""
from hotbed.backends import Capability, Manifest
HOTBED = Manifest(name="acme", hook_api=1, needs="acme_runtime", extra={extra!r},
                  capabilities=(Capability(action="embed", formats="onnx"),))
"""
    site = tmp_path / "site"
    install(site, "hotbed-acme", {BACKENDS: {"acme": "acme"}}, {"acme": manifest})
    done = hotbed("doctor", "--json", PYTHONPATH=str(site))
    (row,) = (row for row in json.loads(done.stdout)["backends"] if row["name"] == "acme")
    assert (row["state"], row["reason"]) == (state, "not installed: acme_runtime")
    assert done.returncode == (0 if extra else 1)


def test_two_wheels_of_onnxruntime(hotbed: Run, tmp_path: Path) -> None:
    """Metadata of both wheels in one environment is a problem, with the command that mends it."""
    other = tmp_path / "extra" / "onnxruntime_gpu-1.31.1.dist-info"
    other.mkdir(parents=True)
    text = "Metadata-Version: 2.1\nName: onnxruntime-gpu\nVersion: 1.31.1\n"
    (other / "METADATA").write_text(text, encoding="utf-8")
    done = hotbed("doctor", PYTHONPATH=str(other.parent))
    assert done.returncode == 1
    assert "two wheels of one module" in done.stdout
    assert "pip uninstall -y onnxruntime onnxruntime-gpu" in done.stdout


def test_a_broken_plugin_of_any_kind_needs_mending(hotbed: Run, tmp_path: Path) -> None:
    """A backend, a wrapper and a source that fail are each told, in both ways of looking."""
    entries = {BACKENDS: {"one": "one"}, WRAPPERS: {"two": "two"}, SOURCES: {"three": "three"}}
    modules = {"one": "raise ImportError('no one')", "two": "raise SystemExit(2)", "three": "x = 3"}
    install(tmp_path / "site", "hotbed-acme", entries, modules)
    for arguments in (["doctor", "--json"], ["doctor", "--json", "--isolated"]):
        done = hotbed(*arguments, PYTHONPATH=str(tmp_path / "site"))
        assert done.returncode == 1, done.stderr
        fix = "fix: pip install -U hotbed-acme, or keep it out: HOTBED_BLOCKED="
        assert json.loads(done.stdout)["problems"] == [
            f"one (hotbed-acme): broken: ImportError: no one; {fix}one",
            f"wrapper two (hotbed-acme): broken: SystemExit: 2; {fix}two",
            "source three (hotbed-acme): broken: three has no function `locate`",
        ]


def test_isolated_finds_the_same_as_here(hotbed: Run) -> None:
    """On a sound installation both ways give the same rows but for the time."""
    here = json.loads(hotbed("doctor", "--json").stdout)
    done = hotbed("doctor", "--isolated", "--json")
    apart = json.loads(done.stdout)
    assert (done.returncode, apart["isolated"]) == (0, True)
    for section in ("backends", "wrappers", "sources"):
        for row in apart[section]:
            assert 0 < row.pop("seconds") < 60
        assert apart[section] == here[section]


def isolated(
    hotbed: Run, site: Path, source: str, group: str = BACKENDS, timeout: float = 60.0, **env: str
) -> tuple[dict[str, Any], subprocess.CompletedProcess[str]]:
    """Install one plugin beside hotbed's own; its row, and the process."""
    install(site, "hotbed-acme", {group: {"acme": "acme"}}, {"acme": source})
    done = hotbed(
        "doctor", "--isolated", "--json", f"--timeout={timeout}", PYTHONPATH=str(site), **env
    )
    report = json.loads(done.stdout)
    rows = [row for key in ("backends", "wrappers", "sources") for row in report[key]]
    others = [row for row in rows if row["name"] != "acme"]
    assert all(row["state"] in ("works", "not installed") for row in others), others
    (mine,) = (row for row in rows if row["name"] == "acme")
    return mine, done


@POSIX
@pytest.mark.parametrize("group", [BACKENDS, WRAPPERS, SOURCES])
def test_a_native_crash_at_import_is_pinned_on_its_plugin(
    hotbed: Run, tmp_path: Path, group: str
) -> None:
    """The signal, the step and the place are told; the others are examined as ever."""
    row, done = isolated(hotbed, tmp_path / "site", READ_AT_ZERO, group)
    assert done.returncode == 1
    assert (row["state"], row["distribution"]) == ("crashes", "hotbed-acme")
    assert row["reason"].startswith("killed by SIGSEGV while importing acme; in string_at (ctypes/")
    assert row["reason"].endswith("called from <module> (site/acme.py:2)")
    assert row["fix"] == "pip install -U hotbed-acme, or keep it out: HOTBED_BLOCKED=acme"


@POSIX
def test_a_crash_in_the_probe_is_told_as_such(hotbed: Run, tmp_path: Path) -> None:
    """The import was fine, so the reason names the action and the device that were asked about."""
    probe = "@hookimpl\ndef hotbed_probe(request):\n    import os\n    os.abort()\n"
    row, _ = isolated(hotbed, tmp_path / "site", MANIFEST + probe)
    assert row["reason"].startswith("killed by SIGABRT while probing embed on cpu; in hotbed_probe")


@POSIX
def test_a_crash_at_the_end_is_told_too(hotbed: Run, tmp_path: Path) -> None:
    """A library that fails while the process ends would spoil every exit status."""
    late = "import atexit, ctypes\natexit.register(ctypes.string_at, 0)\n" + MANIFEST
    row, _ = isolated(hotbed, tmp_path / "site", late)
    assert row["state"] == "crashes"
    assert row["reason"].startswith("killed by SIGSEGV while ending the process")
    assert row["capabilities"][0]["formats"] == ["acme"]


def test_a_plugin_that_ends_the_process_is_told_with_its_last_words(
    hotbed: Run, tmp_path: Path
) -> None:
    """``os._exit`` leaves no exception; what was said on standard error is repeated."""
    source = "import os, sys\nprint('licence expired', file=sys.stderr, flush=True)\nos._exit(7)\n"
    row, _ = isolated(hotbed, tmp_path / "site", source)
    assert row["reason"] == (
        "ended the process with status 7 while importing acme; it said: licence expired"
    )


@POSIX
def test_a_plugin_that_hangs_is_given_up(hotbed: Run, tmp_path: Path) -> None:
    """After the time limit it is killed, with all that it started, and told where it hung."""
    beats = tmp_path / "beats"
    beat = f"import time\nwhile True: open({str(beats)!r}, 'a').write('x'); time.sleep(0.05)"
    source = (
        "import subprocess, sys, time\n"
        f"subprocess.Popen([sys.executable, '-c', {beat!r}])\n"
        "time.sleep(600)\n"
    )
    row, _ = isolated(hotbed, tmp_path / "site", source, timeout=8.0)
    assert (row["state"], 8 <= row["seconds"] < 60) == ("hangs", True)
    said = "gave no answer within 8 s while importing acme; in <module> (site/acme.py:3), called"
    assert row["reason"].startswith(said)
    before = beats.stat().st_size
    time.sleep(1)
    assert before == beats.stat().st_size > 0


@POSIX
def test_blocking_what_crashes_is_a_cure(hotbed: Run, tmp_path: Path) -> None:
    """With the setting that the fix names, nothing is imported and nothing needs mending."""
    row, done = isolated(hotbed, tmp_path / "site", READ_AT_ZERO, HOTBED_BLOCKED="acme")
    assert (done.returncode, row["state"]) == (0, "blocked")
    env = {"PYTHONPATH": str(tmp_path / "site"), "HOTBED_BLOCKED": "acme"}
    assert hotbed("doctor", **env).returncode == 0


@POSIX
def test_several_are_left_out_with_one_setting(hotbed: Run, tmp_path: Path) -> None:
    """The last line holds all of them, and those that are blocked already."""
    for name, source in {"first": READ_AT_ZERO, "second": READ_AT_ZERO, "third": "x = 1"}.items():
        install(tmp_path / "site", f"hotbed-{name}", {BACKENDS: {name: name}}, {name: source})
    env = {"PYTHONPATH": str(tmp_path / "site"), "HOTBED_BLOCKED": "third"}
    done = hotbed("doctor", "--isolated", **env)
    assert done.returncode == 1
    assert "first, second" in done.stdout
    assert "without them: HOTBED_BLOCKED=first,second,third" in done.stdout
    env["HOTBED_BLOCKED"] = "first,second,third"
    assert hotbed("doctor", "--isolated", **env).returncode == 0


def test_what_a_plugin_prints_spoils_nothing(hotbed: Run, tmp_path: Path) -> None:
    """Words on standard output and standard error, and a changed folder, do not reach the JSON."""
    source = (
        "import os, sys\nprint('{\"row\": 1}')\nprint('loud', file=sys.stderr)\nos.chdir('/')\n"
    )
    row, done = isolated(hotbed, tmp_path / "site", source + MANIFEST)
    assert row["state"] == "works"
    assert done.returncode == 0
    assert done.stderr == ""


def test_only_the_child_imports_plugins(hotbed: Run, tmp_path: Path) -> None:
    """Each plugin is imported once, in a process that is not the doctor's."""
    source = (
        "import os, pathlib\n"
        f"with open({str(tmp_path / 'pids')!r}, 'a') as file:\n"
        "    file.write(f'{os.getpid()} {os.getppid()}\\n')\n"
    )
    isolated(hotbed, tmp_path / "site", source + MANIFEST)
    ((child, parent),) = (line.split() for line in (tmp_path / "pids").read_text().splitlines())
    assert child != parent
