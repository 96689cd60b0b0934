"""What of all that may happen is a fault."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from attrs import frozen

from tests.fuzz.mutation import MEANING
from tests.fuzz.schedule import Case, Step, effect_of

__all__ = ["Finding", "judge"]

FOLDERS = ("models", "graphs", "written")
"""Groups whose cases are model folders: a link out of one is a stranger's."""

_MEMORY = 600 << 20
_CPU = 15.0
_FAULT = "this is a fault of hotbed"
"""What the command line says of an exception that nobody foresaw."""

_DISK = 64 << 20
_PRINTED = 1 << 16
_COSINE = 0.999
"""Of a changed model to its reference: changed weights may make float32 differ from float64."""


@frozen(kw_only=True)
class Finding:
    """A fault.

    Attributes:
        kind: As the table of ``tests.fuzz`` names them.
        told: What was seen.
        where: Where it comes from; findings of one kind and place are shown once.
        detail: A traceback or the like.
    """

    kind: str
    told: str
    where: str
    detail: str = ""


def judge(
    case: Case, steps: Sequence[Step], answer: dict[str, Any], right: Any, log: str
) -> list[Finding]:
    """Judge a case that the worker survived.

    Args:
        case: The case.
        steps: What was changed.
        answer: What the worker said.
        right: The vectors before the change, if any.
        log: What the worker printed meanwhile.
    """
    return [
        *_foreign(answer),
        *_violations(case, answer),
        *_resources(case, answer),
        *_printed(case, answer, log),
        *_places(answer),
        *_vectors(case, steps, answer, right),
    ]


def _foreign(answer: dict[str, Any]) -> Iterator[Finding]:
    if answer["outcome"] == "foreign":
        yield Finding(
            kind="foreign",
            told=f"{answer['error']}: {answer['said'][:300]}",
            where=f"{answer['error']} at {answer['place']}",
            detail=answer["traceback"],
        )
    elif answer["outcome"] == "refused" and not answer["said"].strip():
        yield Finding(kind="foreign", told=f"{answer['error']} says nothing", where="no message")


def _violations(case: Case, answer: dict[str, Any]) -> Iterator[Finding]:
    for told in answer["violations"]:
        kind, _, rest = told.partition(": ")
        if kind == "read" and (case.seed.group not in FOLDERS or case.seed.writable):
            continue  # what the user names, or owns, may be a link to another file of theirs
        where = case.target if kind == "read" else f"{case.target} of {case.seed.name}"
        yield Finding(kind=kind, told=rest, where=where)


def _resources(case: Case, answer: dict[str, Any]) -> Iterator[Finding]:
    where = f"{case.target} of {case.seed.name}"
    if answer["memory"] > _MEMORY:
        yield Finding(kind="growth", told=f"{answer['memory'] / 1e6:,.0f} MB more", where=where)
    if answer["cpu"] > _CPU:
        yield Finding(kind="slow", told=f"{answer['cpu']:.0f} s of processor time", where=where)
    if answer["disk"] > _DISK:
        yield Finding(kind="growth", told=f"{answer['disk'] / 1e6:,.0f} MB on disk", where=where)


def _printed(case: Case, answer: dict[str, Any], log: str) -> Iterator[Finding]:
    where = f"{case.target} of {case.seed.name}"
    if answer.get("exit", 0) not in (0, 1, 2):
        yield Finding(kind="traceback", told=f"exit code {answer['exit']!r}", where=where)
    if _FAULT in answer.get("err", ""):
        line = next(one for one in answer["err"].splitlines() if _FAULT in one)
        yield Finding(kind="foreign", told=line[:300], where=f"{line[:40]} in {where}")
    for name in ("out", "err"):
        text = answer.get(name, "")
        if len(text) > _PRINTED:
            yield Finding(kind="traceback", told=f"{len(text):,} characters printed", where=where)
        yield from _text(text, f"the command's {name}", where)
    yield from _text(log, "the process", where)


def _text(text: str, who: str, where: str) -> Iterator[Finding]:
    if "Traceback (most recent call last)" in text:
        yield Finding(kind="traceback", told=f"{who} printed one", where=where, detail=text[-3000:])
    strange = {c for c in text if unicodedata.category(c) in ("Cc", "Cf") and c not in "\r\n\t"}
    if strange:
        shown = ", ".join(sorted(map(ascii, strange)))
        yield Finding(
            kind="traceback",
            told=f"{who} printed the control characters {shown}",
            where=f"control characters of {where}",
            detail=ascii(text[-3000:]),
        )


def _places(answer: dict[str, Any]) -> Iterator[Finding]:
    if answer.get("places"):
        told = f"a file of the current folder chose {', '.join(answer['places'])}"
        yield Finding(kind="settings", told=told, where="load_settings")


# --- vectors -------------------------------------------------------------------------------------


def _vectors(
    case: Case, steps: Sequence[Step], answer: dict[str, Any], right: Any
) -> Iterator[Finding]:
    if "vectors" not in answer:
        return
    changed = ", ".join(f"{step.file} {step.effect}" for step in steps)
    where = f"{case.target} of {case.seed.name}, {changed}"
    found = np.array(answer["vectors"], np.float64)
    if not np.isfinite(found).all():
        yield Finding(kind="not finite", told="NaN or infinity", where=where)
        return
    if case.seed.neighbours:
        alone = np.array(answer["alone"], np.float64)
        if (apart := _apart(found, alone)) > 1e-3:
            yield Finding(kind="neighbours", told=f"{apart:.2g} apart", where=where)
    yield from _against(case, steps, answer, found, right, where)


def _against(
    case: Case,
    steps: Sequence[Step],
    answer: dict[str, Any],
    found: Any,
    right: Any,
    where: str,
) -> Iterator[Finding]:
    if effect_of(steps) != MEANING and right is not None:
        wanted = np.array(right, np.float64)
        if found.shape != wanted.shape:
            told = f"{found.shape[1]} dimensions, where {wanted.shape[1]} are right"
            yield Finding(kind="vectors", told=told, where=where)
        elif (apart := _apart(found, wanted)) > case.seed.tolerance:
            told = f"{apart:.2g} from what they were before"
            yield Finding(kind="vectors", told=told, where=where)
    elif "reference" in answer:
        wanted = np.array(answer["reference"], np.float64)[:, : found.shape[1]]
        if wanted.shape != found.shape:
            told = f"{found.shape[1]} dimensions; the reference has {wanted.shape[1]}"
            yield Finding(kind="vectors", told=told, where=where)
        elif (cosine := _cosine(found, wanted)) < _COSINE:
            yield Finding(kind="vectors", told=f"cosine {cosine:.4f} to numpy's", where=where)
    elif "no_reference" in answer:
        told = f"accepted, and numpy refuses: {answer['no_reference'][:300]}"
        yield Finding(kind="vectors", told=told, where=where)


def _unit(rows: Any) -> Any:
    lengths = np.linalg.norm(rows, axis=-1, keepdims=True)
    return rows / np.where(lengths == 0, 1, lengths)


def _apart(left: Any, right: Any) -> float:
    if left.shape != right.shape:
        return float("inf")
    return float(np.abs(_unit(left) - _unit(right)).max(initial=0.0))


def _cosine(left: Any, right: Any) -> float:
    both_empty = (np.abs(left).max(axis=-1) == 0) & (np.abs(right).max(axis=-1) == 0)
    cosines = (_unit(left) * _unit(right)).sum(axis=-1)
    return float(np.where(both_empty, 1.0, cosines).min(initial=1.0))
