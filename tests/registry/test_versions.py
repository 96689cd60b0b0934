"""Versions against semver.org's own examples and the ``semver`` package."""

from __future__ import annotations

import itertools

import pytest
import semver
from hypothesis import given
from hypothesis import strategies as st

from hotbed.errors import UsageError
from hotbed.registry.versions import Requirement, Version, next_version

# semver.org 2.0.0, section 11, and the numbers before and after it.
ASCENDING = (
    *(
        "0.9.9",
        "1.0.0-0",
        "1.0.0-1",
        "1.0.0-10",
        "1.0.0-alpha",
        "1.0.0-alpha.1",
        "1.0.0-alpha.beta",
    ),
    *("1.0.0-alpha-x", "1.0.0-beta", "1.0.0-beta.2", "1.0.0-beta.11", "1.0.0-rc.1", "1.0.0"),
    *("1.0.1", "1.2.0", "1.10.0", "2.0.0", "10.0.0"),
)

identifiers = st.from_regex(r"(0|[1-9][0-9]{0,3}|[0-9]*[a-zA-Z-][0-9a-zA-Z-]{0,4})", fullmatch=True)
numbers = st.integers(0, 12).map(str)
texts = st.builds(
    lambda core, pre: ".".join(core) + ("-" + ".".join(pre) if pre else ""),
    st.tuples(numbers, numbers, numbers),
    st.lists(identifiers, max_size=3),
)


def test_precedence_is_semvers() -> None:
    """The keys of the specification's own example ascend."""
    keys = [Version.parse(text).key for text in ASCENDING]
    assert keys == sorted(keys)
    assert len(set(keys)) == len(keys)


@given(texts, texts)
def test_keys_sort_as_the_package_compares(a: str, b: str) -> None:
    """Of any two versions the keys compare as ``semver`` says."""
    wanted = semver.Version.parse(a).compare(b)
    one, other = Version.parse(a).key, Version.parse(b).key
    assert (one > other) - (one < other) == wanted


@pytest.mark.parametrize(
    "text", ["1", "1.2", "v1.2.3", "1.2.3.4", "01.2.3", "1.2.3-", "1.2.3+build", "", "x", "1." * 99]
)
def test_what_is_no_version(text: str) -> None:
    """It is refused by name."""
    with pytest.raises(UsageError, match="version"):
        Version.parse(text)


@pytest.mark.parametrize(
    ("requirement", "admitted"),
    [
        ("^1.2", ["1.2.0", "1.2.3", "1.9.9"]),
        ("^1.2.3", ["1.2.3", "1.9.9"]),
        ("^0.2.3", ["0.2.3", "0.2.9"]),
        ("^0.0.3", ["0.0.3"]),
        ("^0", ["0.0.3", "0.2.3", "0.2.9", "0.3.0"]),
        ("~1.2.3", ["1.2.3"]),
        ("~1.2", ["1.2.0", "1.2.3"]),
        ("~1", ["1.2.0", "1.2.3", "1.9.9"]),
        ("1", ["1.2.0", "1.2.3", "1.9.9"]),
        ("0.2", ["0.2.3", "0.2.9"]),
        ("1.2.3", ["1.2.3"]),
        ("2.0.0-rc.1", ["2.0.0-rc.1"]),
        ("latest", ["0.0.3", "0.2.3", "0.2.9", "0.3.0", "1.2.0", "1.2.3", "1.9.9", "2.0.0"]),
    ],
)
def test_ranges_are_npms(requirement: str, admitted: list[str]) -> None:
    """Caret and tilde as in npm's documentation; a pre-release only by its name."""
    every = [
        *("0.0.3", "0.2.3", "0.2.9", "0.3.0", "1.2.0", "1.2.3", "1.9.9", "2.0.0"),
        *("1.3.0-rc.1", "2.0.0-rc.1", "0.2.4-a"),
    ]
    found = Requirement.parse(requirement)
    assert found is not None
    assert [text for text in every if found.admits(Version.parse(text))] == admitted


@pytest.mark.parametrize(
    "text", [">=1 <2", ">=1", "1 - 2", "1 || 2", "*", "!=1", "１.2", "１.２.３"]
)
def test_ranges_of_other_tools(text: str) -> None:
    """The message tells how ranges are written here; digits are those of ASCII."""
    with pytest.raises(UsageError, match="is no range of versions"):
        Requirement.parse(text)
    with pytest.raises(UsageError, match="semantic version"):
        Version.parse(text)


def test_what_may_be_an_alias_is_no_requirement() -> None:
    """Words are left to the aliases."""
    assert Requirement.parse("production") is None


@pytest.mark.parametrize(
    ("bump", "taken", "wanted"),
    [
        ("patch", [], "0.0.1"),
        ("minor", [], "0.1.0"),
        ("major", [], "1.0.0"),
        ("patch", ["1.2.3", "1.9.0", "1.2.9"], "1.9.1"),
        ("minor", ["1.2.3"], "1.3.0"),
        ("major", ["1.2.3"], "2.0.0"),
        ("prerelease", ["1.2.3"], "1.2.4-rc.1"),
        ("prerelease", ["1.2.3", "1.3.0-rc.1"], "1.3.0-rc.2"),
        ("patch", ["1.2.3", "9.0.0-rc.1"], "1.2.4"),
    ],
)
def test_the_next_version(bump: str, taken: list[str], wanted: str) -> None:
    """It is above all that there are, and stable ones do not wait for pre-releases."""
    assert next_version(bump, [Version.parse(text) for text in taken]).text == wanted


@given(st.lists(texts, max_size=6), st.sampled_from(["major", "minor", "patch", "prerelease"]))
def test_the_next_version_is_new(taken: list[str], bump: str) -> None:
    """It is none of those taken, and higher than all of its kind."""
    versions = [Version.parse(text) for text in taken]
    new = next_version(bump, versions)
    assert new.text not in taken
    same = [v for v in versions if bump == "prerelease" or not v.prerelease]
    assert all(new.key > v.key for v in same)


def test_every_pair_is_ordered_one_way() -> None:
    """No two versions of the example are equal."""
    for a, b in itertools.pairwise(ASCENDING):
        assert semver.Version.parse(a) < semver.Version.parse(b)
