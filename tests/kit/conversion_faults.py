"""Faults of a converter."""

from __future__ import annotations

from tests.kit.fault import Fault

__all__ = ["CONVERSION_FAULTS"]

_DECLARED = """
HOTBED = evolve(
    HOTBED, capabilities=(*HOTBED.capabilities, evolve(_CONVERT, profiles=("portable",)))
)
"""

CONVERSION_FAULTS = (
    Fault(
        "the conversion loses a layer's bias",
        "test_a_round_trip_keeps_the_vectors",
        _DECLARED
        + """
@hookimpl
def hotbed_convert(folder, target, out):
    import shutil
    from safetensors.numpy import load_file, save_file
    copy = out.parent / "copy"
    shutil.copytree(folder, copy)
    tensors = load_file(copy / "model.safetensors")
    tensors["encoder.layer.0.output.dense.bias"] *= 0
    save_file(tensors, copy / "model.safetensors")
    try:
        return real.hotbed_convert(copy, target, out)
    finally:
        shutil.rmtree(copy)
""",
    ),
    Fault(
        "the conversion writes into its source",
        "test_the_source_stays_as_it_was",
        _DECLARED
        + """
@hookimpl
def hotbed_convert(folder, target, out):
    (folder / "patient.log").write_text("was here")
    return real.hotbed_convert(folder, target, out)
""",
    ),
    Fault(
        "the conversion makes do with damaged weights",
        "test_damaged_weights_are_refused",
        _DECLARED
        + """
@hookimpl
def hotbed_convert(folder, target, out):
    from hotbed.backends import Variant
    try:
        return real.hotbed_convert(folder, target, out)
    except Exception:
        (out / "model.onnx").write_bytes(b"")
        return (Variant(format="onnx", file="model.onnx"),)
""",
    ),
    Fault(
        "the conversion takes any architecture for BERT",
        "test_an_unknown_architecture_is_refused",
        """
HOTBED = evolve(
    HOTBED,
    capabilities=(*HOTBED.capabilities, evolve(_CONVERT, profiles=("portable",), families=())),
)

@hookimpl
def hotbed_convert(folder, target, out):
    config = folder / "config.json"
    text = config.read_text()
    config.write_text(text.replace("abacus", "bert"))
    try:
        return real.hotbed_convert(folder, target, out)
    finally:
        config.write_text(text)
""",
    ),
)
