"""``hotbed registry``: register, move, look, and refuse."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.cli.conftest import Run
from tests.registry.keys import key_pair


def test_a_model_from_registration_to_rollback(hotbed: Run, tiny: Path, tmp_path: Path) -> None:
    """The commands of the documentation, one after the other, with and without --json."""

    def run(*arguments: object) -> str:
        done = hotbed("registry", *arguments, HOTBED_REGISTRY=str(tmp_path / "reg"))
        assert done.returncode == 0, done.stderr
        return done.stdout

    assert "reg" in run("init")
    assert "support@0.0.1" in run(
        "register", "support", tiny, "--metric", "ndcg=0.4", "--tag", "a=b"
    )
    second = json.loads(run("register", "support", tiny, "--bump", "minor", "--json"))
    assert (second["version"], second["formats"]) == ("0.1.0", ["safetensors"])
    assert "support@production → 0.0.1" in run("promote", "support@0.0.1", "production")
    assert "→ 0.1.0" in run("promote", "support@^0.1", "production", "--why", "better")
    assert "→ 0.0.1" in run("rollback", "support", "production", "--why", "slow")
    moves = json.loads(run("history", "support", "production", "--json"))
    assert [move["kind"] for move in moves] == ["promote", "promote", "rollback"]
    assert "slow" in run("history", "support")
    assert "→ nowhere" in run("history", "support", "production", "--at", "2020-01-01")
    assert "is annotated" in run("annotate", "support@0.1.0", "--description", "for chats")
    assert "is deprecated" in run("deprecate", "support@0.1.0", "slow; use 0.0.1")
    listed = run("list")
    assert "deprecated: slow" in listed
    assert "production" in listed
    (found,) = json.loads(run("search", "--min", "ndcg=0.3", "--tag", "a", "--json"))
    assert found["aliases"] == ["production"]
    assert "for chats" in run("show", "support@0.1.0")
    assert json.loads(run("show", "support@0.1.0", "--json"))["files"]
    assert "files are the same" in run("compare", "support@0.0.1", "support@0.1.0")
    assert "0.1.0 is deleted" in run("delete", "support@0.1.0")
    assert "removed" in run("gc")
    audit = run("audit")
    head = audit.split()[-1]
    assert json.loads(run("audit", "--head", head, "--json"))["events"] == 8
    vectors = hotbed(
        *("embed", "bread", "-m", "registry:support@production"),
        HOTBED_REGISTRY=str(tmp_path / "reg"),
    )
    assert vectors.returncode == 0, vectors.stderr
    assert len(json.loads(vectors.stdout)["embedding"]) == 32


def test_what_is_refused(hotbed: Run, tiny: Path, tmp_path: Path) -> None:
    """The message says why, the exit code is 1 or 2, and nothing is made."""

    def run(*arguments: object) -> tuple[int, str]:
        done = hotbed("registry", *arguments, HOTBED_REGISTRY=str(tmp_path / "reg"))
        return done.returncode, done.stderr

    code, said = run("list")
    assert (code, "holds no registry" in said) == (1, True), said
    assert not (tmp_path / "reg").exists()
    assert run("register", "../x", tiny)[0] == 2
    assert run("register", "support", tiny)[0] == 0
    code, said = run("register", "support", tiny, "--version", "0.0.1")
    assert (code, "is registered already" in said) == (1, True), said
    code, said = run("show", "support@^9")
    assert (code, "its highest versions are 0.0.1" in said) == (1, True), said
    assert run("annotate", "support", "--metric", "ndcg=good")[0] == 2
    assert run("rollback", "support", "production")[0] == 1
    assert run("audit", "--head", "x")[0] == 2


def test_versions_travel(hotbed: Run, tiny: Path, tmp_path: Path) -> None:
    """Checked, exported, imported elsewhere, loaded there by the registry's name."""

    def run(*arguments: object, where: str = "here") -> str:
        done = hotbed("registry", *arguments, "--registry", tmp_path / where)
        assert done.returncode == 0, done.stderr
        return done.stdout

    run("register", "support", tiny, "--reference-vectors")
    assert "fit to serve with onnx_cpu" in run("check", "support")
    checked = json.loads(run("check", "support", "--json"))
    assert (checked["version"], checked["dimension"]) == ("support@0.0.1", 32)
    assert checked["cosine"] > 0.99999
    where = ("--registry", tmp_path / "here")
    slow = hotbed("registry", "check", "support", "--max-seconds", 0, *where)
    assert (slow.returncode, "at most 0.0 s is allowed" in slow.stderr) == (1, True), slow.stderr
    assert "support@0.0.1" in run("export", "support@0.0.1", "--out", tmp_path / "a.tar")
    assert "is registered" in run("import", tmp_path / "a.tar", where="there")
    assert "here already" in run("import", tmp_path / "a.tar", where="there")
    assert "tiny@0.0.1 is registered" in run("import", "--from", tiny, where="there")
    assert json.loads(run("doctor", "--part", "1/2", "--json", where="there"))["faults"] == []
    embedded = hotbed(
        *("embed", "bread", "-m", "registry:support", "--registry", tmp_path / "there"),
        "--paranoid",
    )
    assert embedded.returncode == 0, embedded.stderr
    for wrong in (("import",), ("import", "x.tar", "--from", "y"), ("doctor", "--part", "one")):
        done = hotbed("registry", *wrong, *where)
        assert done.returncode == 2, done.stderr


def test_signatures(hotbed: Run, tiny: Path, tmp_path: Path) -> None:
    """A key with a password, which the environment holds."""
    pytest.importorskip("model_signing.signing", reason='needs pip install "hotbed[signing]"')
    private, public = key_pair(tmp_path / "keys", b"secret")

    def run(*arguments: object, **env: str) -> tuple[int, str]:
        done = hotbed("registry", *arguments, "--registry", tmp_path / "r", **env)
        return done.returncode, done.stdout + done.stderr

    run("register", "support", tiny)
    code, said = run("verify", "support", "--public-key", public)
    assert (code, "is not signed" in said) == (1, True), said
    assert run("sign", "support", "--private-key", private)[0] == 2
    code, said = run("sign", "support", "--private-key", private, HOTBED_KEY_PASSWORD="secret")
    assert (code, "support@0.0.1 is signed" in said) == (0, True), said
    code, said = run("verify", "support", "--public-key", public, "--json")
    assert (code, json.loads(said)["verified"]) == (0, "support@0.0.1")
    assert "signed" in run("show", "support")[1]
    assert len(json.loads(run("show", "support", "--json")[1])["signed"]) == 1
