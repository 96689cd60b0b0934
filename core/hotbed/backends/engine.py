"""Call one chosen backend, and hold it to its contract."""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from attrs import evolve
from numpy.typing import NDArray

from hotbed.backends.catalog import Found
from hotbed.backends.fitting import hook_manager, register
from hotbed.backends.manifest import Manifest
from hotbed.backends.probing import probe_needs
from hotbed.backends.tracing import trace_calls
from hotbed.backends.values import (
    Artifact,
    ConvertTarget,
    Layer,
    Loaded,
    LoadOptions,
    Pooling,
    Probe,
    ProbeRequest,
    Recipe,
    TokenBatch,
    Variant,
)
from hotbed.errors import BackendError, HotbedError, HotbedWarning

__all__ = ["Engine"]

_UNDECLARED = "the manifest declares the action, so the hook has to serve it."
_ADVICE = {
    "hotbed_embed": "give a dict of arrays, by the names in `outputs`.",
    "hotbed_convert": "give a tuple of Variant, one for each file written.",
    "hotbed_quantize": "give a tuple of Variant, one for each file written.",
    "hotbed_layers": "give a tuple of Layer.",
    "hotbed_pool": "give an array, or None to leave it to the core.",
}
"""What a hook has to give, for whoever writes it."""


class Engine:
    """One backend behind a small plugin manager of its own: core's defaults, wrappers, backend.

    A manager for each backend, because a cached ``subset_hook_caller`` on a shared one reaches
    plugins that were registered later, and so calls the wrong engine.

    Args:
        found: The backend.
        wrappers: Plugins that wrap hooks: timing, tracing.
        defaults: Plugins asked after the backend: the core's own pooling.
        trace: Whether each hook call is printed on standard error.
    """

    def __init__(
        self,
        found: Found,
        *,
        wrappers: Iterable[Found] = (),
        defaults: Iterable[object] = (),
        trace: bool = False,
    ) -> None:
        if found.manifest is None:
            raise BackendError(f"{_who(found)} has no manifest: `HOTBED = Manifest(...)`")
        self.found = found
        self.manifest: Manifest = found.manifest
        self._manager = hook_manager()
        for default in defaults:
            self._manager.register(default)
        self._register(found)
        for wrapper in wrappers:
            if wrapper.usable:
                self._register(wrapper)
            elif not wrapper.blocked:
                _warn_of(wrapper)
        if trace:
            trace_calls(self._manager, found.name)

    @property
    def name(self) -> str:
        """The backend's name."""
        return self.found.name

    def probe(self, request: ProbeRequest) -> Probe:
        """Ask whether this machine can serve the request; a failing probe is an answer as well."""
        try:
            probe = self._manager.hook.hotbed_probe(request=request)
        except (Exception, SystemExit) as error:
            # Kept in the verdict, where explain() shows it.
            return Probe(ok=False, reason=f"probe failed: {type(error).__name__}: {error}")
        if probe is None:
            return probe_needs(self.manifest, self.found.dist)
        if not isinstance(probe, Probe):
            return Probe(ok=False, reason=f"probe gave {type(probe).__name__}, not Probe")
        return probe

    def load(self, artifact: Artifact, options: LoadOptions) -> Loaded:
        """Open an artifact."""
        named = evolve(options, backend=self.name)
        loaded = self._call("hotbed_load", artifact=artifact, options=named)
        return evolve(self._expect("hotbed_load", loaded, Loaded), backend=self.name)

    def embed(
        self, loaded: Loaded, batch: TokenBatch, outputs: tuple[str, ...], in_flight: int = 1
    ) -> dict[str, NDArray[np.float32]]:
        """Run one batch; every output asked for comes back with one row a text."""
        results = self._call(
            "hotbed_embed", loaded=loaded, batch=batch, outputs=outputs, in_flight=in_flight
        )
        results = self._expect("hotbed_embed", results, dict)
        for name in outputs:
            self._expect_shape(name, results.get(name), loaded, batch)
        return results

    def pool(
        self,
        loaded: Loaded,
        token_embeddings: NDArray[np.float32],
        batch: TokenBatch,
        pooling: Pooling,
    ) -> NDArray[np.float32]:
        """Pool token embeddings: by the backend if it wants to, else by the core."""
        pooled = self._call(
            "hotbed_pool",
            loaded=loaded,
            token_embeddings=token_embeddings,
            attention_mask=batch.attention_mask,
            pooling_mask=batch.pooling_mask,
            pooling=pooling,
        )
        return self._expect("hotbed_pool", pooled, np.ndarray)

    def convert(self, folder: Path, target: ConvertTarget, out: Path) -> tuple[Variant, ...]:
        """Write the folder in another format into ``out``."""
        written = self._call("hotbed_convert", folder=folder, target=target, out=out)
        return self._expect("hotbed_convert", written, tuple)

    def quantize(
        self, artifact: Artifact, recipe: Recipe, batches: Sequence[TokenBatch], out: Path
    ) -> tuple[Variant, ...]:
        """Write a quantised form of the artifact into ``out``."""
        written = self._call(
            "hotbed_quantize", artifact=artifact, recipe=recipe, batches=batches, out=out
        )
        return self._expect("hotbed_quantize", written, tuple)

    def layers(self, artifact: Artifact) -> tuple[Layer, ...]:
        """The parts of an artifact that recipes can treat by themselves; none where unknown."""
        return self._expect("hotbed_layers", self._call("hotbed_layers", artifact=artifact), tuple)

    def output_version(self, written: str) -> str:
        """What its conversions are cached under."""
        versions = [c.output_version for c in self.manifest.capabilities if c.to == written]
        return next(filter(None, versions), self.found.version)

    def close(self, loaded: Loaded) -> None:
        """Free what ``load`` opened."""
        self._call("hotbed_close", loaded=loaded)

    def _call(self, hook: str, **arguments: Any) -> Any:
        try:
            return getattr(self._manager.hook, hook)(**arguments)
        except (HotbedError, MemoryError):
            raise
        except Exception as error:
            raise BackendError(
                f"{_who(self.found)} failed in {hook}{self._wrapped(hook)}: "
                f"{type(error).__name__}: {error}"
            ) from error

    def _wrapped(self, hook: str) -> str:
        """Who else may be to blame."""
        hooks = getattr(self._manager.hook, hook).get_hookimpls()
        names = ", ".join(h.plugin_name for h in hooks if h.wrapper or h.hookwrapper)
        return f", wrapped by {names}" if names else ""

    def _expect(self, hook: str, value: Any, kind: type) -> Any:
        if isinstance(value, kind):
            return value
        raise BackendError(
            f"{_who(self.found)}: {hook} gave {type(value).__name__}, and {kind.__name__} is "
            f"expected. Backend author: {_ADVICE.get(hook, _UNDECLARED)}"
        )

    def _expect_shape(self, name: str, value: Any, loaded: Loaded, batch: TokenBatch) -> None:
        rows, tokens = batch.input_ids.shape
        width = loaded.dimension
        inner = "any" if "sentence_embedding" in loaded.outputs else width
        known: dict[str, tuple[int | str, ...]] = {
            "sentence_embedding": (rows, width),
            "token_embeddings": (rows, tokens, inner),
            "sparse": (rows, tokens),
            "colbert": (rows, tokens, "any"),
        }
        shape = tuple(getattr(value, "shape", ()))
        wanted = known.get(name, (rows, *["any"] * (len(shape) - 1)))
        if len(shape) == len(wanted) and all(
            size in ("any", found) for size, found in zip(wanted, shape, strict=True)
        ):
            return
        gave = "nothing" if value is None else f"{type(value).__name__} of the shape {shape}"
        advice = "give one row a text, in the batch's order"
        if shape[:1] == (rows,) and shape[-1:] != (width,):
            advice = f"Loaded.dimension says {width}; is that what the model gives?"
        raise BackendError(
            f"{_who(self.found)}: hotbed_embed was asked for {name!r} of {rows} texts and gave "
            f"{gave}; the shape ({', '.join(map(str, wanted))}) is expected. "
            f"Backend author: {advice}."
        )

    def _register(self, found: Found) -> None:
        name = f"{found.name} ({found.dist} {found.value})"
        if why := register(self._manager, found.plugin, name):
            raise BackendError(f"{_who(found)}: {why}")


def _warn_of(wrapper: Found) -> None:
    # A backend that cannot be used is missed when it is named; a wrapper never is.
    why = wrapper.error or wrapper.conflict
    fix = f"; fix: {wrapper.fix}" if wrapper.fix else ""
    warnings.warn(f"{_who(wrapper)} wraps no calls: {why}{fix}", HotbedWarning, stacklevel=3)


def _who(found: Found) -> str:
    return f"the plugin {found.name!r} ({found.dist} {found.version})"
