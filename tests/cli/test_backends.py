"""``hotbed backends``: what is installed, in which state, and why one is chosen."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

from hotbed.backends.catalog import BACKENDS, WRAPPERS
from tests.cli.conftest import Run
from tests.distributions import install

READY = """
from hotbed.backends import Capability, Manifest, Probe, hookimpl
HOTBED = Manifest(
    name="acme",
    summary="Acme's [accelerator]",
    url="https://acme.example",
    hook_api={hook_api},
    capabilities=[
        Capability(action="embed", formats=("acme", "onnx"), devices=("npu", "cpu"),
                   dtypes=("float32", "bf16"), features="sparse", families=("bert", "t5")),
        Capability(action="quantize", formats="onnx", dtypes="int8", recipes=("static", "weights")),
        Capability(action="embed", task="rerank", formats="onnx"),
    ],
)

@hookimpl
def hotbed_probe(request):
    ok = request.device == "cpu"
    return Probe(ok=ok, reason="driver 7" if ok else "no NPU", fix="" if ok else "insert one")
"""
EMPTY = """
from hotbed.backends import Manifest
HOTBED = Manifest(name="acme", hook_api=1, capabilities=())
"""
TIMER = """
from hotbed.backends import hookimpl

@hookimpl(wrapper=True)
def hotbed_{hook}(loaded):
    return (yield)
"""


@pytest.fixture
def site(tmp_path: Path) -> Path:
    """A folder for distributions; give it to the command as PYTHONPATH."""
    return tmp_path / "site"


def listed(hotbed: Run, site: Path, **env: str) -> dict[str, dict[str, Any]]:
    """The rows of ``hotbed backends --json`` by name and kind, such as ``acme backend``."""
    done = hotbed("backends", "--json", PYTHONPATH=str(site), **env)
    assert done.returncode == 0, done.stderr
    assert "Traceback" not in done.stderr
    sections = json.loads(done.stdout)
    assert set(sections) == {"backends", "wrappers"}
    return {f"{row['name']} {row['kind']}": row for rows in sections.values() for row in rows}


def acme(site: Path, hook_api: int = 1) -> None:
    """Install a backend with a bit of everything."""
    source = READY.format(hook_api=hook_api)
    install(site, "hotbed-acme", {BACKENDS: {"acme": "acme"}}, {"acme": source}, version="2.1")


def test_hotbeds_own_backend_works(hotbed: Run, site: Path) -> None:
    """It tells its distribution, its module's file, and which onnxruntime was found."""
    row = listed(hotbed, site)["onnx_cpu backend"]
    assert (row["state"], row["distribution"], row["fix"]) == ("works", "hotbed", "")
    assert row["reason"].startswith("onnxruntime ")
    assert Path(row["file"]).name == "__init__.py"
    assert Path(row["file"]).parent.name == row["module"] == "hotbed_onnx_cpu"
    actions = {c["action"]: c for c in row["capabilities"]}
    assert actions["convert"]["to"] == "onnx"
    assert actions["embed"]["here"]["cpu"]["ok"] is True


def test_a_foreign_backend_is_told_in_full(hotbed: Run, site: Path) -> None:
    """Origin, capabilities and the answer of each device stand in the JSON."""
    acme(site)
    row = listed(hotbed, site)["acme backend"]
    origin = ("hotbed-acme", "2.1", "acme", str(site / "acme.py"), False)
    keys = ("distribution", "version", "module", "file", "editable")
    assert tuple(row[key] for key in keys) == origin
    assert (row["summary"], row["hook_api"]) == ("Acme's [accelerator]", 1)
    first, second, third = row["capabilities"]
    assert (first["formats"], first["dtypes"]) == (["acme", "onnx"], ["float32", "bfloat16"])
    assert first["here"] == {
        "npu": {"ok": False, "reason": "no NPU", "fix": "insert one"},
        "cpu": {"ok": True, "reason": "driver 7", "fix": ""},
    }
    assert (second["recipes"], third["task"]) == (["static", "weights"], "rerank")


def test_the_state_is_that_of_what_a_backend_is_for(hotbed: Run, site: Path) -> None:
    """The first action on the first device decides; what else is missing is told beside it."""
    acme(site)
    row = listed(hotbed, site)["acme backend"]
    assert (row["state"], row["reason"], row["fix"]) == ("cannot run", "no NPU", "insert one")
    (site / "acme.py").write_text(
        READY.format(hook_api=1).replace('("npu", "cpu")', '("cpu", "npu")'), encoding="utf-8"
    )
    # Of the same size and in the same second, Python would take the module that it compiled before.
    os.utime(site / "acme.py", (0, 0))
    row = listed(hotbed, site)["acme backend"]
    assert (row["state"], row["reason"], row["fix"]) == ("works", "driver 7", "")
    shown = hotbed("backends", PYTHONPATH=str(site)).stdout
    assert "but not embed on npu: no NPU; fix: insert one" in " ".join(shown.split())


@pytest.mark.parametrize("columns", ["80", "120"])
def test_the_list_fits_the_terminal(hotbed: Run, site: Path, columns: str) -> None:
    """Nothing is cut off or wider than the terminal, and brackets are text, not markup."""
    acme(site)
    env = {"PYTHONPATH": str(site), "COLUMNS": columns}
    shown = hotbed("backends", **env).stdout
    assert max(map(len, shown.splitlines())) <= int(columns)
    assert "…" not in shown
    words = " ".join(shown.split())
    assert "acme cannot run" in words
    assert "about Acme's [accelerator]" in words
    assert "embed acme, onnx on npu, cpu in float32, bfloat16; profiles portable;" in words
    assert "features sparse; families bert, t5" in words
    assert "quantize onnx on cpu in int8; recipes static, weights" in words
    assert "embed rerank; onnx on cpu in float32" in words
    assert "reason no NPU fix insert one" in words
    assert "from hotbed-acme 2.1, acme" in words
    assert "3 backends: 1 works, 1 cannot run, 1 " in words
    assert str(site / "acme.py") in shown.replace("\n           ", "").replace(" ", "")


@pytest.mark.parametrize(
    ("source", "state", "reason", "fix"),
    [
        ("raise ImportError('libacme')", "broken", "ImportError: libacme", "HOTBED_BLOCKED=acme"),
        ("x = 1", "broken", "acme holds no `HOTBED = Manifest(...)`", ""),
        (READY.format(hook_api=7), "other hook API", "written for 7", "pip install -U hotbed"),
        (READY.format(hook_api=0), "other hook API", "written for 0", "install -U hotbed-acme"),
        (EMPTY, "broken", "lists nothing that it can do", ""),
    ],
)
def test_a_broken_backend_has_state_reason_and_fix(
    hotbed: Run, site: Path, source: str, state: str, reason: str, fix: str
) -> None:
    """Whatever is wrong with it, the list is made, and hotbed's own backend works beside it."""
    install(site, "hotbed-acme", {BACKENDS: {"acme": "acme"}}, {"acme": source})
    rows = listed(hotbed, site)
    assert rows["acme backend"]["state"] == state
    assert reason in rows["acme backend"]["reason"]
    assert fix in rows["acme backend"]["fix"]
    assert rows["onnx_cpu backend"]["state"] == "works"


def test_a_blocked_backend_is_shown_and_not_imported(hotbed: Run, site: Path) -> None:
    """The list says that the settings keep it out, and where its file is."""
    source = "raise SystemError('imported')"
    install(site, "hotbed-acme", {BACKENDS: {"acme": "acme"}}, {"acme": source})
    row = listed(hotbed, site, HOTBED_BLOCKED="acme")["acme backend"]
    assert (row["state"], row["fix"]) == ("blocked", "")
    assert "HOTBED_BLOCKED" in row["reason"]
    assert row["file"] == str(site / "acme.py")


def test_wrappers_are_listed_with_what_they_wrap(hotbed: Run, site: Path) -> None:
    """One that fits names its hooks; one that does not is broken, with the way out, once."""
    modules = {"timer": TIMER.format(hook="embed"), "misfit": TIMER.format(hook="emebd")}
    entries = {name: name for name in modules}
    install(site, "hotbed-timers", {WRAPPERS: entries}, modules)
    rows = listed(hotbed, site)
    assert rows["timer wrapper"]["wraps"] == ["hotbed_embed"]
    assert rows["timer wrapper"]["state"] == "works"
    misfit = rows["misfit wrapper"]
    assert (misfit["state"], "unknown hook 'hotbed_emebd'" in misfit["reason"]) == ("broken", True)
    assert misfit["fix"].endswith("HOTBED_BLOCKED=misfit")
    done = hotbed("backends", PYTHONPATH=str(site))
    assert "timer (wrapper)  works" in done.stdout
    assert "2 wrappers: 1 works, 1 broken" in done.stdout
    assert done.stderr == ""


def test_the_decision_is_explained(hotbed: Run, tiny: Path, site: Path) -> None:
    """What was asked, the answer, and each verdict from the one chosen to the ones that broke."""
    acme(site)
    install(site, "hotbed-broken", {BACKENDS: {"broken": "broken"}}, {"broken": "1 +"})
    done = hotbed("backends", "--explain", tiny, PYTHONPATH=str(site))
    assert done.returncode == 0, done.stderr
    lines = [line.rstrip() for line in done.stdout.splitlines()]
    assert lines[:2] == [
        "asked for  embed tiny: device auto, dtype as stored, backend any",
        f"answer     onnx_cpu (hotbed {_version(hotbed)})",
    ]
    heads = [line for line in lines[2:] if line and not line.startswith(" ")]
    verdicts = ["onnx_cpu  chosen", "acme  passed over", "pytorch  passed over"]
    assert heads == [*verdicts, "broken  rejected: load"]
    assert "           model.safetensors → onnx (cpu) by onnx_cpu" in lines
    assert "           not asked, for it ranks below onnx_cpu: it is not first-party" in [
        line.replace("  because  ", "           ") for line in lines
    ]


def _version(hotbed: Run) -> str:
    return hotbed("--version").stdout.split()[1]


def test_no_decision_is_an_exit_code_and_the_reasons(hotbed: Run, tiny: Path) -> None:
    """A device that nothing runs on: exit 1, no traceback, and the reason beside the backend."""
    done = hotbed("backends", "--explain", tiny, "--device", "cuda", "--backend", "onnx_cpu")
    assert done.returncode == 1
    assert "asked for  embed tiny: device cuda, dtype as stored, backend onnx_cpu" in done.stdout
    assert "answer     no backend can" in done.stdout
    assert "onnx_cpu  rejected: device" in done.stdout
    assert "asked for cuda; runs on cpu" in done.stdout


def test_the_decision_in_json(hotbed: Run, tiny: Path) -> None:
    """--json gives the decision as data, and the same exit code."""
    done = hotbed("backends", "--explain", tiny, "--json")
    assert (done.returncode, json.loads(done.stdout)["chosen"]) == (0, "onnx_cpu")
    done = hotbed("backends", "--explain", tiny, "--json", "--device", "cuda")
    assert (done.returncode, json.loads(done.stdout)["chosen"]) == (1, None)
