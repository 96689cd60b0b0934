"""``hotbed embed``: texts in, vectors out, in bounded memory."""

from __future__ import annotations

import collections
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer

from hotbed.cli.console import errors, out, plain_table
from hotbed.cli.files import require_file
from hotbed.cli.parameters import (
    DEFAULT_MODEL,
    BackendOption,
    DeviceOption,
    DtypeOption,
    LocalOption,
    ModelOption,
    RevisionOption,
    ThreadsOption,
)
from hotbed.cli.registry_parameters import RegistryOption
from hotbed.cli.texts import Record, count_lines, read_records
from hotbed.cli.vectors import open_writer
from hotbed.errors import UsageError
from hotbed.escaping import shorten
from hotbed.inference.embedder import Embedder
from hotbed.inference.finite import ON_NONFINITE
from hotbed.inference.invalid_text import ON_INVALID_TEXT
from hotbed.inference.progress import Progress
from hotbed.loading import load

__all__ = ["embed"]


def embed(
    texts: Annotated[list[str] | None, typer.Argument(help="Texts to embed.")] = None,
    model: ModelOption = DEFAULT_MODEL,
    source: Annotated[
        Path | None,
        typer.Option(
            "--input", "-i", help="A .txt file (a text a line), a .jsonl file, or - for lines."
        ),
    ] = None,
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", help="A .npy or .jsonl file; else JSON lines are printed."),
    ] = None,
    field: Annotated[str, typer.Option(help="The field of a .jsonl file with the text.")] = "text",
    output_field: Annotated[
        str, typer.Option(help="The field of the JSON that is written with the vector.")
    ] = "embedding",
    on_invalid_text: Annotated[
        str,
        typer.Option(help="A text that is not Unicode: error, or replace what is not by U+FFFD."),
    ] = "error",
    on_nonfinite: Annotated[
        str,
        typer.Option(help="A vector that holds NaN or infinity: error, warn, or allow."),
    ] = "error",
    force: Annotated[bool, typer.Option("--force", help="Replace an existing output.")] = False,
    query: Annotated[bool, typer.Option("--query", help="Use the prompt for queries.")] = False,
    document: Annotated[
        bool, typer.Option("--document", help="Use the prompt for documents.")
    ] = False,
    prompt_name: Annotated[str | None, typer.Option(help="Use this prompt of the model.")] = None,
    prompt: Annotated[str | None, typer.Option(help="Put this in front of each text.")] = None,
    normalize: Annotated[bool, typer.Option("--normalize", help="Scale to length 1.")] = False,
    truncate_dim: Annotated[int | None, typer.Option(help="Keep so many dimensions.")] = None,
    precision: Annotated[
        str, typer.Option(help="float32, int8, uint8, binary, ubinary.")
    ] = "float32",
    ranges: Annotated[
        Path | None, typer.Option(help="A .npy file, (2, dimensions), for int8 and uint8.")
    ] = None,
    batch_size: Annotated[
        int | None, typer.Option(min=1, help="Texts in a batch.", show_default="by tokens")
    ] = None,
    batch_invariant: Annotated[
        bool,
        typer.Option(
            "--batch-invariant", help="A text's vector does not depend on the texts beside it."
        ),
    ] = False,
    max_seq_length: Annotated[int | None, typer.Option(help="Tokens kept of a text.")] = None,
    revision: RevisionOption = None,
    backend: BackendOption = None,
    device: DeviceOption = "auto",
    dtype: DtypeOption = None,
    threads: ThreadsOption = None,
    local_files_only: LocalOption = False,
    registry: RegistryOption = None,
    paranoid: Annotated[
        bool, typer.Option("--paranoid", help="Read every byte of a registered version again.")
    ] = False,
) -> None:
    """Embed texts from the command line, a file, or standard input."""
    if query and document:
        raise UsageError("--query and --document: choose one")
    if on_invalid_text not in ON_INVALID_TEXT:
        raise UsageError(f"--on-invalid-text {on_invalid_text!r}: say error or replace")
    if on_nonfinite not in ON_NONFINITE:
        raise UsageError(f"--on-nonfinite {on_nonfinite!r}: say {', '.join(ON_NONFINITE)}")
    if source is None and not texts and not (sys.stdin and sys.stdin.isatty()):
        source = Path("-")
    if (source is None) == (not texts):
        raise UsageError("give texts as arguments, or --input FILE (- for standard input)")
    shown = output is None and sys.stdout.isatty()
    writes_json = not shown and (output is None or output.suffix == ".jsonl")
    records = read_records(
        source,
        texts or [],
        field,
        on_invalid_text=on_invalid_text,
        reserved=output_field if writes_json else None,
    )
    if writes_json and output_field == field:
        raise UsageError(f"--field and --output-field are both {field!r}; the text would be lost")
    options: dict[str, Any] = {
        "prompt_name": prompt_name,
        "prompt": prompt,
        "normalize_embeddings": normalize,
        "truncate_dim": truncate_dim,
        "precision": precision,
        "batch_size": batch_size,
        "ranges": _read_ranges(ranges),
        "show_progress_bar": False,  # a stream does not know how many it is; the file does
        "on_invalid_text": on_invalid_text,
    }
    # The output is refused before a model is fetched and a long run begins.
    with open_writer(output, force=force, output_field=output_field) as writer:
        embedder = load(
            model,
            backend=backend,
            device=device,
            dtype=dtype,
            revision=revision,
            threads=threads,
            batch_invariant=batch_invariant,
            on_nonfinite=on_nonfinite,
            max_seq_length=max_seq_length,
            local_files_only=local_files_only,
            registry=registry,
            paranoid=paranoid or None,
        )
        encode = embedder.encode_query if query else embedder.encode
        encode = embedder.encode_document if document else encode
        if shown:
            _show(embedder, records, field, encode, options)
            return
        watched = source is not None and sys.stderr.isatty()
        with Progress(total=count_lines(source) if watched else None, show=watched) as progress:
            for record, vector in _paired(records, field, encode, options):
                writer.write(record, vector)
                progress.advance(1)
    if output is not None:
        errors.print(f"{writer.rows} × {embedder.get_embedding_dimension()} → {output}")


def _paired(
    records: Iterator[Record], field: str, encode: Any, options: dict[str, Any]
) -> Iterator[tuple[Record, Any]]:
    """Each record with its vector; the encoder reads ahead by its window, and no further."""
    waiting: collections.deque[Record] = collections.deque()

    def texts() -> Iterator[str]:
        for record in records:
            waiting.append(record)
            yield record[field]

    for vector in encode(texts(), **options):
        yield waiting.popleft(), vector


def _show(
    embedder: Embedder, records: Iterator[Record], field: str, encode: Any, options: dict[str, Any]
) -> None:
    """For a person at a terminal: the first numbers of each vector."""
    table = plain_table("text", "vector", "length")
    for record, vector in _paired(records, field, encode, options):
        numbers = " ".join(f"{value: .4f}" for value in vector[:4].tolist())
        length = f"{np.linalg.norm(vector.astype(np.float32)):.4f}"
        table.add_row(shorten(record[field], 500), f"{numbers} … ({len(vector)})", length)
    out.print(table)
    out.print(f"\n{embedder!r}", style="dim")


def _read_ranges(path: Path | None) -> Any:
    if path is None:
        return None
    require_file(path, "--ranges")
    try:
        return np.load(path, allow_pickle=False)
    except (EOFError, OSError, ValueError) as error:
        raise UsageError(f"--ranges {path} cannot be read as .npy: {error}") from error
