"""Open a ``tokenizer.json`` that a stranger wrote.

The tokenizers library trusts the file: a step that makes text grow a thousandfold ends the process
when memory is gone, and steps run while the file is opened, on its own added tokens. What can be
known from the file is checked before the library sees it; what the library raises, panics of its
Rust code included, becomes an error that names the file.
"""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from hotbed.errors import CorruptFileError, MissingFileError, ModelError, UnsupportedModelError
from hotbed.models.boundary import is_foreign, reading
from hotbed.models.damage import is_lfs_pointer, lfs_advice, reason_of
from hotbed.models.jsonfile import is_there, read_bytes

__all__ = ["open_backend"]

_MAX_BYTES = 512 * 2**20
"""The largest vocabularies in use take some forty megabytes."""

_MAX_GROWTH = 256
"""How many times as long a text may become. Unicode's own longest is 18 characters for one."""

_MAX_STEPS = 1000
_MAX_PIECE = 4096
"""Characters that one step may put in the place of a match."""

_BEFORE_MODEL = ("normalizer", "pre_tokenizer", "post_processor")
_SEQUENCES = ("normalizers", "pretokenizers", "processors")
_PROBES = ("a", " ", "é", "ﷺ", "0", "Ａ", "\n")


def open_backend(path: Path) -> Any:
    """Open the file as a ``tokenizers.Tokenizer``.

    Raises:
        MissingFileError: There is no such file.
        UnsupportedModelError: It is sound JSON, and not what the installed library knows.
        CorruptFileError: It cannot be read, or a step in it would exhaust the memory.
    """
    if not is_there(path):
        raise MissingFileError(
            f"{path.name} is missing from {path.parent}; hotbed reads this form only. "
            f"`AutoTokenizer.from_pretrained(folder).save_pretrained(folder)` writes it"
        )
    content = read_bytes(path, max_bytes=_MAX_BYTES)
    if is_lfs_pointer(content):
        raise CorruptFileError(lfs_advice(path))
    _check(path, content)
    try:
        from tokenizers import Tokenizer

        backend = Tokenizer.from_buffer(content)
    except BaseException as error:  # bare Exception, and PanicException, which is none
        if not is_foreign(error):
            raise
        raise _in_our_words(path, content, error) from error
    with reading(path, "be used as a tokenizer"):
        backend.encode("")
    return backend


def _in_our_words(path: Path, content: bytes, error: BaseException) -> ModelError:
    """Tell a file that was cut off from one that a newer library wrote."""
    from tokenizers import __version__

    said = f"{path} ({len(content):,} bytes) cannot be read as a tokenizer: {reason_of(error)}"
    try:
        value = json.loads(content)
    except (ValueError, RecursionError):
        return CorruptFileError(f"{said}; it may have been cut off: download or save it again")
    if not isinstance(value, dict) or not isinstance(value.get("model"), dict):
        return CorruptFileError(f"{said}; it is JSON and holds no tokenizer's model")
    return UnsupportedModelError(
        f"{said}. It is whole, so either a newer tokenizers than {__version__} wrote it "
        f"(`pip install -U tokenizers`), or its parts do not fit one another"
    )


def _check(path: Path, content: bytes) -> None:
    """Refuse what would end the process.

    Raises:
        CorruptFileError: A step would exhaust the memory, or cannot work.
    """
    with reading(path, "be used as a tokenizer"):
        parts = _parts(content)
        steps = list(_leaves([*parts["normalizer"], *parts["pre_tokenizer"]]))
        if len(steps) > _MAX_STEPS:
            raise CorruptFileError(
                f"{path} has {len(steps):,} steps; {_MAX_STEPS:,} are read at most"
            )
        for step in steps:
            if reason := _flaw(step):
                raise CorruptFileError(f"{path}: its step {_kind(step)} {reason}")
        for template in _leaves(parts["post_processor"]):
            if reason := _template_flaw(template):
                raise CorruptFileError(f"{path}: its TemplateProcessing {reason}")
        _refuse_growth(path, [step for step in steps if _factor(step) > 1])


def _parts(content: bytes) -> dict[str, list[Any]]:
    """What stands beside the model, every value of a key that is there more than once.

    The model is nearly all of the file. It is last in what the library writes, and is then not
    parsed here.
    """
    found: dict[str, list[Any]] = {name: [] for name in _BEFORE_MODEL}
    for text in (_before_model(content), content):
        try:
            return _gather(text, found)
        except (ValueError, RecursionError):
            continue  # the mark stood inside something else; or the library refuses it as well
    return found


def _before_model(content: bytes) -> bytes:
    """The file up to its model, as an object; nothing where more of the rest could follow it."""
    start = content.find(b'"model":')
    # A key can be spelt with escapes, too.
    marks = (b"\\u00", *(f'"{name}"'.encode() for name in _BEFORE_MODEL))
    if start < 0 or any(content.find(mark, start) >= 0 for mark in marks):
        return b""
    return content[:start].rstrip().rstrip(b",") + b"}"


def _gather(content: bytes, found: dict[str, list[Any]]) -> dict[str, list[Any]]:
    """Collect the parts at any depth: more is looked at than the library uses, never less."""
    fresh: dict[str, list[Any]] = {name: [] for name in found}

    def collect(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        for key, value in pairs:
            if key in fresh and isinstance(value, dict):
                fresh[key].append(value)
        return dict(pairs)

    json.loads(content, object_pairs_hook=collect)
    return fresh


def _leaves(values: list[Any]) -> Iterator[dict[str, Any]]:
    """The steps inside sequences, in order."""
    for value in values:
        if not isinstance(value, dict):
            continue
        inner = [value[key] for key in _SEQUENCES if isinstance(value.get(key), list)]
        for steps in inner:
            yield from _leaves(steps)
        if not inner:
            yield value


def _kind(step: dict[str, Any]) -> str:
    """A step's type, by its keys: the library takes some steps without a name as well."""
    if "precompiled_charsmap" in step:
        return "Precompiled"
    if "prepend" in step:
        return "Prepend"
    if "pattern" in step and "content" in step:
        return "Replace"
    return str(step.get("type"))[:40]


def _flaw(step: dict[str, Any]) -> str:
    """Why a step cannot work; ``""`` if it can."""
    match _kind(step):
        case "Precompiled":
            return _charsmap_flaw(step.get("precompiled_charsmap"))
        case "FixedLength" if not step.get("length"):
            return "cuts texts into parts of no length"
        case "Replace" if len(str(step.get("content"))) > _MAX_PIECE:
            return f"puts {len(str(step['content'])):,} characters in the place of a match"
        case "Prepend" if len(str(step.get("prepend"))) > _MAX_PIECE:
            return f"puts {len(str(step['prepend'])):,} characters before a text"
    return ""


def _charsmap_flaw(value: Any) -> str:
    """SentencePiece's table: a length, a trie of 32-bit units, and strings that end with NUL."""
    try:
        table = base64.b64decode(str(value), validate=True)
    except (binascii.Error, ValueError):
        return "is not base64"
    size = int.from_bytes(table[:4], "little")
    if len(table) < 4 or size > len(table) - 4:
        return f"says that its trie has {size:,} bytes, and {max(0, len(table) - 4):,} are there"
    longest = max(map(len, table[4 + size :].split(b"\0")), default=0)
    return f"maps a character to {longest:,} bytes" if longest > _MAX_PIECE else ""


def _template_flaw(step: dict[str, Any]) -> str:
    if step.get("type") != "TemplateProcessing":
        return ""
    single, known = step.get("single"), step.get("special_tokens")
    if not isinstance(single, list) or not isinstance(known, dict):
        return ""  # the library refuses it itself
    texts = [item["Sequence"] for item in single if "Sequence" in item]
    if [item.get("id") for item in texts] != ["A"]:
        return f"has {len(texts)} places for a text, and one, called A, is expected"
    names = [item["SpecialToken"].get("id") for item in single if "SpecialToken" in item]
    if unknown := [str(name)[:40] for name in names if name not in known]:
        return f"names {unknown[0]!r}, which is not among its special_tokens"
    added = sum(len(known[name].get("ids", ())) for name in names)
    return f"puts {added:,} tokens around a text" if added > _MAX_PIECE else ""


def _factor(step: dict[str, Any]) -> int:
    """How many times as long a step may make a text, at most."""
    match _kind(step):
        case "Replace":
            return max(1, len(str(step.get("content"))))
        case "Prepend":
            return 1 + len(str(step.get("prepend")))
        case "ByteLevel":
            return 2
        case "NFKC" | "NFKD" | "Precompiled":
            return 18
    return 1


def _refuse_growth(path: Path, steps: list[dict[str, Any]]) -> None:
    """Run the steps on short texts where they could, one after another, make texts explode."""
    bound = 1
    for step in steps:
        bound = min(bound * _factor(step), 10**9)
    if bound <= _MAX_GROWTH:
        return
    texts = {text[:64] for step in steps for text in _texts_of(step)}
    probes = {*_PROBES, *texts, *list({sign for text in sorted(texts) for sign in text})[:2000]}
    runnable = [_step(step) for step in steps]
    for probe in sorted(probes):
        text, most = probe, _MAX_GROWTH * max(1, len(probe)) + _MAX_PIECE
        for step, run in zip(steps, runnable, strict=True):
            text = run.normalize_str(text) if run is not None else text
            if len(text) > most:
                raise CorruptFileError(
                    f"{path}: its step {_kind(step)} makes {len(text):,} characters of "
                    f"{len(probe)}; {_MAX_GROWTH} times as many are allowed"
                )


def _texts_of(step: dict[str, Any]) -> Iterator[str]:
    pattern = step.get("pattern")
    for value in (step.get("content"), step.get("prepend"), *_values(pattern)):
        if isinstance(value, str) and value:
            yield value


def _values(pattern: Any) -> list[Any]:
    return list(pattern.values()) if isinstance(pattern, dict) else [pattern]


def _step(step: dict[str, Any]) -> Any:
    """One step as the library's own object; None for a step that splits, and does not write."""
    from tokenizers import Tokenizer, normalizers

    if _kind(step) == "ByteLevel":
        return normalizers.ByteLevel()
    bare = {
        "version": "1.0",
        "added_tokens": [],
        "normalizer": step,
        "model": {"type": "WordLevel", "vocab": {}, "unk_token": ""},
    }
    return Tokenizer.from_str(json.dumps(bare)).normalizer
