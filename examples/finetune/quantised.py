"""nDCG@10 of a model in float32 and in every quantised form, without PyTorch.

    pip install "hotbed[cpu]" ir_measures
    python quantised.py path/to/collection all-MiniLM-L6-v2 build/finetune/tuned

The collection is a folder in BEIR's form (collection.py). Each form is written by ``hotbed
convert --quantize``, calibrated on hotbed's built-in texts or, with ``--in-domain``, on documents
of the collection that answer no held-out query.
"""

from __future__ import annotations

import argparse
import os
import platform
import subprocess
import sys
from pathlib import Path

from collection import Collection, read_collection
from ranking import ndcg_at_10

FORMS = ("float32", "fp16", "w8", "int8", "q8", "q4")

CALIBRATION_TEXTS = 600
"""At most; ``hotbed convert`` learns ranges from a third of them, and checks on the rest."""


def main() -> None:
    """Write every form of every model, rank with it, and print the table."""
    arguments = _arguments()
    collection = read_collection(arguments.collection)
    arguments.out.mkdir(parents=True, exist_ok=True)
    texts = _texts(collection, arguments.out) if arguments.in_domain else None
    found = {
        (form, model): _ndcg(collection, model, form, arguments.out, texts)
        for model in arguments.models
        for form in FORMS
    }
    heads = " | ".join(f"{Path(model).name} | of float32" for model in arguments.models)
    print(f"\n| form | {heads} |\n|---|{'---|---|' * len(arguments.models)}")
    for form in FORMS:
        cells = [
            f"{found[form, model]:.4f} | {found[form, model] / found['float32', model]:.1%}"
            for model in arguments.models
        ]
        print(f"| {form} | {' | '.join(cells)} |")
    print(
        f"\nnDCG@10 on {len(collection.test)} held-out queries, {len(collection.documents)} "
        f"documents; {platform.machine()}, {os.cpu_count()} CPUs"
    )


def _ndcg(collection: Collection, model: str, form: str, out: Path, texts: Path | None) -> float:
    """Write one form and rank with it."""
    import hotbed

    folder = out / f"{Path(model).name}-{form}"
    command = [sys.executable, "-m", "hotbed", "convert", model, "--out", str(folder), "--force"]
    command += ["--profile", "cpu"]
    if form != "float32":
        command += ["--quantize", form]
        command += ["--texts", str(texts)] * (texts is not None)
    subprocess.run(command, check=True)
    # A file of half-precision weights computes in float32 on a CPU.
    with hotbed.load(folder, dtype="float32" if form == "fp16" else form) as embedder:
        return ndcg_at_10(collection, embedder.encode)


def _texts(collection: Collection, out: Path) -> Path:
    """Documents that answer no held-out query, a text a line."""
    answers = {name for judged in collection.test.values() for name in judged}
    free = [text for name, text in collection.documents.items() if name not in answers]
    path = out / "texts.txt"
    lines = [" ".join(text.split()) for text in free if text.strip()]
    path.write_text("\n".join(lines[:CALIBRATION_TEXTS]) + "\n", encoding="utf-8")
    return path


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("collection", type=Path, help="a folder in BEIR's form")
    parser.add_argument("models", nargs="+", help="names or folders")
    parser.add_argument("--out", type=Path, default=Path("build/quantised"))
    parser.add_argument(
        "--in-domain", action="store_true", help="calibrate on documents of the collection"
    )
    return parser.parse_args()


if __name__ == "__main__":
    main()
