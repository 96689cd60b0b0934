"""Keys to sign with, made by cryptography."""

from __future__ import annotations

from pathlib import Path

__all__ = ["key_pair"]


def key_pair(place: Path, password: bytes | None = None) -> tuple[Path, Path]:
    """A private and a public key on P-256, in PEM."""
    from cryptography.hazmat.primitives import serialization as form
    from cryptography.hazmat.primitives.asymmetric import ec

    place.mkdir(exist_ok=True)
    key = ec.generate_private_key(ec.SECP256R1())
    closed = form.BestAvailableEncryption(password) if password else form.NoEncryption()
    private, public = place / "key.pem", place / "key.pub"
    private.write_bytes(key.private_bytes(form.Encoding.PEM, form.PrivateFormat.PKCS8, closed))
    public.write_bytes(
        key.public_key().public_bytes(form.Encoding.PEM, form.PublicFormat.SubjectPublicKeyInfo)
    )
    return private, public
