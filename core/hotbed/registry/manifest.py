"""What never changes about a version: one JSON document, named by the sha256 of its bytes."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any

import attrs
from attrs import field, frozen

from hotbed.errors import CorruptFileError, UsageError
from hotbed.formats import require_version

__all__ = ["FileEntry", "Manifest", "canonical"]

_VERSION = 1


def _pairs(value: Any) -> tuple[Any, ...]:
    return tuple(value)


@frozen(kw_only=True)
class FileEntry:
    """A file of a version.

    Attributes:
        path: Relative to the model folder, with forward slashes.
        sha256: Of its bytes.
        size: In bytes.
        extra: What a later hotbed says of it: kept, because the manifest's digest is over it.
    """

    path: str
    sha256: str
    size: int
    extra: Mapping[str, Any] = field(factory=dict)

    def said(self) -> dict[str, Any]:
        """As it stands in the manifest."""
        return {**self.extra, "path": self.path, "sha256": self.sha256, "size": self.size}


@frozen(kw_only=True)
class Manifest:
    """A version, for good.

    Attributes:
        name: The model.
        version: A semantic version.
        files: Every file, in the order of their paths.
        variants: What can be run: format, storage, profile and file of each.
        family: ``config.model_type``.
        dimension: Width of a vector; None where the folder does not tell.
        max_length: Tokens of a text; None where there is no limit.
        tokenizer: sha256 of ``tokenizer.json``; ``""`` without one.
        parent: The version that it was made from, ``name@version``; ``""`` for none.
        base_model: What training began with; ``""`` where nobody says.
        training_data: What it was trained on, in words; ``""`` for nothing said.
        training_digest: sha256 of that.
        made: What hotbed made of what, with its reports: the records of ``hotbed.json``.
        created_at: When, in UTC, ISO 8601.
        created_by: Who.
        extra: What a later hotbed says: kept, because the digest is over it.
    """

    name: str
    version: str
    files: tuple[FileEntry, ...] = field(converter=_pairs)
    variants: tuple[Mapping[str, Any], ...] = field(converter=_pairs, default=())
    family: str = ""
    dimension: int | None = None
    max_length: int | None = None
    tokenizer: str = ""
    parent: str = ""
    base_model: str = ""
    training_data: str = ""
    training_digest: str = ""
    made: tuple[Mapping[str, Any], ...] = field(converter=_pairs, default=())
    created_at: str
    created_by: str
    extra: Mapping[str, Any] = field(factory=dict)

    @property
    def formats(self) -> tuple[str, ...]:
        """Formats of the variants, each once."""
        return tuple(sorted({str(variant["format"]) for variant in self.variants}))

    @property
    def size(self) -> int:
        """Bytes of all files."""
        return sum(entry.size for entry in self.files)

    def encode(self) -> bytes:
        """The bytes whose sha256 names the manifest.

        Raises:
            UsageError: Something in it cannot be written: half a character, a number without end.
        """
        try:
            said = {name: value for name, value in attrs.asdict(self).items() if name != "extra"}
            said["files"] = [entry.said() for entry in self.files]
            return canonical({**self.extra, "manifest": _VERSION, **said})
        except (ValueError, TypeError, RecursionError) as error:
            raise UsageError(
                f"{self.name}@{self.version} cannot be registered: what its files say of it cannot "
                f"be kept: {error!s:.200}"
            ) from error

    @classmethod
    def decode(cls, content: bytes) -> Manifest:
        """Read what ``encode`` wrote.

        Raises:
            CorruptFileError: It is something else.
        """
        try:
            value = json.loads(content)
            version = value.pop("manifest")
            require_version({"version": version}, "manifest", _VERSION)
            files = [_entry(entry) for entry in value.pop("files")]
            known = {name: value.pop(name) for name in _FIELDS if name in value}
            return cls(files=files, extra=value, **known)
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
            raise CorruptFileError(f"this is no manifest of a version: {error}") from error

    def subjects(self) -> list[dict[str, Any]]:
        """The files as in-toto's Statement lists subjects, so that signing maps one to one."""
        return [{"name": entry.path, "digest": {"sha256": entry.sha256}} for entry in self.files]


_FIELDS = tuple(one.name for one in attrs.fields(Manifest) if one.name not in ("files", "extra"))


def _entry(said: Mapping[str, Any]) -> FileEntry:
    extra = {key: value for key, value in said.items() if key not in ("path", "sha256", "size")}
    return FileEntry(path=said["path"], sha256=said["sha256"], size=said["size"], extra=extra)


def canonical(value: Any) -> bytes:
    """JSON in one form only: sorted keys, no spaces, UTF-8, no NaN."""
    return json.dumps(
        value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False
    ).encode()


def sha256(content: bytes) -> str:
    """The digest of some bytes, in hexadecimal."""
    return hashlib.sha256(content).hexdigest()
