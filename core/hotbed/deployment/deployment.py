"""A deployment: an embedder that follows a reference, and swaps models while it serves."""

from __future__ import annotations

import asyncio
import logging
import os
import threading
import weakref
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from attrs import evolve

from hotbed.deployment.following import follow
from hotbed.deployment.forwarding import forwarded, forwarded_property
from hotbed.deployment.health import Health
from hotbed.deployment.pool import ModelPool, RetiredError, default_pool
from hotbed.deployment.refusals import Refusals
from hotbed.deployment.serving import Opening, Serving, prepare
from hotbed.deployment.status import Change, Status
from hotbed.errors import (
    ClosedError,
    HotbedError,
    RegistryDamageError,
    RegistryUnavailableError,
    UsageError,
)
from hotbed.inference.embedder import Embedder
from hotbed.registry import Registered, Registry
from hotbed.registry.events import now
from hotbed.registry.registered import require_reference, split
from hotbed.registry.resolutions import opened_for, recall, remember
from hotbed.settings import load_settings

__all__ = ["PREVIOUS", "Deployment"]

PREVIOUS = "previous"
"""In a fallback chain: what a rollback would lead to."""

_KEPT = 100
"""Changes that a status shows."""

_OUTAGES = (RegistryUnavailableError, RegistryDamageError)
"""Errors of the registry and not of a version: they are never held against one."""

_log = logging.getLogger("hotbed.deployment")


class Deployment:
    """Whatever model a reference means now, with an embedder's methods.

    >>> with Deployment("support@production") as model:  # doctest: +SKIP
    ...     model.encode("How do I bake bread?").shape
    (384,)

    Nothing is loaded before the first call. From then on a thread follows the reference: where it
    moves, the new model is loaded, its digests are compared and its health is checked, calls that
    begin afterwards use it, and the old one is closed once no call runs on it. A candidate that
    fails is reported once, and what served goes on. Safe to use from many threads.

    Args:
        reference: ``support@production``, ``support@^1.2``, ``support`` (the latest).
        registry: A ``Registry``, a folder or a ``postgresql://`` URL; None takes the settings'.
        fallback: What serves where the model asked for cannot: ``"previous"`` (where a rollback
            would lead), ``registry:support@1.2.0``, or any model that ``hotbed.load`` takes, in
            this order. It is logged, counted and shown by ``status()``, and the model asked for is
            tried again. Empty: an error is raised.
        health: What a model has to show before it serves.
        poll: Seconds after which the reference is looked up again; PostgreSQL tells at once. None
            follows nothing: ``refresh()`` does.
        retry: Seconds after which a candidate that failed is tried again.
        pool: Where models are kept; None means the pool that this process shares.
        on_change: Called with each ``Change``, for metrics; what it raises is logged.
        options: Of ``hotbed.load``, less ``threads``, which the pool decides.
    """

    def __init__(
        self,
        reference: str,
        *,
        registry: Registry | str | Path | None = None,
        fallback: Sequence[str] = (),
        health: Health | None = None,
        poll: float | None = 5.0,
        retry: float = 60.0,
        pool: ModelPool | None = None,
        on_change: Callable[[Change], object] | None = None,
        **options: Any,
    ) -> None:
        require_reference(reference)
        if isinstance(fallback, str):
            raise UsageError(f"fallback={fallback!r}: give a list, as [{fallback!r}]")
        if "threads" in options:
            raise UsageError("threads= belongs to the pool: Deployment(..., pool=ModelPool(...))")
        if poll is not None and poll <= 0:
            raise UsageError(f"poll={poll} is not a positive number of seconds")
        if not isinstance(registry, Registry):
            registry = opened_for(registry, reference, _cache())
        self.reference = reference
        self.fallback = tuple(fallback)
        self.poll = poll
        self._on_change = on_change
        self._opening = Opening(
            registry=registry,
            options=options,
            pool=pool or default_pool(),
            health=health or Health(),
        )
        self._refusals = Refusals(retry)
        self._changes: deque[Change] = deque(maxlen=_KEPT)
        self._closed = False
        self._begin()

    def _begin(self) -> None:
        """Everything that does not survive a fork."""
        self._process = os.getpid()
        self._state = threading.Lock()  # what serves, and the counts
        self._moving = threading.RLock()  # one move at a time
        self._serving: Serving | None = None
        self._calls = self._fallback_calls = self._swaps = 0
        self._unreachable = ""
        self._stop: threading.Event | None = None

    # --- the model ---------------------------------------------------------------------------

    @contextmanager
    def use(self) -> Iterator[Embedder]:
        """Give the embedder that serves now; it stays open, and the same, for the block.

        Raises:
            ClosedError: The deployment was closed.
            HotbedError: Nothing can serve; the error is that of the model asked for.
        """
        with ExitStack() as stack:
            serving, embedder = self._pinned(stack)
            self._count(serving)
            yield embedder

    def _pinned(self, stack: ExitStack) -> tuple[Serving, Embedder]:
        while True:
            serving = self._current()
            try:
                return serving, stack.enter_context(self._opening.pool.use(serving.held))
            except RetiredError:  # it was swapped away a moment ago
                continue
            except Exception as error:  # the pool had unloaded it, and it does not load again
                self._leave(serving, error)

    encode = forwarded(Embedder.encode)
    encode_query = forwarded(Embedder.encode_query)
    encode_document = forwarded(Embedder.encode_document)
    embed_documents = forwarded(Embedder.embed_documents)
    embed_query = forwarded(Embedder.embed_query)
    similarity = forwarded(Embedder.similarity)
    similarity_pairwise = forwarded(Embedder.similarity_pairwise)
    count_tokens = forwarded(Embedder.count_tokens)
    get_embedding_dimension = forwarded(Embedder.get_embedding_dimension)
    get_sentence_embedding_dimension = get_embedding_dimension
    why = forwarded(Embedder.why)
    folder = forwarded_property(Embedder.folder)  # type: ignore[arg-type]
    loaded = forwarded_property(Embedder.loaded)  # type: ignore[arg-type]
    device = forwarded_property(Embedder.device)  # type: ignore[arg-type]
    prompts = forwarded_property(Embedder.prompts)  # type: ignore[arg-type]
    default_prompt_name = forwarded_property(Embedder.default_prompt_name)  # type: ignore[arg-type]
    similarity_fn_name = forwarded_property(Embedder.similarity_fn_name)  # type: ignore[arg-type]
    max_seq_length = forwarded_property(Embedder.max_seq_length)  # type: ignore[arg-type]

    async def aembed_documents(self, texts: Sequence[str]) -> list[list[float]]:
        """``embed_documents`` in a worker thread."""
        return await asyncio.to_thread(self.embed_documents, texts)

    async def aembed_query(self, text: str) -> list[float]:
        """``embed_query`` in a worker thread."""
        return await asyncio.to_thread(self.embed_query, text)

    # --- what happens ------------------------------------------------------------------------

    def refresh(self) -> Status:
        """Look the reference up now, and move there; the thread that follows does the same.

        Raises:
            HotbedError: Nothing serves, and nothing can.
        """
        if (error := self._look()) is not None:
            raise error
        return self.status()

    def status(self) -> Status:
        """What serves, what was refused, and what happened."""
        with self._state:
            serving = self._serving
            told = Status(
                deployment=self.reference,
                calls=self._calls,
                fallback_calls=self._fallback_calls,
                swaps=self._swaps,
                refused=self._refusals.all(),
                changes=tuple(self._changes),
            )
        if serving is None:
            return told
        embedder = serving.held.embedder
        return evolve(
            told,
            model=serving.name,
            manifest="" if serving.version is None else serving.version.manifest,
            fallback=serving.fallback,
            stale=bool(self._unreachable),
            since=serving.since,
            backend="" if embedder is None else embedder.loaded.backend,
            nbytes=0 if embedder is None else serving.held.nbytes,
            seconds=serving.checked.seconds,
            cosine=serving.checked.cosine,
        )

    def close(self) -> None:
        """Stop following, and let go of the model; calls that run end in peace."""
        self._closed = True
        if self._process != os.getpid():
            return  # the parent's
        if self._stop is not None:
            self._stop.set()
        with self._moving, self._state:
            serving, self._serving = self._serving, None
        if serving is not None:
            serving.release(self._opening.pool)

    def __enter__(self) -> Deployment:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __reduce__(self) -> tuple[Callable[..., Deployment], tuple[Any, ...]]:
        opening = self._opening
        options = {
            "registry": opening.registry,
            "fallback": self.fallback,
            "health": opening.health,
            "poll": self.poll,
            "retry": self._refusals.retry,
            **opening.options,
        }
        return _opened_again, (self.reference, options)

    def __repr__(self) -> str:
        serving = self._serving
        idle = "closed" if self._closed else "nothing loaded yet"
        return f"<Deployment {self.reference}: {idle if serving is None else serving.name}>"

    # --- moving ------------------------------------------------------------------------------

    def _require_open(self) -> None:
        if self._closed:
            raise ClosedError(f"this deployment of {self.reference} was closed; make another")
        if self._process != os.getpid():  # threads do not survive a fork, nor do sessions
            self._begin()

    def _current(self) -> Serving:
        """What serves; the first call finds it out, and the others wait."""
        self._require_open()
        serving = self._serving
        if serving is None:
            with self._moving:
                error = self._move() if self._serving is None else None
                serving = self._serving
            if error is not None:
                raise error
        if serving is None:
            raise ClosedError(f"this deployment of {self.reference} was closed; make another")
        return serving

    def _leave(self, serving: Serving, error: Exception) -> None:
        """Move away from a model that served and cannot any more."""
        with self._moving:
            if self._serving is not serving:
                return  # another call did so
            if not isinstance(error, _OUTAGES):
                self._refuse(serving.version or serving.name, error)
            with self._state:
                self._serving = None
            serving.release(self._opening.pool)
            if (failed := self._move()) is not None:
                raise failed

    def _look(self) -> Exception | None:
        """Go where the reference points; what fails is told and, where nothing serves, given."""
        self._require_open()
        with self._moving:
            return self._move()

    def _move(self) -> Exception | None:
        """Go where the reference points; where that fails and nothing serves, down the chain.

        Returns:
            Why nothing serves; None where something does.
        """
        error = self._try_target()
        if error is not None and self._serving is None and not self._try_chain(error):
            return error
        if self._stop is None and self.poll is not None:
            opening = self._opening
            look: weakref.WeakMethod[Callable[[], object]] = weakref.WeakMethod(self._look)
            self._stop = follow(
                look, opening.registry.store, split(self.reference)[0], opening.pool, self.poll
            )
        return None

    def _try_target(self) -> Exception | None:
        """Serve what the reference means; gives the error where that is not possible."""
        serving = self._serving
        try:
            target = self._opening.registry.resolve(self.reference)
        except _OUTAGES as error:
            self._lost(error)
            return error if serving is not None else self._try_last(error)
        except HotbedError as error:
            self._lost(error)
            return error
        if serving is not None and not serving.fallback and _is(serving, target):
            self._answers()
            return None
        remember(_cache(), self._opening.registry.store.place, self.reference, target)
        if (known := self._refusals.fresh(target.manifest)) is not None:
            self._answers()
            return known
        return self._try_version(target)

    def _try_last(self, outage: Exception) -> Exception | None:
        """Serve what the reference meant when the registry answered last, if that is here."""
        last = recall(_cache(), self._opening.registry.store.place, self.reference)
        if last is None or self._refusals.fresh(last.version.manifest) is not None:
            return outage
        reason = f"it is what {self.reference} meant since {last.at}, and now: {outage}"
        error = self._try_version(last.version, stale=reason)
        return None if error is None else outage

    def _try_version(self, target: Registered, *, stale: str = "") -> Exception | None:
        """Serve a version; ``stale`` says why it may not be the one that is meant by now."""
        new, failed = None, None
        try:
            new = prepare(self._opening, target)
        except _OUTAGES as error:  # not the version's fault: it is tried at the next look
            self._lost(error)
            return error
        except Exception as error:  # whatever a model, a runtime or a disk may come up with
            failed = error
        if not stale:
            self._answers()
        if new is None:
            assert failed is not None
            self._refuse(target, failed)
            return failed
        self._refusals.forget(target.manifest)
        self._switch(new, "stale" if stale else "serving", reason=stale)
        return None

    def _try_chain(self, why: Exception) -> bool:
        """Serve the first model of the fallback chain that can."""
        for entry in self.fallback:
            try:
                model = self._meant(entry)
                new = prepare(
                    self._opening, model, fallback=True, dimension=self._wanted_dimension()
                )
            except _OUTAGES as error:
                _log.warning("%s: %s cannot be found: %s", self.reference, entry, error)
                continue
            except Exception as error:
                self._refuse(entry, error)
                continue
            self._switch(new, "fallback", reason=f"{type(why).__name__}: {why}")
            return True
        return False

    def _meant(self, entry: str) -> str | Registered:
        registry = self._opening.registry
        if entry == PREVIOUS:
            return registry.previous(self.reference)
        if entry.startswith("registry:"):
            return registry.resolve(entry.removeprefix("registry:"))
        return entry

    def _wanted_dimension(self) -> int | None:
        """Vectors of a fallback have to fit the index that was built with the model asked for."""
        try:
            return self._opening.registry.resolve(self.reference).dimension
        except HotbedError:  # the registry cannot be asked, which is why a fallback is wanted
            return None

    def _switch(self, new: Serving, kind: str, reason: str = "") -> None:
        with self._state:
            old, late = self._serving, self._closed
            if not late:
                new.serve(self, self._opening.pool)
                self._serving = new
                self._swaps += old is not None
        if late:
            new.release(self._opening.pool)
            return
        if old is not None:
            old.release(self._opening.pool)
        before = "" if old is None else old.name
        self._tell(kind, new.name, before=before, reason=reason, seconds=new.took)

    def _refuse(self, model: Registered | str, error: Exception) -> None:
        key = model.manifest if isinstance(model, Registered) else model
        if self._refusals.add(key, str(model), error):
            before = "" if self._serving is None else self._serving.name
            reason = f"{type(error).__name__}: {error}"
            self._tell("refused", str(model), before=before, reason=reason)

    def _lost(self, error: Exception) -> None:
        """The registry does not answer, or knows the reference no longer; said once."""
        serving = self._serving
        if serving is not None and str(error) != self._unreachable:
            self._tell("lost", serving.name, before=serving.name, reason=str(error))
        self._unreachable = str(error)

    def _answers(self) -> None:
        """The registry answers again; said once."""
        serving, lost, self._unreachable = self._serving, self._unreachable, ""
        if serving is not None and lost:
            self._tell("found", serving.name, before=serving.name, reason="")

    def _tell(
        self, kind: str, model: str, *, before: str, reason: str, seconds: float = 0.0
    ) -> None:
        change = Change(
            kind=kind,
            at=now(),
            deployment=self.reference,
            model=model,
            before=before,
            reason=reason,
            seconds=seconds,
        )
        with self._state:
            self._changes.append(change)
        level = logging.INFO if kind in ("serving", "found") else logging.WARNING
        told = f": {reason}" if reason else ""
        goes_on = f"; {before} goes on" if before and kind in ("refused", "lost") else ""
        _log.log(level, "%s: %s %s%s%s", self.reference, kind, model, told, goes_on)
        if self._on_change is not None:
            try:
                self._on_change(change)
            except Exception:  # somebody else's code; a model must not fail for it
                _log.exception("%s: on_change failed", self.reference)

    def _count(self, serving: Serving) -> None:
        with self._state:
            self._calls += 1
            self._fallback_calls += serving.fallback


def _is(serving: Serving, target: Registered) -> bool:
    return serving.version is not None and serving.version.manifest == target.manifest


def _cache() -> Path:
    return load_settings().home / "registered"


def _opened_again(reference: str, options: dict[str, Any]) -> Deployment:
    return Deployment(reference, **options)
