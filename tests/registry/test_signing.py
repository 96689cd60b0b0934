"""Signatures by model-signing: what was signed verifies, and nothing else does."""

from __future__ import annotations

import base64
import json
import os
from pathlib import Path

import pytest

from hotbed.errors import CorruptFileError, RegistryError, SignatureError, UsageError
from hotbed.registry import Registry
from hotbed.testing import build_tiny
from tests.registry.damage import damaged, flip
from tests.registry.keys import key_pair

if "signing" not in os.environ.get("HOTBED_REQUIRE", "").split(","):
    pytest.importorskip("model_signing.signing", reason='needs pip install "hotbed[signing]"')


def test_what_was_signed_verifies(
    isolated: None, registry: Registry, model: Path, tmp_path: Path
) -> None:
    """Also for model-signing itself, from a checked-out folder."""
    import model_signing

    private, public = key_pair(tmp_path / "keys")
    registry.register("support", model)
    with pytest.raises(SignatureError, match="support@0.0.1 is not signed"):
        registry.verify("support", public)
    made = registry.sign("support", private, why="released")
    assert (made.who, registry.verify("support", public)) == ("ada", made)
    assert registry.audit().events == 2
    saved = tmp_path / "model.sig"
    saved.write_text(made.bundle, encoding="utf-8")
    config = model_signing.verifying.Config().use_elliptic_key_verifier(public_key=public)
    config.verify(registry.checkout("support"), saved)
    assert registry.verify("support", public, signature=saved).bundle == made.bundle


def test_another_key(isolated: None, registry: Registry, model: Path, tmp_path: Path) -> None:
    """It is refused; one signature of several that fits is enough."""
    private, public = key_pair(tmp_path / "ours")
    others, other = key_pair(tmp_path / "theirs")
    registry.register("support", model)
    registry.sign("support", private)
    with pytest.raises(
        SignatureError,
        match=r"the signature of ada, .*key",
    ):
        registry.verify("support", other)
    registry.sign("support", others)
    registry.verify("support", other)
    registry.verify("support", public)


def test_a_signature_of_another_version(
    isolated: None, registry: Registry, model: Path, tmp_path: Path
) -> None:
    """Even with the same files: name and number are signed too."""
    private, public = key_pair(tmp_path / "keys")
    registry.register("support", model)
    registry.register("support", model)
    made = registry.sign("support@0.0.1", private)
    saved = tmp_path / "model.sig"
    saved.write_text(made.bundle, encoding="utf-8")
    with pytest.raises(SignatureError, match="and support@0.0.2 has manifest"):
        registry.verify("support@0.0.2", public, signature=saved)
    bundle = json.loads(made.bundle)
    forged = base64.b64decode(bundle["dsseEnvelope"]["payload"]).replace(b"bert", b"bart", 1)
    for payload in (base64.b64encode(forged + b" ").decode(), "no base64!"):
        bundle["dsseEnvelope"]["payload"] = payload
        saved.write_text(json.dumps(bundle), encoding="utf-8")
        with pytest.raises(SignatureError):
            registry.verify("support@0.0.1", public, signature=saved)


def test_a_damaged_file(isolated: None, registry: Registry, model: Path, tmp_path: Path) -> None:
    """It is seen whatever its times say; damaged files are not signed either."""
    private, public = key_pair(tmp_path / "keys")
    registry.register("support", model)
    registry.sign("support", private)
    damaged(registry, "model.safetensors", flip, keep=True)
    with pytest.raises(CorruptFileError, match="model.safetensors"):
        registry.verify("support", public)
    with pytest.raises(CorruptFileError, match="model.safetensors"):
        registry.sign("support", private)


def test_keys(isolated: None, registry: Registry, model: Path, tmp_path: Path) -> None:
    """With a password, without the right one, and what is no key."""
    private, public = key_pair(tmp_path / "keys", b"secret")
    registry.register("support", model)
    registry.sign("support", private, password="secret")
    registry.verify("support", public)
    for password in (None, "wrong"):
        with pytest.raises(UsageError, match="cannot be used to sign"):
            registry.sign("support", private, password=password)
    with pytest.raises(UsageError, match="cannot be used to sign"):
        registry.sign("support", model / "config.json")
    with pytest.raises(UsageError, match="is no file"):
        registry.verify("support", tmp_path / "nothing")


def test_signatures_travel(isolated: None, registry: Registry, model: Path, tmp_path: Path) -> None:
    """With the version, in an archive."""
    private, public = key_pair(tmp_path / "keys")
    registry.register("support", model)
    registry.sign("support", private)
    registry.export(["support"], tmp_path / "a.tar")
    with Registry(tmp_path / "elsewhere", who="bob") as other:
        other.import_archive(tmp_path / "a.tar")
        assert other.verify("support@0.0.1", public).who == "bob"


def test_reference_vectors_are_signed_too(
    isolated: None, registry: Registry, tmp_path: Path
) -> None:
    """Whatever a version holds is in the statement."""
    private, public = key_pair(tmp_path / "keys")
    folder = build_tiny(tmp_path / "m", max_seq_length=32)
    (folder / ".gitattributes").write_text("*.onnx filter=lfs\n", encoding="utf-8")
    registry.register("support", folder, reference=True)
    made = registry.sign("support", private)
    assert registry.verify("support", public) == made


def test_without_the_package(
    registry: Registry, model: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, isolated: None
) -> None:
    """The error says how to install it."""
    import sys

    registry.register("support", model)
    for name in ("model_signing.signing", "model_signing.verifying"):
        monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(RegistryError, match=r'pip install "hotbed\[signing\]"'):
        registry.sign("support", tmp_path / "key")
