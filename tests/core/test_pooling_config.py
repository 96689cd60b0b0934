"""``1_Pooling/config.json``: the booleans of old, the list of today."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from hotbed.backends.values import POOLING_MODES, Pooling
from hotbed.errors import CorruptFileError, MissingFileError, UnsupportedModelError
from hotbed.models import read_folder
from hotbed.testing import build_tiny


def read(tmp_path: Path, **pooling: Any) -> Pooling:
    """The pooling of a folder with this configuration."""
    return read_folder(build_tiny(tmp_path / "m", pooling=pooling)).pipeline.pooling


@pytest.mark.parametrize(
    ("key", "mode"),
    [
        ("pooling_mode_cls_token", "cls"),
        ("pooling_mode_max_tokens", "max"),
        ("pooling_mode_mean_tokens", "mean"),
        ("pooling_mode_mean_sqrt_len_tokens", "mean_sqrt_len_tokens"),
        ("pooling_mode_weightedmean_tokens", "weightedmean"),
        ("pooling_mode_lasttoken", "lasttoken"),
    ],
)
def test_one_old_boolean(tmp_path: Path, key: str, mode: str) -> None:
    """Each boolean of old saves names its mode; false ones do not count."""
    assert read(tmp_path, **{"pooling_mode_mean_tokens": False, key: True}).modes == (mode,)


def test_old_booleans_join_in_sentence_transformers_order(tmp_path: Path) -> None:
    """Several booleans are joined cls, max, mean, …, whatever their order in the file."""
    modes = read(
        tmp_path,
        pooling_mode_lasttoken=True,
        pooling_mode_mean_tokens=True,
        pooling_mode_max_tokens=True,
        pooling_mode_cls_token=True,
    ).modes
    assert modes == ("cls", "max", "mean", "lasttoken")


def test_no_boolean_means_the_mean(tmp_path: Path) -> None:
    """A configuration that names nothing pools by the mean."""
    assert read(tmp_path, pooling_mode_cls_token=False).modes == ("mean",)


@pytest.mark.parametrize("mode", POOLING_MODES)
def test_the_new_form(tmp_path: Path, mode: str) -> None:
    """``pooling_mode`` is a name, or a list joined in its own order."""
    assert read(tmp_path, pooling_mode=mode).modes == (mode,)
    assert read(tmp_path, pooling_mode=[mode, "mean"]).modes == (mode, "mean")


def test_the_new_form_wins(tmp_path: Path) -> None:
    """Where both forms stand, the new one counts."""
    assert read(tmp_path, pooling_mode="cls", pooling_mode_max_tokens=True).modes == ("cls",)


@pytest.mark.parametrize("value", [True, False])
def test_include_prompt(tmp_path: Path, value: bool) -> None:
    """``include_prompt`` is read; prompts count unless it says otherwise."""
    assert read(tmp_path, pooling_mode="mean", include_prompt=value).include_prompt is value
    assert read(tmp_path, pooling_mode="mean").include_prompt


@pytest.mark.parametrize("key", ["embedding_dimension", "word_embedding_dimension"])
def test_the_declared_dimension(tmp_path: Path, key: str) -> None:
    """The declared width is read under its new and its old name."""
    pooling = {"pooling_mode": "mean", "word_embedding_dimension": None, key: 32}
    folder = build_tiny(tmp_path / "m", pooling=pooling)
    assert read_folder(folder).pipeline.declared_dimension == 32


def test_an_unknown_key_is_refused(tmp_path: Path) -> None:
    """A key of a newer version could change the vectors, so it is not ignored."""
    with pytest.raises(UnsupportedModelError, match=r"pooling_layers is not known"):
        read(tmp_path, pooling_mode="mean", pooling_layers=[1])


def test_an_unknown_mode_is_refused(tmp_path: Path) -> None:
    """A mode that hotbed does not compute is refused with the ones that it does."""
    with pytest.raises(UnsupportedModelError, match=r"mode 'median' is not one of cls, max"):
        read(tmp_path, pooling_mode=["mean", "median"])


def test_a_list_without_modes_is_corrupt(tmp_path: Path) -> None:
    """An empty list is a mistake of the file and not a crash."""
    with pytest.raises(CorruptFileError, match="names no mode"):
        read(tmp_path, pooling_mode=[])


def test_a_missing_configuration_is_named(tmp_path: Path) -> None:
    """A Pooling module without its configuration is an error that names the file."""
    folder = build_tiny(tmp_path / "m")
    (folder / "1_Pooling" / "config.json").unlink()
    with pytest.raises(MissingFileError, match=r"config\.json is missing from .*1_Pooling"):
        read_folder(folder)
