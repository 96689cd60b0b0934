"""``hotbed info``: what is in a model folder."""

from __future__ import annotations

from typing import Any

import attrs

from hotbed.cli.console import megabytes, out, plain_table, print_json
from hotbed.cli.fidelity import in_words
from hotbed.cli.parameters import JsonOption, LocalOption, ModelArgument, RevisionOption
from hotbed.conversion import read_records
from hotbed.loading import default_house
from hotbed.models.digests import combine
from hotbed.models.folder import ModelFolder
from hotbed.models.modules import Dense

__all__ = ["info"]


def info(
    model: ModelArgument,
    revision: RevisionOption = None,
    local_files_only: LocalOption = False,
    as_json: JsonOption = False,
) -> None:
    """Show a model's modules, prompts, runnable files and digests."""
    house = default_house()
    located = house.locate(model, revision=revision, local_files_only=local_files_only)
    folder = house.read(located)
    present = sorted(name for name in folder.files if (folder.path / name).is_file())
    digests = house.cache.digests.files([folder.path / name for name in present])
    named = {name: digests[folder.path / name] for name in present}
    facts = _facts(folder, located.origin, named)
    if as_json:
        print_json(facts)
        return
    _show(facts)
    for made in read_records(folder.path):
        out.print(f"\n{made.date}: {made.action} from {made.model} by {made.by}")
        for variant, report in zip(made.variants, made.reports, strict=True):
            out.print(f"{variant.file}: {in_words(report)}")


def _facts(folder: ModelFolder, origin: str, digests: dict[str, str]) -> dict[str, Any]:
    pipeline = folder.pipeline
    hidden = folder.config.get("hidden_size")
    return {
        "model": folder.name,
        "origin": origin,
        "path": str(folder.path),
        "model_type": folder.family,
        "modules": list(pipeline.names),
        "pooling": list(pipeline.pooling.modes),
        "include_prompt": pipeline.pooling.include_prompt,
        "dense": [
            f"{head.in_features} → {head.out_features}, {head.activation}"
            for head in pipeline.heads
            if isinstance(head, Dense)
        ],
        "dimension": pipeline.dimension(hidden) if isinstance(hidden, int) else None,
        "max_seq_length": folder.max_seq_length,
        "do_lower_case": folder.do_lower_case,
        "padding_side": folder.padding_side,
        "similarity_fn_name": folder.similarity_fn_name,
        "truncate_dim": folder.truncate_dim,
        "adapter": list(folder.adapter_files),
        "prompts": folder.saved.get("prompts") or {},
        "default_prompt_name": folder.saved.get("default_prompt_name"),
        "variants": [
            {
                "file": variant.file,
                "format": variant.format,
                "storage": variant.storage,
                "profile": variant.profile,
                "note": variant.note,
                "bytes": _size(folder, variant.file),
                "sha256": digests.get(variant.file),
            }
            for variant in folder.variants
        ],
        "digest": combine(digests.items()),
        "files": digests,
        "made": [attrs.asdict(made) for made in read_records(folder.path)],
    }


def _size(folder: ModelFolder, file: str) -> int | None:
    path = folder.path / file
    return path.stat().st_size if path.is_file() else None


def _show(facts: dict[str, Any]) -> None:
    table = plain_table("", "")
    table.show_header = False
    for name in ("model", "origin", "path", "model_type"):
        table.add_row(name, str(facts[name]))
    table.add_row("modules", " → ".join(facts["modules"]))
    pooling = " + ".join(facts["pooling"])
    table.add_row("pooling", pooling + ("" if facts["include_prompt"] else ", without the prompt"))
    for line in facts["dense"]:
        table.add_row("dense", line)
    if facts["adapter"]:
        table.add_row("adapter", f"{facts['adapter'][-1]}, added to the weights as they are read")
    for name in ("dimension", "max_seq_length", "padding_side", "similarity_fn_name"):
        table.add_row(name, "not stated" if facts[name] is None else str(facts[name]))
    for name, text in facts["prompts"].items():
        default = "  (default)" if name == facts["default_prompt_name"] else ""
        table.add_row(f"prompt {name}", f"{text!r}{default}")
    table.add_row("digest", facts["digest"])
    out.print(table)
    out.print()
    files = plain_table("runnable file", "format", "storage", "profile", "size", "sha256", "")
    for item in facts["variants"]:
        size = "not fetched" if item["bytes"] is None else megabytes(item["bytes"])
        digest = (item["sha256"] or "")[:16]
        files.add_row(
            *(item[key] for key in ("file", "format", "storage", "profile")),
            size,
            digest,
            item["note"],
        )
    out.print(files)
