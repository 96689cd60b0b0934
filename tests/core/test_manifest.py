"""Manifests and capabilities."""

from __future__ import annotations

import attrs
import pytest

from hotbed.backends.manifest import (
    DTYPES,
    HOOK_API,
    SUPPORTED_HOOK_APIS,
    Capability,
    FileFormat,
    Manifest,
    dtype_name,
)


def test_a_single_name_stands_for_a_tuple() -> None:
    """``formats="onnx"`` means ``("onnx",)``, not four letters."""
    capability = Capability(action="embed", formats="onnx", devices="cpu", families="bert")
    assert capability.formats == ("onnx",)
    assert capability.devices == ("cpu",)
    assert capability.families == ("bert",)
    assert Manifest(name="a", hook_api=1, needs="onnxruntime", capabilities=[]).needs == (
        "onnxruntime",
    )


def test_a_manifest_takes_any_sequence_of_formats() -> None:
    """A list of formats becomes a tuple, and type checkers take it."""
    brought = FileFormat(name="acme", folder="acme", suffix=".acme", companions=".weights")
    manifest = Manifest(name="a", hook_api=1, capabilities=(), formats=[brought])
    assert manifest.formats == (brought,)
    assert brought.companions == (".weights",)


def test_an_unknown_action_is_refused() -> None:
    """A capability's action is one that hotbed knows."""
    with pytest.raises(ValueError, match="embedd"):
        Capability(action="embedd")


def test_a_manifest_cannot_change() -> None:
    """What a backend declares is data that stays what it was."""
    manifest = Manifest(name="a", hook_api=1, capabilities=())
    with pytest.raises(attrs.exceptions.FrozenInstanceError):
        manifest.name = "b"  # type: ignore[misc]


def test_a_manifest_says_which_hook_api_it_was_written_for() -> None:
    """There is no default: the newest would be claimed by plugins that were written before it."""
    with pytest.raises(TypeError, match="hook_api"):
        Manifest(name="a", capabilities=())  # type: ignore[call-arg]
    assert HOOK_API in SUPPORTED_HOOK_APIS


@pytest.mark.parametrize(
    ("spelling", "name"),
    [("bf16", "bfloat16"), ("BF16", "bfloat16"), ("fp32", "float32"), ("half", "float16")],
)
def test_spellings_of_a_dtype(spelling: str, name: str) -> None:
    """Each spelling, in any case, has one name."""
    assert dtype_name(spelling) == name


def test_every_name_of_a_dtype_names_itself() -> None:
    """The table of spellings is closed: a name that it gives is a spelling of itself."""
    assert all(dtype_name(name) == name for name in DTYPES.values())
    with pytest.raises(KeyError):
        dtype_name("float31")
