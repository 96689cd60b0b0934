"""The object that users hold: sentence-transformers' methods over any backend."""

from __future__ import annotations

import itertools
import os
import warnings
from collections.abc import Callable, Iterable, Iterator, Sequence
from types import TracebackType
from typing import Any

import numpy as np
from attrs import evolve
from numpy.typing import ArrayLike, NDArray

from hotbed.backends.decision import Decision
from hotbed.backends.devices import device_name, same_device
from hotbed.backends.values import Loaded
from hotbed.errors import ClosedError, HotbedWarning, UsageError
from hotbed.inference.arguments import check_load_arguments
from hotbed.inference.arrays import whole_number
from hotbed.inference.finite import check_finite
from hotbed.inference.inputs import texts_of
from hotbed.inference.options import EncodeOptions
from hotbed.inference.outputs import finish, truncate
from hotbed.inference.progress import Progress
from hotbed.inference.runner import SENTENCES, TOKENS, Runner
from hotbed.inference.similarity import pairwise, similarity
from hotbed.inference.token_outputs import DENSE, join
from hotbed.inference.tokenisation import Tokenizer, Tokens
from hotbed.models.folder import ModelFolder
from hotbed.models.prompts import DOCUMENT_NAMES, QUERY_NAMES, Prompts

__all__ = ["Embedder"]

Floats = NDArray[np.float32]

_WINDOW = 8_192
"""Texts of a list that are tokenised at a time: enough to batch well, and bounded memory."""

_STREAM_WINDOW = 512
"""The same for streams, whose first row should not wait long."""


class Embedder:
    """A loaded model. Safe to use from several threads; a context manager.

    >>> with hotbed.load("all-MiniLM-L6-v2") as model:
    ...     model.encode(["a cat", "a dog"]).shape
    (2, 384)

    Made by ``hotbed.load``.

    Args:
        runner: The model, its tokenizer and the engine.
        prompts: Its prompts.
        decision: Why this backend was chosen.
        truncate_dim: Dimensions kept unless a call says otherwise.
        reopen: Opens the same model again, in a forked or spawned process.
    """

    def __init__(
        self,
        runner: Runner,
        *,
        prompts: Prompts,
        decision: Decision,
        truncate_dim: int | None,
        reopen: Callable[[], Embedder],
    ) -> None:
        self._runner: Runner | None = runner
        self._prompts = prompts
        self._reopen = reopen
        self._process = os.getpid()
        self._told_truncation = False
        self._set: dict[str, Any] = {}
        self._truncate_dim = _dimensions(truncate_dim, runner)
        self.decision = decision
        self.last_truncated = 0

    # --- what the model is -------------------------------------------------------------------

    @property
    def folder(self) -> ModelFolder:
        """The model folder, read and checked."""
        return self._open().folder

    @property
    def loaded(self) -> Loaded:
        """The backend's facts: device, provider, arithmetic, outputs."""
        return self._open().loaded

    @property
    def device(self) -> str:
        """Where it runs."""
        return self._open().loaded.device

    @property
    def prompts(self) -> dict[str, str]:
        """Prompts by name; ``query`` and ``document`` are always there, ``""`` where not set."""
        return self._prompts.texts

    @property
    def default_prompt_name(self) -> str | None:
        """The prompt that ``encode`` uses when nothing is said."""
        return self._prompts.default_name

    @property
    def similarity_fn_name(self) -> str:
        """The similarity that the model was trained for; ``cosine`` where the folder is silent."""
        return self.folder.similarity_fn_name or "cosine"

    @property
    def max_seq_length(self) -> int | None:
        """Tokens kept of a text, special ones included. Can be set."""
        return self._open().tokenizer.max_seq_length

    @max_seq_length.setter
    def max_seq_length(self, value: int | None) -> None:
        check_load_arguments({"max_seq_length": value})
        runner = self._open()
        limit = whole_number(value, "max_seq_length")
        self._runner = evolve(runner, tokenizer=Tokenizer.open(runner.folder, limit))
        self._set["max_seq_length"] = limit

    @property
    def truncate_dim(self) -> int | None:
        """Dimensions kept unless a call says otherwise; None keeps all. Can be set."""
        return self._truncate_dim

    @truncate_dim.setter
    def truncate_dim(self, value: int | None) -> None:
        self._truncate_dim = _dimensions(value, self._open())
        self._set["truncate_dim"] = self._truncate_dim

    def get_embedding_dimension(self) -> int:
        """Dimensions of what ``encode`` gives."""
        return self.truncate_dim or self._open().dimension

    get_sentence_embedding_dimension = get_embedding_dimension

    def why(self) -> str:
        """The decision as a table: the backend chosen, and why the others were not."""
        told = self.decision.explain()
        if not self._open().never_pads:
            return told
        return (
            f"{told}\nbatches: texts of one length, without padding, because this graph's vectors "
            f"change with padding"
        )

    def count_tokens(self, texts: str | Sequence[str]) -> NDArray[np.int64]:
        """Tokens of each text before any cutting, special ones included: (n,) int64."""
        rows = texts_of([texts] if isinstance(texts, str) else texts, name="texts")
        return self._open().tokenizer.unlimited().encode(rows).counts

    # --- encode ------------------------------------------------------------------------------

    def encode(
        self,
        inputs: str | Iterable[str],
        prompt_name: str | None = None,
        prompt: str | None = None,
        batch_size: int | None = None,
        show_progress_bar: bool | None = None,
        output_value: str | None = SENTENCES,
        precision: str = "float32",
        convert_to_numpy: bool = True,
        convert_to_tensor: bool = False,
        device: Any = None,
        normalize_embeddings: bool = False,
        truncate_dim: int | None = None,
        *,
        ranges: ArrayLike | None = None,
        calibration_embeddings: ArrayLike | None = None,
        outputs: Sequence[str] | None = None,
        on_invalid_text: str = "error",
    ) -> Any:
        """Embed texts.

        >>> model.encode("one text").shape, model.encode(["one", "two"]).shape
        ((384,), (2, 384))

        Args:
            inputs: A text; a list of texts; or an iterator of texts, for which rows come out as
                they are made, in bounded memory.
            prompt_name: A name in ``prompts`` whose text is put in front.
            prompt: A text put in front; wins over ``prompt_name``, which has to be a name in
                ``prompts`` all the same.
            batch_size: Rows in one batch at most. None: batches are bounded by padded tokens.
            show_progress_bar: None shows one for long lists at a terminal.
            output_value: ``sentence_embedding``; ``token_embeddings`` for one (tokens, hidden)
                array a text; None for a dict of everything a text.
            precision: ``float32``, ``int8``, ``uint8``, ``binary`` or ``ubinary``.
            convert_to_numpy: False gives a list of rows.
            convert_to_tensor: Refused: hotbed hands out numpy.
            device: Refused unless it is the device the model is on; a name or a ``torch.device``.
            normalize_embeddings: Scale to length 1, after cutting.
            truncate_dim: Keep so many dimensions.
            ranges: (2, d), for ``int8`` and ``uint8``.
            calibration_embeddings: (m, d), from which ranges are taken.
            outputs: Any of ``dense``, ``sparse`` and ``colbert``, from one pass through a model
                that has them, as BGE-M3 does. The result is a dict by these names: ``dense`` is
                what a call without ``outputs`` gives; ``sparse`` is a list of SparseVector, with
                ``indices`` and ``values``; ``colbert`` a list of (tokens, d) float32. One text
                gives one of each, and an iterator a dict a text.
            on_invalid_text: What to do with a text that is not Unicode (a lone surrogate, as JSON
                escapes and names that are not UTF-8 give): ``error``, or ``replace``, which puts
                U+FFFD there.

        Returns:
            (d,) for a text, (n, d) for a list, (0, d) for an empty list, an iterator of (d,) rows
            for an iterator; float32 unless ``precision`` says otherwise.

        Raises:
            UsageError: An argument cannot be used; a text is not a string, or not Unicode (its
                index is named).
            NonFiniteError: A vector holds NaN or infinity (its text's index is named), and the
                model was not loaded with another ``on_nonfinite``.
        """
        options = EncodeOptions(
            prompt=self._prompts.resolve(prompt, prompt_name),
            batch_size=batch_size,
            show_progress_bar=show_progress_bar,
            output_value=output_value,
            precision=precision,
            normalize=normalize_embeddings,
            truncate_dim=truncate_dim if truncate_dim is not None else self.truncate_dim,
            ranges=ranges,
            calibration=calibration_embeddings,
            outputs=outputs,
            on_invalid_text=on_invalid_text,
        )
        self._refuse_torch_habits(convert_to_tensor, device)
        if isinstance(inputs, str):
            options.refuse_ranges_from_few("a single text")
            rows = self._list([inputs], evolve(options, show_progress_bar=False))
            return rows[0] if outputs is None else {name: rows[name][0] for name in rows}
        if isinstance(inputs, Iterator):
            options.refuse_ranges_from_few("a stream")
            return self._stream(inputs, options)
        rows = self._list(texts_of(inputs), options)
        if outputs is not None:
            return rows if convert_to_numpy else {name: list(rows[name]) for name in rows}
        return rows if convert_to_numpy else list(rows)

    def encode_query(self, /, inputs: str | Iterable[str], **options: Any) -> Any:
        """As ``encode``, with the prompt named ``query``."""
        return self.encode(inputs, **self._with_prompt(QUERY_NAMES, options))

    def encode_document(self, /, inputs: str | Iterable[str], **options: Any) -> Any:
        """As ``encode``, with the first of ``document``, ``passage``, ``corpus`` in ``prompts``."""
        return self.encode(inputs, **self._with_prompt(DOCUMENT_NAMES, options))

    def embed_documents(self, texts: Sequence[str]) -> list[list[float]]:
        """Documents as plain lists: LangChain's ``Embeddings`` interface."""
        rows: list[list[float]] = self.encode_document(texts_of(texts, name="texts")).tolist()
        return rows

    def embed_query(self, text: str) -> list[float]:
        """A query as a plain list: LangChain's ``Embeddings`` interface."""
        row: list[float] = self.encode_query(text).tolist()
        return row

    async def aembed_documents(self, texts: Sequence[str]) -> list[list[float]]:
        """``embed_documents`` in a worker thread."""
        import asyncio  # slow to import, and most processes never need it

        return await asyncio.to_thread(self.embed_documents, texts)

    async def aembed_query(self, text: str) -> list[float]:
        """``embed_query`` in a worker thread."""
        import asyncio

        return await asyncio.to_thread(self.embed_query, text)

    def similarity(self, a: ArrayLike, b: ArrayLike) -> Floats:
        """Score each row of ``a`` against each row of ``b`` by the model's similarity: (n, m)."""
        return similarity(a, b, self.similarity_fn_name)

    def similarity_pairwise(self, a: ArrayLike, b: ArrayLike) -> Floats:
        """Score row i of ``a`` against row i of ``b``: (n,)."""
        return pairwise(a, b, self.similarity_fn_name)

    # --- life --------------------------------------------------------------------------------

    def close(self) -> None:
        """Free the model. Closing twice is fine; using it afterwards is an error."""
        runner, self._runner = self._runner, None
        if runner is not None and self._process == os.getpid():
            runner.engine.close(runner.loaded)

    def __enter__(self) -> Embedder:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def __reduce__(self) -> tuple[Callable[..., Embedder], tuple[Any, ...]]:
        self._open()
        return _opened_again, (self._reopen, dict(self._set))

    def __repr__(self) -> str:
        if self._runner is None:
            return "<Embedder (closed)>"
        loaded, chosen = self._runner.loaded, self.decision.chosen
        return (
            f"<Embedder {self.decision.model}: {chosen.backend if chosen else '?'}, "
            f"{loaded.dtype} on {loaded.device}, {self.get_embedding_dimension()} dimensions>"
        )

    def _open(self) -> Runner:
        if self._runner is None:
            raise ClosedError(f"this embedder of {self.decision.model} was closed; load it again")
        if self._process != os.getpid():
            # Threads do not survive a fork: the child opens a session of its own.
            self._runner = _opened_again(self._reopen, self._set)._runner
            self._process = os.getpid()
            assert self._runner is not None
        return self._runner

    def _with_prompt(self, names: tuple[str, ...], options: dict[str, Any]) -> dict[str, Any]:
        if options.get("prompt") is None and options.get("prompt_name") is None:
            return {**options, "prompt_name": self._prompts.first_of(names)}
        return options

    def _refuse_torch_habits(self, convert_to_tensor: bool, device: Any) -> None:
        if convert_to_tensor:
            raise UsageError(
                "convert_to_tensor=True: hotbed hands out numpy arrays; "
                "torch.from_numpy(model.encode(...)) shares their memory"
            )
        if device is not None and not same_device(device_name(device), self.device):
            raise UsageError(
                f"device={str(device)!r}: this model is on {self.device}; "
                f"give device= to hotbed.load instead"
            )

    def _list(self, texts: list[str], options: EncodeOptions) -> Any:
        runner = self._open()
        truncated = 0
        parts: list[Any] = []
        with Progress(total=len(texts), show=options.show_progress_bar) as progress:
            for start in range(0, max(1, len(texts)) if options.outputs else len(texts), _WINDOW):
                window = texts[start : start + _WINDOW]
                tokens = _tokenize(runner, window, options, start)
                truncated += tokens.truncated
                parts.append(self._run(runner, tokens, options, progress, start))
        self._note_truncation(truncated, runner)
        if options.outputs is not None:
            found = join(parts)
            return {
                name: options.quantize(rows) if name == DENSE else rows
                for name, rows in found.items()
            }
        if options.output_value != SENTENCES:
            return [row for part in parts for row in part]
        if not parts:
            nothing = np.empty((0, runner.dimension), np.float32)
            parts = [finish(nothing, options.truncate_dim, options.normalize)]
        vectors = parts[0] if len(parts) == 1 else np.concatenate(parts)
        return options.quantize(vectors)

    def _stream(self, texts: Iterator[str], options: EncodeOptions) -> Iterator[Any]:
        runner = self._open()
        truncated = position = 0
        with Progress(total=None, show=options.show_progress_bar or False) as progress:
            while window := texts_of(itertools.islice(texts, _STREAM_WINDOW), position):
                tokens = _tokenize(runner, window, options, position)
                truncated += tokens.truncated
                rows = self._run(runner, tokens, options, progress, position)
                position += len(window)
                self._note_truncation(truncated, runner)
                if options.outputs is not None:
                    yield from _one_by_one(rows, options)
                    continue
                if options.output_value == SENTENCES:
                    rows = options.quantize(rows)
                yield from rows

    def _run(
        self,
        runner: Runner,
        tokens: Tokens,
        options: EncodeOptions,
        progress: Progress,
        start: int,
    ) -> Any:
        found = self._results(runner, tokens, options, progress)
        check_finite(found, runner.on_nonfinite, start, self.decision.model)
        if options.outputs is None and options.output_value == SENTENCES:
            return finish(found, options.truncate_dim, options.normalize)
        if options.outputs is not None and DENSE in found:
            found[DENSE] = finish(found[DENSE], options.truncate_dim, options.normalize)
        return found

    def _results(
        self, runner: Runner, tokens: Tokens, options: EncodeOptions, progress: Progress
    ) -> Any:
        """What the model gives, before it is cut, scaled or rounded."""
        if options.outputs is not None:
            return runner.several(tokens, options.outputs, options.batch_size, progress)
        if options.output_value == SENTENCES:
            return runner.sentences(tokens, options.batch_size, progress)
        rows = runner.token_rows(tokens, options.batch_size, progress)
        if options.output_value == TOKENS:
            return [token_embeddings for token_embeddings, *_ in rows]
        return [
            {
                "input_ids": batch.input_ids[place],
                "attention_mask": batch.attention_mask[place],
                TOKENS: token_embeddings,
                SENTENCES: truncate(vector, options.truncate_dim),
            }
            for token_embeddings, vector, batch, place in rows
        ]

    def _note_truncation(self, truncated: int, runner: Runner) -> None:
        self.last_truncated = truncated
        if truncated and not self._told_truncation:
            self._told_truncation = True
            warnings.warn(
                f"{truncated} of the texts are longer than {runner.tokenizer.max_seq_length} "
                f"tokens and were cut; `last_truncated` counts them for each call, and "
                f"count_tokens() gives full lengths. This is said once for each embedder",
                HotbedWarning,
                stacklevel=4,
            )


def _tokenize(runner: Runner, texts: list[str], options: EncodeOptions, start: int) -> Tokens:
    return runner.tokenize(
        texts, options.prompt, on_invalid_text=options.on_invalid_text, start=start
    )


def _one_by_one(found: dict[str, Any], options: EncodeOptions) -> Iterator[dict[str, Any]]:
    """Several outputs of several texts as one dict a text."""
    columns = {
        name: options.quantize(rows) if name == DENSE else rows for name, rows in found.items()
    }
    for values in zip(*columns.values(), strict=True):
        yield dict(zip(columns, values, strict=True))


def _opened_again(reopen: Callable[[], Embedder], changed: dict[str, Any]) -> Embedder:
    """Open an embedder in another process, with what was set on it since it was loaded."""
    embedder = reopen()
    for name, value in changed.items():
        setattr(embedder, name, value)
    return embedder


def _dimensions(value: int | None, runner: Runner) -> int | None:
    """A number of dimensions that the model can keep; None keeps all."""
    kept = whole_number(value, "truncate_dim")
    truncate(np.empty((0, runner.dimension), np.float32), kept)
    return kept
