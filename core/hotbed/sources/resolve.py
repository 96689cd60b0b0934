"""From what a user wrote to a model folder."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Any

from hotbed.backends.catalog import SOURCES, Catalog
from hotbed.errors import SourceError, UsageError
from hotbed.sources import default_model
from hotbed.sources.located import Located, Reference
from hotbed.user_folders import expand

__all__ = ["parse", "resolve"]

_URL = re.compile(r"(?P<scheme>[a-z][a-z0-9+.-]*)://(?P<rest>.+)")
_SCHEME = re.compile(r"(?P<scheme>[a-z][a-z0-9+-]+):(?P<rest>[^/\\].*)")
"""``registry:name@version``; two letters at least, because one is a drive of Windows."""

_SHORT = "sentence-transformers"


def parse(
    model: str,
    *,
    home: Path,
    cache: Path | None = None,
    revision: str | None = None,
    token: str | bool | None = None,
    cache_folder: str | Path | None = None,
    local_files_only: bool = False,
    registry: Any = None,
    paranoid: bool = False,
) -> Reference:
    """Read a model's name.

    ``scheme://rest`` or ``scheme:rest`` names a source; a folder that exists is itself;
    ``org/name`` is a hub model, and a bare name one of ``sentence-transformers/``, as in
    sentence-transformers. ``@revision`` (``==version`` for wheels) may follow.

    Raises:
        UsageError: It is empty, or names two revisions.
    """
    if not model or not model.strip():
        raise UsageError("the model's name is empty; name a folder, org/name, or a source URL")
    scheme, name = _scheme(model)
    written = None
    if scheme == "pypi" and "==" in name:
        name, _, written = name.partition("==")
    elif scheme != "path" and "@" in name:
        name, _, written = name.partition("@")
    if written and revision and written != revision:
        raise UsageError(f"{model!r} names the revision {written!r}, and revision={revision!r}")
    return Reference(
        scheme=scheme,
        name=name,
        revision=revision or written,
        token=token,
        cache_folder=None if cache_folder is None else expand(cache_folder),
        local_files_only=local_files_only,
        home=home,
        cache=cache,
        registry=registry,
        paranoid=paranoid,
    )


def _scheme(model: str) -> tuple[str, str]:
    if match := _URL.fullmatch(model):
        return match["scheme"], match["rest"]
    looks_like_path = model.startswith((".", "/", "~", "\\")) or Path(model).is_absolute()
    if looks_like_path or os.path.exists(model):  # noqa: PTH110 - False, not an error, for names too long
        return "path", model
    if match := _SCHEME.fullmatch(model):
        return match["scheme"], match["rest"]
    if model.count("/") > 1 or "\\" in model:
        return "path", model
    return "hf", model if "/" in model else f"{_SHORT}/{model}"


def resolve(reference: Reference, catalog: Catalog | None = None) -> Located:
    """Find the model that a reference names.

    Raises:
        SourceError: The source does not have it, or cannot be reached, or there is no such source.
    """
    if default_model.is_meant(reference):
        return default_model.locate(reference)
    catalog = catalog or Catalog(SOURCES)
    try:
        source = catalog.get(reference.scheme).plugin
    except UsageError as error:
        raise SourceError(f"no source for {reference.scheme}://: {error}") from error
    located: Located = source.locate(reference)
    return located
