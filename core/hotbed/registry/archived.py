"""What an archive says, read as what comes from outside: checked before it is believed."""

from __future__ import annotations

import json
from typing import Any

from attrs import frozen

from hotbed.errors import CorruptFileError, UsageError
from hotbed.registry.manifest import Manifest, sha256
from hotbed.registry.names import require_files, require_model
from hotbed.registry.notes import Notes
from hotbed.registry.schema import keep_text, require_fits
from hotbed.registry.versions import Version

__all__ = ["Entry", "read_entry_manifest", "read_index"]

_VERSION = 1
"""Of the list of versions."""


@frozen(kw_only=True)
class Entry:
    """A version in an archive.

    Attributes:
        manifest: Digest of its manifest.
        notes: What is said of it.
        deprecated: Why nobody should use it any more.
        signatures: What model-signing wrote.
    """

    manifest: str
    notes: Notes
    deprecated: str | None
    signatures: tuple[str, ...]


def read_index(content: bytes) -> list[Entry]:
    """Read the list of versions.

    Raises:
        CorruptFileError: It is something else; all mistakes come together.
    """
    from pydantic import BaseModel, ConfigDict, Field

    class Said(BaseModel):
        model_config = ConfigDict(extra="ignore")

        description: str = ""
        domain: str = ""
        licence: str = ""
        tags: dict[str, str] = {}
        metrics: dict[str, float] = {}

    class Version(BaseModel):
        model_config = ConfigDict(extra="ignore")

        manifest: str = Field(pattern="^[0-9a-f]{64}$")
        notes: Said
        deprecated: str | None = None
        signatures: list[str] = []

    class Index(BaseModel):
        archive: int = Field(ge=1, le=_VERSION)
        versions: list[Version]

    _require_known(content)
    found = _validated(Index, content, "the list of versions")
    return [
        Entry(
            manifest=one.manifest,
            notes=Notes(**one.notes.model_dump()),
            deprecated=None if one.deprecated is None else keep_text("why", one.deprecated),
            signatures=tuple(one.signatures),
        )
        for one in found.versions
    ]


def _require_known(content: bytes) -> None:
    """Say of a newer archive that it is one, before anything else is said of it.

    Raises:
        CorruptFileError: A newer hotbed wrote it.
    """
    try:
        said = json.loads(content)
        version = said["archive"]
    except (ValueError, TypeError, LookupError, RecursionError):
        return  # it is told in detail
    if type(version) is int and version > _VERSION:
        raise CorruptFileError(
            f"a newer hotbed wrote the archive: version {version}, and this hotbed reads "
            f"{_VERSION}. Update hotbed"
        )


def read_entry_manifest(digest: str, content: bytes) -> Manifest:
    """Read a manifest that came from elsewhere.

    Raises:
        CorruptFileError: It is not what its name says, or no manifest.
        UsageError: A name or a path in it would not travel.
    """
    from pydantic import BaseModel, ConfigDict, Field

    if (found := sha256(content)) != digest:
        raise CorruptFileError(f"the manifest {digest} is damaged: it has sha256 {found}")

    class File(BaseModel):
        model_config = ConfigDict(strict=True)

        path: str
        sha256: str = Field(pattern="^[0-9a-f]{64}$")
        size: int = Field(ge=0)

    class Document(BaseModel):
        model_config = ConfigDict(strict=True)

        manifest: int
        name: str
        version: str
        files: list[File]
        variants: list[dict[str, Any]]
        family: str
        dimension: int | None
        max_length: int | None
        tokenizer: str
        parent: str
        base_model: str
        training_data: str
        training_digest: str
        made: list[dict[str, Any]]
        created_at: str
        created_by: str

    _validated(Document, content, f"the manifest {digest}")
    manifest = Manifest.decode(content)
    try:
        same = manifest.encode() == content
    except UsageError:
        same = False
    if not same:
        raise CorruptFileError(f"the manifest {digest} is not in the one form that it may have")
    require_model(manifest.name)
    Version.parse(manifest.version)
    require_fits(manifest)
    require_files([entry.path for entry in manifest.files])
    return manifest


def _validated(kind: Any, content: bytes, what: str) -> Any:
    from pydantic import ValidationError

    try:
        return kind.model_validate_json(content)
    except ValidationError as error:
        problems = "; ".join(
            f"{'.'.join(map(str, item['loc'])) or 'it'}: {item['msg']}" for item in error.errors()
        )
        raise CorruptFileError(f"{what} cannot be used: {problems}") from None
