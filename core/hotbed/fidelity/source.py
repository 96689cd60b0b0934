"""What is taken for right: a model itself, or the file that something was made from."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Callable, Iterator, Sequence
from functools import partial

from attrs import define

from hotbed.backends.values import Artifact, TokenBatch
from hotbed.errors import BackendError, ModelError
from hotbed.fidelity.gate import (
    Floats,
    NumpyReference,
    Opener,
    OpenReference,
    Reference,
    RunnerReference,
)
from hotbed.inference.runner import Runner
from hotbed.models.folder import ModelFolder

__all__ = ["artifact_reference", "source_reference"]

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
    reference = _Later(partial(_choose, folder, converter, open_reference))
    try:
        yield reference
    finally:
        reference.close()


@contextlib.contextmanager
def artifact_reference(
    folder: ModelFolder, artifact: Artifact, opener: Opener
) -> Iterator[Reference]:
    """Give what a quantised form is compared with, the file it was made from, and let go of it.

    Args:
        folder: The model.
        artifact: The file.
        opener: Opens it.
    """

    def choose() -> tuple[Reference, Runner]:
        runner = opener(folder, artifact)
        return RunnerReference(runner, artifact.variant.file), runner

    reference = _Later(choose)
    try:
        yield reference
    finally:
        reference.close()


@define(eq=False)
class _Later:
    """A reference that is opened at first need, when the work is over and its memory is free."""

    _choose: Callable[[], tuple[Reference, Runner | None]]
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
            self._chosen, self._runner = self._choose()
        return self._chosen


def _choose(
    folder: ModelFolder, converter: str, opener: OpenReference
) -> tuple[Reference, Runner | None]:
    from hotbed.reference import FORWARDS

    if (other := _opened(folder, converter, opener)) is not None:
        return other
    if folder.family in FORWARDS and folder.weight_files:
        return NumpyReference(folder), None
    # Its name is nobody's, so that nobody is left out.
    note = "the converter's own engine: nothing else here reads these weights"
    return _opened(folder, "", opener, note) or (NumpyReference(folder), None)


def _opened(
    folder: ModelFolder, without: str, opener: OpenReference, note: str = ""
) -> tuple[Reference, Runner] | None:
    try:
        runner = opener(folder, without)
    except (ModelError, BackendError) as error:
        _log.info("passed over a reference for %s: %s", folder.name, error)
        return None
    if runner is None:
        return None
    return RunnerReference(runner, folder.variants[0].file, note), runner
