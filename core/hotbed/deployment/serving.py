"""A model that serves, or that is about to: opened from a registry or elsewhere, and checked."""

from __future__ import annotations

import time
import weakref
from collections.abc import Mapping
from functools import partial
from typing import Any

from attrs import define, field, frozen

from hotbed.deployment.health import Checked, Health
from hotbed.deployment.pool import Held, ModelPool
from hotbed.inference.embedder import Embedder
from hotbed.registry import Registered, Registry
from hotbed.registry.events import now

__all__ = ["Opening", "Serving", "prepare"]


@frozen(kw_only=True, eq=False)
class Opening:
    """How a deployment opens models.

    Attributes:
        registry: Where versions are found.
        options: Of ``hotbed.load``.
        pool: Where models are kept.
        health: What they have to show.
    """

    registry: Registry
    options: Mapping[str, Any]
    pool: ModelPool
    health: Health

    def load(self, model: str | Registered) -> Embedder:
        """Load a model: every digest of a version is compared before anything is opened."""
        from hotbed.loading import load

        registry = self.registry
        name = model if isinstance(model, str) else f"registry:{model}"
        if isinstance(model, Registered):  # it was found already, and may be here: no database
            registry = PinnedRegistry(registry, model)
        return load(name, registry=registry, threads=self.pool.threads, **self.options)

    def hold(self, model: str | Registered, identity: str) -> Held:
        """Hold a model in the pool; deployments that open it alike share it."""
        alike = repr(sorted(self.options.items(), key=lambda item: item[0]))
        return self.pool.hold((identity, alike), partial(self.load, model))


class PinnedRegistry(Registry):
    """A registry that knows one version already, whether its database answers or not."""

    def __init__(self, registry: Registry, version: Registered) -> None:
        vars(self).update(vars(registry))
        self._pinned = version

    def resolve(self, reference: str) -> Registered:
        """The version that is known; any other as ever."""
        known = reference == str(self._pinned)
        return self._pinned if known else super().resolve(reference)

    def close(self) -> None:
        """Nothing: the connections are those of the registry itself."""


@define(kw_only=True, eq=False)
class Serving:
    """A model that passed its check.

    Attributes:
        name: ``support@1.3.0``, or a model of the fallback chain.
        version: Its version; None for what is in no registry.
        held: Where it is kept.
        fallback: Whether it is another than the one asked for.
        checked: What its check found.
        took: Seconds of loading and checking.
        since: Since when it is ready.
        forgotten: Lets go of it when its deployment is forgotten without being closed.
    """

    name: str
    version: Registered | None
    held: Held
    fallback: bool
    checked: Checked
    took: float
    since: str = field(factory=now)
    forgotten: weakref.finalize[..., Any] | None = None

    def serve(self, deployment: object, pool: ModelPool) -> None:
        """Serve for as long as there is a deployment."""
        self.forgotten = weakref.finalize(deployment, pool.abandon, self.held)
        self.forgotten.atexit = False

    def release(self, pool: ModelPool) -> None:
        """Serve no longer: the model is closed with its last call."""
        if self.forgotten is not None:
            self.forgotten.detach()
        pool.release(self.held)


def prepare(
    opening: Opening,
    model: str | Registered,
    *,
    fallback: bool = False,
    dimension: int | None = None,
) -> Serving:
    """Load a model and check it; it serves nobody yet.

    Args:
        opening: How.
        model: A version, or a model as ``hotbed.load`` takes it.
        fallback: Whether it would stand in for another.
        dimension: Width that its vectors should have; None means the version's own.

    Raises:
        Exception: It cannot be loaded, or failed the check; nothing is held.
    """
    version = model if isinstance(model, Registered) else None
    name = str(model)
    identity = name if version is None else f"{opening.registry.store.place} {version.manifest}"
    if version is not None and dimension is None:
        dimension = version.dimension
    start = time.perf_counter()
    held = opening.hold(model, identity)
    try:
        with opening.pool.use(held) as embedder:
            checked = opening.health.check(embedder, dimension)
    except BaseException:
        opening.pool.release(held)
        raise
    return Serving(
        name=name,
        version=version,
        held=held,
        fallback=fallback,
        checked=checked,
        took=time.perf_counter() - start,
    )
