"""The registry: versions that never change, and names that point to them."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hotbed.errors import UsageError
from hotbed.registry.boundary import os_errors_translated, translate_os_errors
from hotbed.registry.registered import Registered, require_reference

if TYPE_CHECKING:
    from hotbed.registry.archive import Imported
    from hotbed.registry.auditing import Audited
    from hotbed.registry.comparing import Comparison
    from hotbed.registry.doctoring import Diagnosis
    from hotbed.registry.garbage import Collected
    from hotbed.registry.manifest import Manifest
    from hotbed.registry.moves import Move
    from hotbed.registry.signing import Signature
    from hotbed.registry.store import Store

__all__ = ["Registry"]


@translate_os_errors
class Registry:
    """Models by name, versions by semantic versioning, aliases that roll back.

    >>> registry = Registry("./registry")  # doctest: +SKIP
    >>> registry.register("support", "./finetuned", metrics={"ndcg@10": 0.42})  # doctest: +SKIP
    >>> registry.promote("support@0.0.1", "production", why="first")  # doctest: +SKIP
    >>> hotbed.load("registry:support@production")  # doctest: +SKIP

    May be used from many threads and many processes at once.

    Args:
        where: A folder, or a ``postgresql://`` URL. None takes the settings' (``HOTBED_REGISTRY``).
        blobs: Where files are kept: a folder, or a URL as ``s3://bucket/prefix``; beside the
            database unless said (``HOTBED_REGISTRY_BLOBS``).
        who: Who is said to have done what is done; None means the user of this process.
        create: Whether to make a registry where there is none.
        connect: Whether to look at the database at once; without it the first call does.
        timeout_s: Seconds that one wait takes at most: for other writers, for a server, for a
            connection (``HOTBED_REGISTRY_TIMEOUT_S``; 30 unless said). Then an error names who
            holds what was waited for.
    """

    def __init__(
        self,
        where: str | Path | None = None,
        *,
        blobs: str | Path | None = None,
        who: str | None = None,
        create: bool = True,
        connect: bool = True,
        timeout_s: float | None = None,
        _any_store: bool = False,
    ) -> None:
        from hotbed.registry.actor import current_actor
        from hotbed.registry.failures import shown
        from hotbed.registry.schema import keep_text
        from hotbed.registry.store import open_store
        from hotbed.settings import load_settings

        if timeout_s is None:
            timeout_s = load_settings().registry_timeout_s
        if timeout_s <= 0:
            raise UsageError(f"timeout_s={timeout_s} is not a positive number of seconds")
        if where is None or (blobs is None and "://" in str(where)):
            settings = load_settings()
            where = where or settings.registry or settings.home / "registry"
            blobs = blobs or settings.registry_blobs
        self.who = keep_text("who", current_actor() if who is None else who)
        self._opened = (where, blobs, self.who, timeout_s)
        with os_errors_translated(shown(str(where))):
            self.store: Store = open_store(
                where,
                blobs,
                create=create,
                connect=connect,
                any_store=_any_store,
                timeout_s=timeout_s,
                actor=self.who,
            )

    def __repr__(self) -> str:
        return f"Registry({self.store.place!r})"

    def __enter__(self) -> Registry:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __reduce__(self) -> tuple[Callable[..., Registry], tuple[Any, ...]]:
        return _opened_again, self._opened

    def close(self) -> None:
        """Close the database's connections; the next call opens new ones."""
        self.store.database.close()

    # --- versions ----------------------------------------------------------------------------

    def register(
        self,
        name: str,
        folder: str | Path,
        *,
        version: str = "",
        bump: str = "patch",
        parent: str = "",
        base_model: str = "",
        training_data: str = "",
        description: str | None = None,
        domain: str | None = None,
        licence: str | None = None,
        tags: Mapping[str, str | None] | None = None,
        metrics: Mapping[str, float | None] | None = None,
        reference: bool = False,
        why: str = "",
    ) -> Registered:
        """Register a model folder as a version, which never changes from then on.

        Args:
            name: The model.
            folder: A model folder.
            version: ``1.2.3``; ``""`` takes the next by ``bump``.
            bump: ``major``, ``minor``, ``patch`` or ``prerelease``.
            parent: What it was made from: ``support@1.2.0``.
            base_model: What training began with; what ``hotbed.json`` tells unless said.
            training_data: What it was trained on.
            description: What people should know.
            domain: What it is for.
            licence: A note on its licence.
            tags: Name → value.
            metrics: Name → number.
            reference: Whether to run the model on known texts and keep the vectors with it, in
                ``reference_vectors.safetensors``: deployments compare before they serve it.
            why: The reason, for the audit trail.

        Raises:
            UsageError: A name, version or file cannot be used.
            ModelError: The folder is no model.
            RegistryError: The version is there already.
            NoBackendError: Nothing installed runs it, and reference vectors are wanted.
        """
        from hotbed.registry.notes import Notes
        from hotbed.registry.publishing import Publication, register

        notes = Notes(
            description=description,
            domain=domain,
            licence=licence,
            tags=tags or {},
            metrics=metrics or {},
        )
        what = Publication(
            name=name,
            folder=Path(folder).expanduser(),
            version=version,
            bump=bump,
            parent=parent,
            base_model=base_model,
            training_data=training_data,
            added=_reference_file(folder) if reference else {},
            notes=notes,
            who=self.who,
            why=why,
        )
        return register(self.store, what)

    def import_from(
        self, model: str, name: str, *, every_variant: bool = False, **what: Any
    ) -> Registered:
        """Register a model from the hub or any other source.

        >>> registry.import_from("hf://intfloat/e5-small-v2", "search")  # doctest: +SKIP

        Args:
            model: As in ``hotbed.load``.
            name: The model here.
            every_variant: Whether to take everything in it that can be run, and not only the first.
            what: ``revision``, ``token``, ``cache_folder`` and ``local_files_only`` of
                ``hotbed.load``; the rest as in ``register``.
        """
        from hotbed.registry.fetching import fetched

        ways = ("revision", "token", "cache_folder", "local_files_only")
        options = {key: what.pop(key) for key in ways if key in what}
        with fetched(model, every_variant=every_variant, **options) as (folder, origin):
            return self.register(name, folder, **{"base_model": origin, **what})

    def resolve(self, reference: str) -> Registered:
        """Find a version, quickly: ``support@production``, ``@1.2.0``, ``@^1.2``, ``@latest``.

        Raises:
            NotRegisteredError: There is none; the message says what there is.
        """
        from hotbed.registry.finding import find

        require_reference(reference)
        with self.store.database.reading() as connection:
            return find(connection, reference)

    def get(self, reference: str) -> Registered:
        """The same with tags, metrics and aliases."""
        from hotbed.registry.finding import find, full

        require_reference(reference)
        with self.store.database.reading() as connection:
            return full(connection, find(connection, reference))

    def manifest(self, reference: str) -> Manifest:
        """What never changes of a version, checked against its digest."""
        from hotbed.registry.checkout import read_manifest

        return read_manifest(self.store, self.resolve(reference))

    def search(self, **what: object) -> Sequence[Registered]:
        """The versions that a query describes; keywords as in ``Query``."""
        from hotbed.registry.searching import Query, search

        return search(self.store, Query(**what))  # type: ignore[arg-type]

    def compare(self, left: str, right: str) -> Comparison:
        """Two versions side by side."""
        from hotbed.registry.comparing import compare

        return compare(self.store, left, right)

    def annotate(
        self,
        reference: str,
        *,
        description: str | None = None,
        domain: str | None = None,
        licence: str | None = None,
        tags: Mapping[str, str | None] | None = None,
        metrics: Mapping[str, float | None] | None = None,
        why: str = "",
    ) -> Registered:
        """Change what is said of a version; None as a tag's or metric's value removes it."""
        from hotbed.registry.notes import Notes, annotate

        notes = Notes(
            description=description,
            domain=domain,
            licence=licence,
            tags=tags or {},
            metrics=metrics or {},
        )
        return annotate(self.store, reference, notes, who=self.who, why=why)

    def deprecate(self, reference: str, message: str | None, *, why: str = "") -> Registered:
        """Say why nobody should use a version; loading shows it. None takes it back."""
        from hotbed.registry.notes import deprecate

        return deprecate(self.store, reference, message, who=self.who, why=why)

    # --- files -------------------------------------------------------------------------------

    def checkout(self, reference: str, *, paranoid: bool = False) -> Path:
        """Give a model folder that holds a version, every file of it compared with its digest.

        Args:
            reference: Which.
            paranoid: Whether to read every byte again, whatever is remembered of the files.

        Raises:
            CorruptFileError, MissingFileError: A file is not what was registered.
        """
        return self.checkout_version(self.resolve(reference), _home(), paranoid=paranoid)

    def checkout_version(self, found: Registered, home: Path, *, paranoid: bool = False) -> Path:
        """The same for a version that was found before: one that is here needs no database."""
        from hotbed.models.digests import DigestCache
        from hotbed.registry.checkout import checkout

        digests = DigestCache(home / "digests.sqlite3")
        return checkout(self.store, found, home / "registered", digests, paranoid=paranoid)

    def export(
        self, references: Iterable[str], out: str | Path, *, show: bool | None = None
    ) -> list[Registered]:
        """Write versions to one tar, for a machine that reaches nothing.

        Raises:
            CorruptFileError, MissingFileError: A file is not what was registered.
        """
        from hotbed.registry.archive import export_archive

        return export_archive(self.store, references, Path(out).expanduser(), show=show)

    def import_archive(
        self, path: str | Path, *, why: str = "", show: bool | None = None
    ) -> Imported:
        """Take in what ``export`` wrote: all versions in it, or none.

        Raises:
            CorruptFileError, MissingFileError: It is cut off, or not what it says.
            RegistryError: A version is here already, and is another.
        """
        from hotbed.registry.archive import import_archive

        where = Path(path).expanduser()
        return import_archive(self.store, where, who=self.who, why=why, show=show)

    def sign(
        self, reference: str, private_key: str | Path, *, password: str | None = None, why: str = ""
    ) -> Signature:
        """Sign a version with a private key on an elliptic curve (``hotbed[signing]``).

        Raises:
            UsageError: The key cannot be used.
            CorruptFileError, MissingFileError: A file is not what was registered.
        """
        from hotbed.registry.signing import sign

        found = self.resolve(reference)
        folder = self.checkout(str(found), paranoid=True)
        key = Path(private_key).expanduser()
        return sign(self.store, found, folder, key, password=password, who=self.who, why=why)

    def verify(
        self, reference: str, public_key: str | Path, *, signature: str | Path | None = None
    ) -> Signature:
        """Check that a version, as it is now, was signed with the key of a public one.

        Args:
            reference: Which.
            public_key: A PEM file.
            signature: A file that model-signing wrote; None takes those in the registry.

        Raises:
            SignatureError: It was not; each signature's problem is named.
        """
        from hotbed.registry.signing import verify

        found = self.resolve(reference)
        folder = self.checkout(str(found), paranoid=True)
        bundle = None if signature is None else Path(signature).read_text(encoding="utf-8")
        return verify(self.store, found, folder, Path(public_key).expanduser(), bundle)

    def signatures(self, reference: str) -> list[Signature]:
        """The signatures that a version has, the oldest first; ``verify`` checks them."""
        from hotbed.registry.signing import signatures

        return signatures(self.store, self.resolve(reference))

    # --- aliases -----------------------------------------------------------------------------

    def promote(
        self, reference: str, alias: str, *, why: str = "", allow_incompatible: bool = False
    ) -> Registered:
        """Point an alias to a version.

        Raises:
            IncompatibleError: Another dimension or tokenizer: vectors would not mix.
        """
        from hotbed.registry.moves import promote

        return promote(
            self.store,
            reference,
            alias,
            who=self.who,
            why=why,
            allow_incompatible=allow_incompatible,
        )

    def rollback(self, name: str, alias: str, *, why: str = "") -> Registered:
        """Point an alias to what was promoted before; twice goes two promotions back."""
        from hotbed.registry.moves import rollback

        return rollback(self.store, name, alias, who=self.who, why=why)

    def previous(self, reference: str) -> Registered:
        """What served before: where a rollback would lead; without an alias the next lower version.

        Raises:
            NotRegisteredError: There is nothing before it.
        """
        from hotbed.registry.moves import previous

        return previous(self.store, reference)

    def unset(self, name: str, alias: str, *, why: str = "") -> None:
        """Remove an alias; its history stays."""
        from hotbed.registry.moves import unset

        unset(self.store, name, alias, who=self.who, why=why)

    def history(self, name: str, alias: str | None = None) -> list[Move]:
        """Every move of a model's aliases, or of one, the oldest first."""
        from hotbed.registry.moves import history

        return history(self.store, name, alias)

    def alias_at(self, name: str, alias: str, at: str) -> str:
        """The version that an alias pointed to at a time; ``""`` for none."""
        from hotbed.registry.moves import alias_at

        return alias_at(self.store, name, alias, at)

    # --- keeping house -----------------------------------------------------------------------

    def delete(
        self, reference: str, *, why: str = "", even_if_reachable: bool = False
    ) -> Registered:
        """Delete a version that no alias, lease, descendant or rollback can reach."""
        from hotbed.registry.removal import delete_version

        return delete_version(
            self.store, reference, who=self.who, why=why, even_if_reachable=even_if_reachable
        )

    def lease(self, reference: str, seconds: float = 3600.0) -> AbstractContextManager[Registered]:
        """Keep a version from being deleted while the block runs."""
        from hotbed.registry.removal import lease

        return lease(self.store, reference, self.who, seconds)

    def gc(
        self,
        *,
        dry: bool = False,
        older_than: float = 3600.0,
        abandon: Collection[str] = (),
    ) -> Collected:
        """Remove the blobs that no version reaches, and that nobody wanted for so many seconds.

        Args:
            dry: Whether only to count them.
            older_than: Seconds.
            abandon: Heads that the store remembers and the database does not know, as the refusal
                lists them: what was registered until then is given up.

        Raises:
            RegistryError: The store is another registry's, or the database an older copy.
        """
        from hotbed.registry.garbage import collect

        return collect(self.store, dry=dry, older_than=older_than, abandon=abandon)

    @classmethod
    def adopt(
        cls,
        where: str | Path | None = None,
        *,
        blobs: str | Path | None = None,
        previous: str | None = None,
    ) -> Registry:
        """Open a registry and make it the owner of its store, which carries no id or another's.

        Args:
            where: The registry.
            blobs: Its store.
            previous: The id that the store carries; None where it carries none.

        Raises:
            RegistryError: It carries another id than the one named.
        """
        opened = cls(where, blobs=blobs, _any_store=True)
        opened.store.ownership.adopt(previous)
        return opened

    def doctor(
        self,
        copies: Sequence[str | Path] = (),
        *,
        mend: bool = False,
        part: tuple[int, int] = (1, 1),
    ) -> Diagnosis:
        """Read everything that versions need, and say what is damaged.

        Args:
            copies: Folders in which copies may lie: a model as it was registered, another registry.
            mend: Whether to mend what is damaged from them, and from checked-out versions.
            part: ``(2, 7)`` reads the second seventh of the files: for a run every night.
        """
        from hotbed.registry.doctoring import examine, repair

        found = examine(self.store, part)
        if not mend or not found.faults:
            return found
        places = [*map(Path, copies), _home() / "registered"]
        return repair(self.store, found, places)

    def audit(self, known: tuple[int, str] | None = None) -> Audited:
        """Check the chain of events, and that everything else follows from it.

        Args:
            known: A head that was kept elsewhere; the chain has to hold it still.

        Raises:
            RegistryError: Something was edited, removed or moved; the first is named.
        """
        from hotbed.registry.auditing import audit

        return audit(self.store, known)


def _home() -> Path:
    from hotbed.settings import load_settings

    return load_settings().home


def _opened_again(
    where: str | Path, blobs: str | Path | None, who: str, timeout_s: float
) -> Registry:
    return Registry(where, blobs=blobs, who=who, create=False, connect=False, timeout_s=timeout_s)


def _reference_file(folder: str | Path) -> Mapping[str, bytes]:
    from hotbed.registry.reference import REFERENCE_FILE, compute_reference

    return {REFERENCE_FILE: compute_reference(Path(folder).expanduser()).encode()}
