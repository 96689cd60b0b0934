"""The gate that every conversion and quantisation passes before anything becomes visible.

The core runs it on the staging folder, so no plugin can leave it out. What was written is run by
an installed backend, beside a reference that owes nothing to the writer.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol

import numpy as np
from attrs import evolve, frozen
from numpy.typing import NDArray

from hotbed.backends.manifest import DTYPES, dtype_name
from hotbed.backends.values import Artifact, TokenBatch
from hotbed.errors import BackendError, FidelityError, NoBackendError, UnsupportedModelError
from hotbed.fidelity.cases import Case, cases_for
from hotbed.fidelity.compare import compare_vectors
from hotbed.fidelity.kinds import ORDINARY
from hotbed.fidelity.report import CaseResult, Report
from hotbed.fidelity.texts import TEXTS
from hotbed.fidelity.thresholds import Threshold, threshold
from hotbed.inference.runner import TOKENS, Runner
from hotbed.inference.tokenisation import Tokenizer
from hotbed.models.folder import ModelFolder
from hotbed.models.token_heads import COLBERT, SPARSE

__all__ = ["Gate", "NumpyReference", "Reference", "RunnerReference"]

Floats = NDArray[np.float32]
Opener = Callable[[ModelFolder, Artifact], Runner]
OpenReference = Callable[[ModelFolder, str], Runner | None]
"""Open a model with a backend that is a reference, and not the one named; None: there is none."""


class Reference(Protocol):
    """Something that knows the right vectors. A protocol, because it may be numpy or an engine."""

    @property
    def name(self) -> str:
        """What it is, for the report."""
        ...

    def vectors(self, batch: TokenBatch) -> Floats:
        """Sentence embeddings of a batch, (rows, d) float32."""
        ...

    def heads(self, batch: TokenBatch, names: Sequence[str]) -> dict[str, Floats]:
        """Further outputs of a batch: ``sparse`` (rows, tokens), ``colbert`` (rows, tokens, d)."""
        ...


@frozen
class NumpyReference:
    """The family's own forward in numpy, from the folder's safetensors."""

    folder: ModelFolder

    @property
    def name(self) -> str:
        """Which forward."""
        return f"numpy forward of {self.folder.family}, float64"

    def vectors(self, batch: TokenBatch) -> Floats:
        """Run it."""
        from hotbed import reference

        return reference.sentence_embedding(self.folder.path, batch)

    def heads(self, batch: TokenBatch, names: Sequence[str]) -> dict[str, Floats]:
        """Run it."""
        from hotbed import reference

        tokens = reference.token_embeddings(self.folder.path, batch)
        return reference.token_outputs(self.folder.path, tokens, batch)


@frozen
class RunnerReference:
    """A file that is taken for right, run by a backend: what something else was made from."""

    runner: Runner
    file: str
    note: str = ""

    @property
    def name(self) -> str:
        """Which file, and what runs it."""
        note = f" ({self.note})" if self.note else ""
        return f"{self.file}, {_describe(self.runner)}{note}"

    def vectors(self, batch: TokenBatch) -> Floats:
        """Run it."""
        return self.runner.batch_vectors(batch)

    def heads(self, batch: TokenBatch, names: Sequence[str]) -> dict[str, Floats]:
        """Its own where it gives them; else made of its token embeddings, in numpy."""
        runner = self.runner
        if set(names) <= set(runner.loaded.outputs):
            return runner.engine.embed(runner.loaded, batch, tuple(names))
        from hotbed import reference

        tokens = runner.engine.embed(runner.loaded, batch, (TOKENS,))[TOKENS]
        return reference.token_outputs(runner.folder.path, tokens, batch)


@frozen(kw_only=True)
class Gate:
    """Compares what was written with a reference, and refuses what is too far off.

    Attributes:
        open: Opens a written file with an installed backend.
        open_reference: Opens a model with a backend that conversions are compared with.
        texts: What is compared; None means the built-in texts.
        built_in: Whether the texts are hotbed's own, for the report; those of None always are.
        accept_loss: Whether to let through what falls short, with a note in the report.
        least: What is asked for; None means what the storage decides.
    """

    open: Opener
    open_reference: OpenReference = lambda folder, converter: None
    texts: tuple[str, ...] | None = None
    built_in: bool = False
    accept_loss: bool = False
    least: Threshold | None = None

    def check(self, folder: ModelFolder, artifact: Artifact, reference: Reference) -> Report:
        """Compare, and give the report.

        Args:
            folder: The model that it was made from: tokenizer, pooling, modules.
            artifact: What was written; how its weights are stored decides the threshold.
            reference: What is taken for right.

        Raises:
            FidelityError: It falls short, or could not be checked, and the loss is not accepted.
        """
        report = self._measure(folder, artifact, reference)
        if not report.shortfall:
            return report
        if self.accept_loss:
            return evolve(report, accepted=report.shortfall)
        error = FidelityError(
            f"{artifact.path.name} made from {folder.name} was refused: {report.shortfall} "
            f"(beside {report.reference}{_worst(report)}). Nothing was kept; --accept-loss keeps "
            f"it, and the report in the folder says so"
        )
        error.report = report
        raise error

    def _measure(self, folder: ModelFolder, artifact: Artifact, reference: Reference) -> Report:
        dtype = _storage(artifact)
        texts = tuple(dict.fromkeys(TEXTS if self.texts is None else self.texts))
        blank = Report(
            reference="",
            runner="",
            dtype=dtype,
            threshold=threshold(dtype) if self.least is None else self.least,
            overall=None,
            texts=f"{len(texts)} {'built in' if self.texts is None or self.built_in else 'given'}",
        )
        try:
            runner = self.open(folder, artifact)
        except NoBackendError as error:
            why = f"nothing installed runs it: {error}"
            return evolve(blank, reference=reference.name, unchecked=why)
        try:
            tokenizer = Tokenizer.open(folder)
            drop = not folder.pipeline.pooling.include_prompt
            # Where every text is bound to be as near as float32, a short look is enough.
            briefly = threshold(dtype).lowest > -1
            cases = cases_for(tokenizer, texts, drop_prompt=drop, briefly=briefly)
            heads = tuple(name for name in (SPARSE, COLBERT) if name in runner.loaded.outputs)
            dependent = runner.loaded.batch_dependent
            blank = evolve(blank, runner=_describe(runner), batch_dependent=dependent)
            result = RunnerReference(runner, artifact.path.name)
            found = _Answers.ask(result, "result", cases, heads)
        except UnsupportedModelError as error:
            return evolve(blank, reference=reference.name, unchecked=str(error))
        finally:
            runner.engine.close(runner.loaded)
        # The reference is opened at its first question: of a large model, one in memory is enough.
        blank = evolve(blank, reference=reference.name)
        try:
            wanted = _Answers.ask(reference, "reference", cases, heads)
        except UnsupportedModelError as error:
            return evolve(blank, unchecked=str(error))
        return _compared(blank, cases, wanted, found)


@frozen
class _Answers:
    """What one side gave: sentence embeddings case by case, and further outputs of real tokens."""

    vectors: list[Floats]
    heads: dict[str, list[Floats]]

    @classmethod
    def ask(
        cls, side: Reference, whose: str, cases: Sequence[Case], heads: Sequence[str]
    ) -> _Answers:
        vectors = [_finite(side.vectors(case.batch), whose, case.name) for case in cases]
        further: dict[str, list[Floats]] = {name: [] for name in heads}
        for case in cases if heads else ():
            gave, real = side.heads(case.batch, heads), case.batch.attention_mask != 0
            for name in heads:
                rows = _finite(gave[name][real], f"{whose}'s output {name}", case.name)
                further[name].append(rows)
        return cls(vectors, further)


def _storage(artifact: Artifact) -> str:
    try:
        return dtype_name(artifact.variant.storage)
    except KeyError:
        raise BackendError(
            f"{artifact.path.name} was written, and its variant says storage="
            f"{artifact.variant.storage!r}. Backend author: say how the weights are stored, one "
            f"of {', '.join(sorted(set(DTYPES.values())))}"
        ) from None


def _finite(rows: Floats, whose: str, case: str) -> Floats:
    if np.isfinite(rows).all():
        return rows
    raise FidelityError(
        f"the {whose} gives numbers that are not finite in the case {case!r}: the weights hold NaN "
        f"or infinity, or the arithmetic overflows; nothing was kept"
    )


def _compared(blank: Report, cases: Sequence[Case], wanted: _Answers, found: _Answers) -> Report:
    results = [
        CaseResult(
            name=case.name,
            rows=case.batch.input_ids.shape[0],
            tokens=case.batch.input_ids.shape[1],
            fidelity=compare_vectors(right, got),
            kind=case.kind,
        )
        for case, right, got in zip(cases, wanted.vectors, found.vectors, strict=True)
    ]
    ordinary = [place for place, case in enumerate(cases) if case.kind == ORDINARY]
    # A bound on every text holds for every token of every case; a mean is one of ordinary texts.
    places = ordinary if blank.threshold.lowest <= -1 else list(range(len(cases)))
    return evolve(
        blank,
        overall=compare_vectors(
            np.concatenate([wanted.vectors[place] for place in ordinary]),
            np.concatenate([found.vectors[place] for place in ordinary]),
        ),
        cases=tuple(results),
        heads={
            name: compare_vectors(
                _rows([wanted.heads[name][place] for place in places]),
                _rows([rows[place] for place in places]),
            )
            for name, rows in found.heads.items()
        },
    )


def _rows(parts: list[Floats]) -> Floats:
    """Tokens' vectors below one another; tokens' weights as a row for each case, zeros behind."""
    if parts[0].ndim == 2:
        return np.concatenate(parts)
    rows = np.zeros((len(parts), max(map(len, parts))), dtype=np.float32)
    for row, part in zip(rows, parts, strict=True):
        row[: len(part)] = part
    return rows


def _worst(report: Report) -> str:
    cases = [case for case in report.cases if case.kind == ORDINARY]  # others are named already
    if not cases:
        return ""
    worst = min(cases, key=lambda case: case.fidelity.lowest)
    return f"; worst in the case {worst.name!r}, {worst.rows}×{worst.tokens}"


def _describe(runner: Runner) -> str:
    loaded = runner.loaded
    return f"{loaded.backend} {runner.engine.found.version}, {loaded.dtype} on {loaded.device}"
