"""Fine-tune a small model with sentence-transformers, convert it, and see what is left of the gain.

    pip install "hotbed[cpu,torch]" "sentence-transformers[train]" ir_measures
    python finetune.py path/to/collection --out build/finetune

The collection is a folder in BEIR's form (collection.py). What is printed of training is loss and
time. The converted model is opened in a process that cannot import PyTorch.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
from collection import Collection, read_collection
from ranking import ndcg_at_10

MODEL = "all-MiniLM-L6-v2"

PAIRS_OF_A_QUERY = 4
TOKENS = 128
"""Of a text, in training only: a minute's work for two CPU cores. The model's own limit is kept."""

WITHOUT_TORCH = """
import json, sys
sys.modules["torch"] = None  # importing it from here on is an error
import hotbed, numpy
texts = json.load(sys.stdin)
with hotbed.load(sys.argv[1]) as model:
    numpy.save(sys.argv[2], model.encode(texts))
    print(model.decision.chosen.backend)
"""


def main() -> None:
    """Train, save, convert, and print the table."""
    arguments = _arguments()
    collection = read_collection(arguments.collection)
    model = _open(arguments.model)
    found = {"sentence-transformers, before": ndcg_at_10(collection, model.encode)}
    seconds = train(model, collection, arguments.epochs, arguments.out / "checkpoints")
    found["sentence-transformers, fine-tuned"] = ndcg_at_10(collection, model.encode)

    tuned, converted = arguments.out / "tuned", arguments.out / "converted"
    model.save_pretrained(str(tuned))
    command = [sys.executable, "-m", "hotbed", "convert", str(tuned), "--out", str(converted)]
    subprocess.run([*command, "--force"], check=True)
    found["hotbed, converted, without PyTorch"] = ndcg_at_10(
        collection, lambda texts: encode_without_torch(converted, texts)
    )
    report(found, collection, seconds)


def train(model: Any, collection: Collection, epochs: float, place: Path) -> float:
    """Pull queries and their documents together; the other documents of a batch are pushed away.

    Returns:
        Seconds.
    """
    from datasets import Dataset
    from sentence_transformers import (
        SentenceTransformerTrainer,
        SentenceTransformerTrainingArguments,
    )
    from sentence_transformers.sentence_transformer.losses import MultipleNegativesRankingLoss
    from sentence_transformers.sentence_transformer.training_args import BatchSamplers

    queries, documents = zip(*collection.pairs(PAIRS_OF_A_QUERY), strict=True)
    longest, model.max_seq_length = model.max_seq_length, TOKENS
    trainer = SentenceTransformerTrainer(
        model=model,
        args=SentenceTransformerTrainingArguments(
            output_dir=str(place),
            num_train_epochs=epochs,
            per_device_train_batch_size=32,
            learning_rate=5e-5,
            warmup_steps=2,
            # A document twice in a batch would be pushed away from its own query.
            batch_sampler=BatchSamplers.NO_DUPLICATES,
            save_strategy="no",
            report_to="none",
            use_cpu=True,
            seed=7,
        ),
        train_dataset=Dataset.from_dict({"query": queries, "document": documents}),
        loss=MultipleNegativesRankingLoss(model),
    )
    started = time.perf_counter()
    trainer.train()
    model.max_seq_length = longest
    return time.perf_counter() - started


def encode_without_torch(folder: Path, texts: list[str]) -> np.ndarray[Any, np.dtype[np.float32]]:
    """Embed with hotbed in a process of its own, in which PyTorch cannot be imported."""
    place = folder.with_name("vectors.npy")
    done = subprocess.run(
        [sys.executable, "-c", WITHOUT_TORCH, str(folder), str(place)],
        input=json.dumps(texts),
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    print(f"{len(texts)} texts embedded by {done.stdout.strip()}")
    vectors: np.ndarray[Any, np.dtype[np.float32]] = np.load(place)
    place.unlink()
    return vectors


def report(found: dict[str, float], collection: Collection, seconds: float) -> None:
    """Print a table in Markdown, and what it was measured on."""
    import torch

    print(f"\n| model | nDCG@10 on {len(collection.test)} held-out queries |\n|---|---|")
    for name, value in found.items():
        print(f"| {name} | {value:.4f} |")
    print(
        f"\n{len(collection.documents)} documents, "
        f"{len(collection.pairs(PAIRS_OF_A_QUERY))} training pairs, "
        f"{seconds:.0f} s of training; {platform.machine()}, {os.cpu_count()} CPUs, "
        f"{torch.get_num_threads()} threads, torch {torch.__version__}"
    )


def _open(name: str) -> Any:
    """Open the model with sentence-transformers; the default one from hotbed's own store."""
    from sentence_transformers import SentenceTransformer

    import hotbed

    with hotbed.load(name) as model:
        folder = model.folder.path
    return SentenceTransformer(str(folder), device="cpu", local_files_only=True)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("collection", type=Path, help="a folder in BEIR's form")
    parser.add_argument("--model", default=MODEL, help=f"what is fine-tuned ({MODEL})")
    parser.add_argument("--out", type=Path, default=Path("build/finetune"))
    parser.add_argument("--epochs", type=float, default=1.0)
    return parser.parse_args()


if __name__ == "__main__":
    main()
