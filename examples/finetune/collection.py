"""A test collection in BEIR's form: documents, queries, and which documents answer which query.

corpus.jsonl      {"_id": "184", "title": "…", "text": "…"} a line
queries.jsonl     {"_id": "1", "text": "…"} a line
qrels/train.tsv   query-id, corpus-id, score, with tabs between and a heading
qrels/test.tsv    the same, for queries that training does not see
"""

from __future__ import annotations

import csv
import json
from pathlib import Path

from attrs import frozen

__all__ = ["Collection", "Judgements", "read_collection"]

Judgements = dict[str, dict[str, int]]
"""Query → document → how well it answers; 0 is not at all."""


@frozen(kw_only=True)
class Collection:
    """Documents and queries by their ids, and the judgements of both splits."""

    documents: dict[str, str]
    queries: dict[str, str]
    train: Judgements
    test: Judgements

    def pairs(self, most: int) -> list[tuple[str, str]]:
        """(query, document that answers it) of the training split, so many of a query at most."""
        found = []
        for query, judged in self.train.items():
            answers = [document for document, score in judged.items() if score > 0]
            found += [(self.queries[query], self.documents[name]) for name in answers[:most]]
        return found


def read_collection(folder: Path) -> Collection:
    """Read a folder.

    Raises:
        SystemExit: A file is missing, or a query is in both splits.
    """
    try:
        collection = Collection(
            documents={
                row["_id"]: f"{row.get('title', '')} {row['text']}".strip()
                for row in _lines(folder / "corpus.jsonl")
            },
            queries={row["_id"]: row["text"] for row in _lines(folder / "queries.jsonl")},
            train=_judgements(folder / "qrels" / "train.tsv"),
            test=_judgements(folder / "qrels" / "test.tsv"),
        )
    except FileNotFoundError as error:
        raise SystemExit(f"{folder} is not a collection in BEIR's form: {error}") from error
    if shared := sorted(set(collection.train) & set(collection.test)):
        raise SystemExit(f"{folder}: queries in both splits: {', '.join(shared[:5])}")
    return collection


def _lines(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8") as file:
        return [json.loads(line) for line in file if line.strip()]


def _judgements(path: Path) -> Judgements:
    found: Judgements = {}
    with path.open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file, delimiter="\t"):
            found.setdefault(row["query-id"], {})[row["corpus-id"]] = int(row["score"])
    return found
