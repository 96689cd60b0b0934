"""Manifests and capabilities."""

from __future__ import annotations

import attrs
import pytest

from hotbed.backends.manifest import (
    DTYPES,
    HOOK_API,
    SUPPORTED_HOOK_APIS,
    Capability,
    Manifest,
    dtype_name,
)


def test_a_single_name_stands_for_a_tuple() -> None:
    """``formats="onnx"`` means ``("onnx",)``, not four letters."""
    capability = Capability(action="embed", formats="onnx", devices="cpu", families="bert")
    assert capability.formats == ("onnx",)
    assert capability.devices == ("cpu",)
    assert capability.families == ("bert",)
    assert Manifest(name="a", needs="onnxruntime", capabilities=[]).needs == ("onnxruntime",)


def test_an_unknown_action_is_refused() -> None:
    """A capability's action is one that hotbed knows."""
    with pytest.raises(ValueError, match="embedd"):
        Capability(action="embedd")


def test_a_manifest_cannot_change() -> None:
    """What a backend declares is data that stays what it was."""
    manifest = Manifest(name="a", capabilities=())
    with pytest.raises(attrs.exceptions.FrozenInstanceError):
        manifest.name = "b"  # type: ignore[misc]


def test_a_manifest_speaks_the_present_hook_api_unless_it_says_otherwise() -> None:
    """The default hook API is one that this hotbed supports."""
    assert Manifest(name="a", capabilities=()).hook_api == HOOK_API
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
