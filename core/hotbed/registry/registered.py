"""A version as the registry knows it, and how people name one. Nothing heavy is imported here."""

from __future__ import annotations

from collections.abc import Mapping

from attrs import field, frozen

from hotbed.errors import UsageError
from hotbed.registry.names import require_alias, require_model
from hotbed.registry.versions import LATEST, Requirement

__all__ = ["Registered", "require_reference", "split"]


@frozen(kw_only=True)
class Registered:
    """A version, as the registry knows it.

    Attributes:
        id: Its row.
        name: The model.
        version: The version.
        manifest: Digest of its manifest, which never changes.
        key: What it sorts by.
        formats: Of its runnable files.
        family: ``config.model_type``.
        dimension: Width of a vector.
        tokenizer: sha256 of ``tokenizer.json``.
        base_model: What training began with.
        size: Bytes of all files.
        created_at: When.
        created_by: Who.
        description: What people say of it.
        domain: What it is for.
        licence: A note on its licence.
        deprecated: Why nobody should use it any more; None where they may.
        tags: Name → value.
        metrics: Name → number.
        aliases: Names that point to it now.
    """

    id: int
    name: str
    version: str
    manifest: str
    key: str
    formats: tuple[str, ...]
    family: str
    dimension: int | None
    tokenizer: str
    base_model: str
    size: int
    created_at: str
    created_by: str
    description: str
    domain: str
    licence: str
    deprecated: str | None
    tags: Mapping[str, str] = field(factory=dict)
    metrics: Mapping[str, float] = field(factory=dict)
    aliases: tuple[str, ...] = ()

    def __str__(self) -> str:
        return f"{self.name}@{self.version}"


def split(reference: str) -> tuple[str, str]:
    """``name@what`` → both parts; without ``@`` the latest is meant.

    Raises:
        UsageError: The name, or an alias, would not travel.
    """
    if not isinstance(reference, str):
        raise UsageError(f"a version is named by a text, as model@1.2.0, not {reference!r:.80}")
    name, _, wanted = reference.partition("@")
    require_model(name)
    wanted = wanted or LATEST
    if Requirement.parse(wanted) is None:
        require_alias(wanted)
    return name, wanted


def require_reference(reference: str) -> None:
    """Refuse what cannot be a reference, before a database is opened.

    Raises:
        UsageError: It cannot.
    """
    if isinstance(reference, str) and not reference.strip():
        raise UsageError("a version is named as model@version, model@alias or model@^1.2")
    split(reference)
