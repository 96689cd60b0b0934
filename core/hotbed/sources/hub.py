"""``hf://org/name@revision``: the Hugging Face hub, through ``huggingface_hub`` and its cache.

Only the files that are needed are fetched: the small ones first, the weights once a backend has
been chosen.
"""

from __future__ import annotations

import os
import re
import threading
import warnings
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, TypeVar

from hotbed.errors import HotbedWarning, SettingsError, SourceError
from hotbed.models.folder import list_files
from hotbed.models.layout import CONFIG, is_metadata
from hotbed.sources.located import Located, Reference
from hotbed.user_folders import expand

__all__ = ["GIVE_UP_AFTER", "locate"]

GIVE_UP_AFTER = 5.0
"""Seconds. huggingface_hub alone tries an unresolvable host for more than twenty."""

_COMMIT = re.compile(r"[0-9a-f]{40}")

T = TypeVar("T")


def locate(reference: Reference) -> Located:
    """Find a model on the hub, or in the hub's cache."""
    if reference.name.count("/") != 1:
        raise SourceError(f"{reference}: a hub model is named org/name")
    pinned = bool(_COMMIT.fullmatch(reference.revision or ""))
    cached = _cached(reference) if pinned or _offline(reference) else None
    if cached is not None:
        return cached
    if _offline(reference):
        raise SourceError(
            f"{reference} is not in the hub's cache, or not whole there, and the network is out of "
            f"bounds (local_files_only, HF_HUB_OFFLINE or TRANSFORMERS_OFFLINE)"
        )
    try:
        commit, files = _listing(reference)
        small = [name for name in files if is_metadata(name)]
        path = _download(reference, commit, small)
    except SourceError as error:
        return _fall_back(reference, error)

    def fetch(wanted: Iterable[str]) -> None:
        _download(reference, commit, list(wanted))

    return Located(
        path=path,
        name=reference.name,
        origin=f"hf://{reference.name}@{commit}",
        files=frozenset(files),
        fetch=fetch,
    )


def _fall_back(reference: Reference, error: SourceError) -> Located:
    """What the cache holds, as huggingface_hub's ``snapshot_download`` gives it then.

    Raises:
        SourceError: The cache does not hold it either, or the hub says that there is no such thing.
    """
    from huggingface_hub.errors import RevisionNotFoundError

    gone = isinstance(error.__cause__, RevisionNotFoundError)
    cached = None if gone else _cached(reference)
    if cached is None:
        raise error
    warnings.warn(
        f"{error}. What the hub's cache holds is used, which may be older: {cached.origin}",
        HotbedWarning,
        stacklevel=2,
    )
    return cached


def _offline(reference: Reference) -> bool:
    # As huggingface_hub reads them: the first that holds anything counts.
    named = os.environ.get("HF_HUB_OFFLINE") or os.environ.get("TRANSFORMERS_OFFLINE") or ""
    return reference.local_files_only or named.upper() in {"1", "ON", "YES", "TRUE"}


def _cache_dir(reference: Reference) -> Path | None:
    """``SENTENCE_TRANSFORMERS_HOME`` is the cache itself, as in sentence-transformers."""
    if reference.cache_folder is not None:
        return reference.cache_folder
    home = os.environ.get("SENTENCE_TRANSFORMERS_HOME")
    return Path(home) if home else None


def _cached(reference: Reference) -> Located | None:
    """A snapshot in the cache: all that was ever fetched of it is all there is.

    Read by the hub's documented cache layout, because importing huggingface_hub takes longer than
    opening the model.
    """
    root = _cache_dir(reference) or _hub_cache()
    repository = root / f"models--{reference.name.replace('/', '--')}"
    commit = reference.revision or "main"
    ref = repository / "refs" / commit
    if ref.is_file():
        commit = ref.read_text(encoding="utf-8").strip()
    path = repository / "snapshots" / commit
    if not (path / CONFIG).exists() or _is_broken(path):
        return None
    return Located(
        path=path,
        name=reference.name,
        origin=f"hf://{reference.name}@{commit}",
        files=list_files(path),
        fetch=_completer(reference, commit, path),
    )


def _is_broken(snapshot: Path) -> bool:
    """Whether the blob of a small file is gone: the model would be another without it."""
    names = (path.relative_to(snapshot).as_posix() for path in snapshot.rglob("*"))
    return any(is_metadata(name) and not (snapshot / name).exists() for name in names)


def _completer(reference: Reference, commit: str, path: Path) -> Callable[[Iterable[str]], None]:
    def fetch(wanted: Iterable[str]) -> None:
        missing = [name for name in wanted if not (path / name).exists()]
        if missing and _offline(reference):
            raise SourceError(f"{reference}: {', '.join(missing)} is not in the hub's cache")
        if missing:
            _listing(reference)  # answers within GIVE_UP_AFTER, which a download does not
            _download(reference, commit, missing)

    return fetch


def _hub_cache() -> Path:
    """huggingface_hub's own rule, in its own order."""
    if cache := os.environ.get("HF_HUB_CACHE") or os.environ.get("HUGGINGFACE_HUB_CACHE"):
        return _expanded(cache)
    if home := os.environ.get("HF_HOME"):
        return _expanded(home) / "hub"
    base = os.environ.get("XDG_CACHE_HOME")
    return _expanded(base or "~/.cache") / "huggingface" / "hub"


def _expanded(path: str) -> Path:
    try:
        return expand(path)
    except SettingsError as error:
        raise SourceError(
            f"the hub's cache cannot be found: {error}. Set HF_HOME to a folder"
        ) from error


def _listing(reference: Reference) -> tuple[str, list[str]]:
    _without_telemetry()
    from huggingface_hub import HfApi
    from huggingface_hub.errors import HfHubHTTPError

    def ask() -> Any:
        return HfApi(token=reference.token).model_info(
            reference.name, revision=reference.revision, timeout=GIVE_UP_AFTER
        )

    try:
        info = _within(GIVE_UP_AFTER, ask)
    except HfHubHTTPError as error:
        first_line = str(error).strip().splitlines()[0]
        raise SourceError(f"{reference}: the hub refused: {first_line}") from error
    except TimeoutError as error:
        raise SourceError(f"{reference}: the hub did not answer in {GIVE_UP_AFTER:g} s") from error
    except (OSError, RuntimeError, ValueError) as error:
        raise SourceError(f"{reference}: {type(error).__name__}: {error}") from error
    except Exception as error:
        # httpx's transport errors share no base with OSError, and httpx is not our dependency.
        raise SourceError(f"{reference}: the hub cannot be reached: {error}") from error
    return info.sha, [item.rfilename for item in info.siblings or []]


def _download(reference: Reference, commit: str, files: list[str]) -> Path:
    _without_telemetry()
    from huggingface_hub import snapshot_download

    try:
        return Path(
            snapshot_download(
                reference.name,
                revision=commit,
                cache_dir=_cache_dir(reference),
                token=reference.token,
                allow_patterns=files,
            )
        )
    except Exception as error:
        # Whatever went wrong in the transfer; half files keep temporary names of the hub's.
        raise SourceError(
            f"{reference}: fetching {', '.join(files)} failed: {type(error).__name__}: {error}"
        ) from error


def _without_telemetry() -> None:
    """The library reads this when it is imported; what the user set stays."""
    os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")


def _within(seconds: float, work: Callable[[], T]) -> T:
    """Run ``work`` and stop waiting after a time; name resolution knows no timeout of its own."""
    result: list[T] = []
    failure: list[BaseException] = []

    def run() -> None:
        try:
            result.append(work())
        except BaseException as error:  # handed to the caller's thread
            failure.append(error)

    thread = threading.Thread(target=run, name="hotbed-hub", daemon=True)
    thread.start()
    thread.join(seconds)
    if failure:
        raise failure[0]
    if not result:
        raise TimeoutError
    return result[0]
