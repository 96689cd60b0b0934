"""What a conversion is compared with: the model itself, run by the best that knows it here."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Iterator, Sequence

from attrs import define

from hotbed.backends.values import TokenBatch
from hotbed.errors import BackendError, ModelError
from hotbed.fidelity.gate import (
    Floats,
    NumpyReference,
    OpenReference,
    Reference,
    RunnerReference,
)
from hotbed.inference.runner import Runner
from hotbed.models.folder import ModelFolder

__all__ = ["source_reference"]

_log = logging.getLogger("hotbed.fidelity")


@contextlib.contextmanager
def source_reference(
    folder: ModelFolder, converter: str, open_reference: OpenReference
) -> Iterator[Reference]:
    """Give what a conversion of a model is compared with, and let go of it in the end.

    A backend whose capability has the feature ``reference``; without one, or where it cannot open
    the model, the family's forward in numpy. Where neither knows the family, the converter's own
    engine runs the weights that were converted, and the report says that it is the converter's:
    that finds what went wrong in writing, and not what went wrong in reading.

    Args:
        folder: The model.
        converter: Who converts.
        open_reference: Opens the model with a reference.
    """
    reference = _Source(folder, converter, open_reference)
    try:
        yield reference
    finally:
        reference.close()


@define(eq=False)
class _Source:
    """Opened at first need, when the conversion is over and its memory is free."""

    _folder: ModelFolder
    _converter: str
    _open: OpenReference
    _chosen: Reference | None = None
    _runner: Runner | None = None

    @property
    def name(self) -> str:
        return self._reference().name

    def vectors(self, batch: TokenBatch) -> Floats:
        return self._reference().vectors(batch)

    def heads(self, batch: TokenBatch, names: Sequence[str]) -> dict[str, Floats]:
        return self._reference().heads(batch, names)

    def close(self) -> None:
        runner, self._runner = self._runner, None
        if runner is not None:
            runner.engine.close(runner.loaded)

    def _reference(self) -> Reference:
        if self._chosen is None:
            self._chosen = self._choose()
        return self._chosen

    def _choose(self) -> Reference:
        from hotbed.reference import FORWARDS

        if (other := self._opened(self._converter)) is not None:
            return other
        if self._folder.family in FORWARDS and self._folder.weight_files:
            return NumpyReference(self._folder)
        # Its name is nobody's, so that nobody is left out.
        own = self._opened("", "the converter's own engine: nothing else here reads these weights")
        return own or NumpyReference(self._folder)

    def _opened(self, without: str, note: str = "") -> Reference | None:
        try:
            self._runner = self._open(self._folder, without)
        except (ModelError, BackendError) as error:
            _log.info("passed over a reference for %s: %s", self._folder.name, error)
            return None
        if self._runner is None:
            return None
        return RunnerReference(self._runner, self._folder.variants[0].file, note)
