"""Signatures of versions, by OpenSSF's model-signing: one in-toto statement over all files.

The statement's subject is named by the manifest's digest, and its resources are the manifest's
files, one to one; what is stored is what model-signing writes, so that its own command verifies a
checked-out version as well. A signature is an event of the audit trail.
"""

from __future__ import annotations

import base64
import json
import tempfile
from pathlib import Path
from typing import Any

from attrs import frozen

from hotbed.errors import RegistryError, SignatureError, UsageError
from hotbed.registry.checkout import read_manifest
from hotbed.registry.events import append, read_events
from hotbed.registry.manifest import Manifest
from hotbed.registry.registered import Registered
from hotbed.registry.store import Store

__all__ = ["SIGN", "Signature", "sign", "signatures", "verify"]

SIGN = "sign"
"""The kind of such events."""


@frozen(kw_only=True)
class Signature:
    """A signature of a version.

    Attributes:
        bundle: What model-signing wrote: a sigstore bundle, as JSON.
        who: Who signed it.
        at: When, in UTC, ISO 8601.
    """

    bundle: str
    who: str
    at: str


def sign(
    store: Store,
    found: Registered,
    folder: Path,
    private_key: Path,
    *,
    password: str | None,
    who: str,
    why: str,
) -> Signature:
    """Sign a version with a private key on an elliptic curve.

    Args:
        store: The registry.
        found: The version.
        folder: Where it is checked out, every byte of it checked.
        private_key: A PEM file.
        password: Of the key, if it has one.
        who: Who signs.
        why: Their reason.

    Raises:
        UsageError: The key cannot be used.
    """
    signing, hashing = _package("signing"), _package("hashing")
    # Its annotation says str, and cryptography, which it calls, takes bytes.
    secret = None if password is None else password.encode()
    with tempfile.TemporaryDirectory() as place:
        out = Path(place) / "model.sig"
        config = signing.Config().set_hashing_config(_every_file(hashing))
        try:
            config.use_elliptic_key_signer(private_key=private_key, password=secret)
        except (OSError, ValueError, TypeError) as error:
            raise UsageError(f"{private_key} cannot be used to sign: {error}") from error
        config.sign(folder, out)
        bundle = out.read_text(encoding="utf-8")
    _require_same(found, read_manifest(store, found), bundle)
    payload = {"manifest": found.manifest, "signature": bundle}
    with store.database.writing() as connection:
        done = append(connection, SIGN, found.name, found.version, payload, who=who, why=why)
    return Signature(bundle=bundle, who=who, at=done.at)


def signatures(store: Store, found: Registered) -> list[Signature]:
    """Signatures that a version has, the oldest first."""
    with store.database.reading() as connection:
        return [
            Signature(bundle=event.payload["signature"], who=event.who, at=event.at)
            for event in read_events(connection, found.name, [SIGN], found.version)
        ]


def verify(
    store: Store, found: Registered, folder: Path, public_key: Path, bundle: str | None = None
) -> Signature:
    """Check that a version was signed with the key that belongs to a public one, as it is now.

    Args:
        store: The registry.
        found: The version.
        folder: Where it is checked out.
        public_key: A PEM file.
        bundle: A signature that is kept elsewhere; None takes those in the registry.

    Raises:
        SignatureError: There is no signature, or none fits key and files; each is named.
    """
    if not public_key.is_file():
        raise UsageError(f"{public_key} is no file; give the public key, in PEM")
    known = signatures(store, found)
    if bundle is not None:
        known = [Signature(bundle=bundle, who="", at="")]
    if not known:
        raise SignatureError(f"{found} is not signed; `hotbed registry sign` signs it")
    manifest, problems = read_manifest(store, found), []
    for one in known:
        try:
            _verify(found, manifest, folder, public_key, one.bundle)
        except (ValueError, KeyError, TypeError, SignatureError) as error:
            made = f"the signature of {one.who}, {one.at}" if one.at else "the signature"
            problems.append(f"{made}: {error}")
        else:
            return one
    listed = "\n  ".join(problems)
    raise SignatureError(f"{found} is not signed with the key of {public_key}:\n  {listed}")


def _verify(
    found: Registered, manifest: Manifest, folder: Path, public_key: Path, bundle: str
) -> None:
    verifying, hashing = _package("verifying"), _package("hashing")
    _require_same(found, manifest, bundle)
    config = verifying.Config().use_elliptic_key_verifier(public_key=public_key)
    config.set_hashing_config(_every_file(hashing))
    with tempfile.TemporaryDirectory() as place:
        path = Path(place) / "model.sig"
        path.write_text(bundle, encoding="utf-8")
        config.verify(folder, path)


def _require_same(found: Registered, manifest: Manifest, bundle: str) -> None:
    """Refuse a statement about other files, or about another version with the same files."""
    statement = json.loads(base64.b64decode(json.loads(bundle)["dsseEnvelope"]["payload"]))
    subject = statement["subject"][0]["name"]
    if subject != found.manifest:
        raise SignatureError(f"it is of {subject!r:.80}, and {found} has manifest {found.manifest}")
    stated = {item["name"]: item["digest"] for item in statement["predicate"]["resources"]}
    held = {item["name"]: item["digest"]["sha256"] for item in manifest.subjects()}
    if odd := sorted(name for name, _ in stated.items() ^ held.items()):
        raise SignatureError(f"it is of other files: {', '.join(dict.fromkeys(odd))}")


def _every_file(hashing: Any) -> Any:
    return hashing.Config().set_ignored_paths(paths=[], ignore_git_paths=False)


def _package(name: str) -> Any:
    from importlib import import_module

    try:
        return import_module(f"model_signing.{name}")
    except ImportError as error:
        raise RegistryError(
            f'signing needs model-signing ({error}); fix: pip install "hotbed[signing]"'
        ) from error
