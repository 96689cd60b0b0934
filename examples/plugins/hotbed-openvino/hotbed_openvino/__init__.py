"""OpenVINO behind hotbed: float32, bfloat16 where the processor has it, and 8-bit integers."""

from __future__ import annotations

import importlib.util
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hotbed.backends import (
    Artifact,
    Capability,
    FileFormat,
    Layer,
    Loaded,
    LoadOptions,
    Manifest,
    Probe,
    ProbeRequest,
    Recipe,
    TokenBatch,
    Variant,
    cpu_quota,
    hookimpl,
)
from hotbed.errors import DeviceError
from hotbed_openvino.graphs import feeds, graph_inputs, graph_outputs, read
from hotbed_openvino.handle import Handle

__all__ = ["HOTBED"]

HOTBED = Manifest(
    name="openvino",
    summary="OpenVINO on CPUs and Intel GPUs; quantises with NNCF",
    hook_api=1,
    needs="openvino",
    url="https://docs.openvino.ai",
    formats=(
        # sentence-transformers' names, and one for 8-bit weights without calibration.
        FileFormat(
            name="openvino",
            folder="openvino",
            stem="openvino_model",
            suffix=".xml",
            storages={"": "float32", "_qint8_quantized": "int8", "_qint8_weights": "int8"},
            companions=".bin",
        ),
    ),
    capabilities=(
        Capability(action="embed", formats=("onnx", "openvino"), dtypes=("float32", "bfloat16")),
        Capability(action="embed", formats="openvino", dtypes="int8"),
        Capability(action="embed", formats=("onnx", "openvino"), devices="gpu"),
        Capability(
            action="quantize",
            formats="onnx",
            to="openvino",
            dtypes="int8",
            recipes="static_int8",
            features=("layers", "texts"),
        ),
        Capability(
            action="quantize", formats="onnx", to="openvino", dtypes="int8", recipes="int8_weights"
        ),
    ),
)

TOKEN_BUDGET = 512
"""Padded tokens in a batch. On the standard mix 384 to 1,024 are alike and 256 is slower."""

INTEGER_TOKEN_BUDGET = 1024
"""The same in integers, which have more to do at once: 9 % more texts a second than at 512."""

GROUP = 128
"""Numbers of an activation under one scale, in layers whose weights alone are stored as integers.

OpenVINO's own 32 takes a fifth more time, for a mean cosine of 0.9995 instead of 0.9991.
"""

_WORDS = {"float32": "FP32", "bfloat16": "BF16", "int8": "INT8"}
_HINTS = {"float32": "f32", "bfloat16": "bf16"}


@hookimpl
def hotbed_probe(request: ProbeRequest) -> Probe | None:
    """Ask OpenVINO for its devices, and for the arithmetic of the one that is asked for."""
    if importlib.util.find_spec("openvino") is None:
        return None  # the core says so, as of every module in `needs`
    if request.action == "quantize" and importlib.util.find_spec("nncf") is None:
        fix = 'pip install "hotbed-openvino[nncf]"'
        return Probe(ok=False, reason="nncf, which quantises, is not installed", fix=fix)
    import openvino

    core, device = openvino.Core(), _device(request.device)
    who = f"OpenVINO {openvino.get_version().partition('-')[0]}"
    there = core.available_devices
    if not any(f"{name}.".startswith(f"{device}.") for name in there):
        return Probe(ok=False, reason=f"{who} finds {', '.join(there)} here, and no {device}")
    who += f" on {core.get_property(device, 'FULL_DEVICE_NAME')}"
    able = core.get_property(device, "OPTIMIZATION_CAPABILITIES")
    if request.dtype is not None and _WORDS.get(request.dtype) not in able:
        reason = f"{who}, which has no {request.dtype}; it has {', '.join(sorted(able))}"
        return Probe(ok=False, reason=reason)
    return Probe(ok=True, reason=who)


@hookimpl
def hotbed_load(artifact: Artifact, options: LoadOptions) -> Loaded:
    """Read and compile a file, and make sure of where and in which arithmetic it runs."""
    import openvino

    core, device = openvino.Core(), _device(options.device)
    model = read(core, artifact)
    outputs = graph_outputs(artifact.path, model)
    hint = _HINTS.get(options.dtype) or _beside_integers(core, device)
    threads = options.threads or cpu_quota()

    def compiled(streams: int) -> Any:
        settings: dict[str, Any] = {"INFERENCE_PRECISION_HINT": hint}
        if device == "CPU":
            settings |= {"NUM_STREAMS": streams, "INFERENCE_NUM_THREADS": threads}
            # Pinned, the threads of two processes would share the first cores.
            settings |= {"ENABLE_CPU_PINNING": False, "DYNAMIC_QUANTIZATION_GROUP_SIZE": GROUP}
        found = core.compile_model(model, device, settings)
        used = found.get_property("INFERENCE_PRECISION_HINT").to_string()
        where = ", ".join(found.get_property("EXECUTION_DEVICES"))
        if used != hint or not where.startswith(device):
            raise DeviceError(
                f"{artifact.path.name}: {hint} on {device} was asked of OpenVINO, and it would "
                f"run {used} on {where}"
            )
        return found

    handle = Handle(
        inputs=graph_inputs(artifact.path, model),
        outputs={name: port.any_name for name, port in outputs.items()},
        compile=compiled,
        alone=compiled(1),
    )
    first = outputs.get("sentence_embedding") or outputs["token_embeddings"]
    return Loaded(
        handle=handle,
        device=options.device,
        provider=f"OpenVINO {', '.join(handle.alone.get_property('EXECUTION_DEVICES'))}",
        dtype=options.dtype,
        outputs=tuple(outputs),
        dimension=first.partial_shape[-1].get_length(),
        token_budget=INTEGER_TOKEN_BUDGET if options.dtype == "int8" else TOKEN_BUDGET,
        lanes=threads if device == "CPU" else 1,
        facts=(("threads", str(threads)), ("floats", hint), ("file", artifact.path.name)),
    )


@hookimpl
def hotbed_embed(
    loaded: Loaded, batch: TokenBatch, outputs: tuple[str, ...], in_flight: int
) -> dict[str, NDArray[np.float32]]:
    """Run a batch in a request of its own."""
    handle: Handle = loaded.handle
    request = handle.request(in_flight)
    request.infer(feeds(handle.inputs, batch), share_outputs=True)
    found = {name: request.get_tensor(handle.outputs[name]).data for name in outputs}
    return {name: np.array(value, dtype=np.float32) for name, value in found.items()}


@hookimpl
def hotbed_layers(artifact: Artifact) -> tuple[Layer, ...]:
    """Name the products by fixed weights, so that single ones can be left out."""
    import openvino

    from hotbed_openvino.quantising import linear_layers

    model = read(openvino.Core(), artifact)
    return tuple(layer for layer, _ in linear_layers(model))


@hookimpl
def hotbed_quantize(
    artifact: Artifact, recipe: Recipe, batches: Sequence[TokenBatch], out: Path
) -> tuple[Variant, ...]:
    """Write the model with 8-bit integers, by NNCF."""
    from hotbed_openvino.quantising import quantise

    return quantise(artifact, recipe, batches, out)


@hookimpl
def hotbed_close(loaded: Loaded) -> None:
    """Let go of what was compiled."""
    loaded.handle.close()


def _device(name: str) -> str:
    """hotbed's name of a device → OpenVINO's: ``gpu:1`` → ``GPU.1``."""
    return name.upper().replace(":", ".")


def _beside_integers(core: Any, device: str) -> str:
    """The float arithmetic between layers of integers: the narrowest that is in hardware."""
    able = core.get_property(device, "OPTIMIZATION_CAPABILITIES")
    return "bf16" if "BF16" in able else "f32"
