"""Open a folder with PyTorch, and run batches through it."""

from __future__ import annotations

import contextlib
import threading
import warnings
from typing import Any

import numpy as np
from attrs import define, field
from numpy.typing import NDArray

from hotbed.backends import Artifact, Loaded, LoadOptions, TokenBatch, cpu_quota
from hotbed.errors import ClosedError, DeviceError, HotbedWarning, UsageError
from hotbed.models import ModelFolder, read_folder
from hotbed_pytorch.network import hidden_size, open_network
from hotbed_pytorch.probing import device_fault

__all__ = ["Handle", "open_model", "run"]

_SENTENCE = "sentence_embedding"
_TOKENS = "token_embeddings"

TOKEN_BUDGET = {"cpu": 1024, "cuda": 16_384, "mps": 8_192}
"""Padded tokens in a batch. The CPU's is the core's default, and the GPUs' are guesses at what
keeps one busy; none was measured. ``hotbed tune`` measures them for a model."""

_STATEFUL = ("dynamic", "longrope")
"""Rotary embeddings that remember the longest text so far, in the module."""


@define(kw_only=True, eq=False)
class Handle:
    """An open network."""

    network: Any
    device: Any
    one_at_a_time: contextlib.AbstractContextManager[Any] = field(factory=contextlib.nullcontext)

    def close(self) -> None:
        """Let go of the network, and give memory of a GPU back to its driver."""
        import torch

        self.network = None
        if self.device.type == "cuda":
            torch.cuda.empty_cache()


def open_model(artifact: Artifact, options: LoadOptions) -> Loaded:
    """Open an artifact's network on the device asked for.

    Raises:
        DeviceError: PyTorch has no such device, or the network did not get there.
        UsageError: Another number of threads was asked for than PyTorch runs.
        ModelError: The folder or the weights cannot be used.
    """
    import torch

    if fault := device_fault(options.device):
        raise DeviceError(f"{artifact.folder.name}: {fault}")
    threads = _threads(options)
    folder = read_folder(artifact.folder)
    network = open_network(folder, artifact.path, getattr(torch, options.dtype))
    config = network.transformer.config
    device = torch.device(options.device)
    network = network.to(device)
    _prove(network, device, options)
    handle = Handle(network=network, device=device)
    if _is_stateful(config):
        handle.one_at_a_time = threading.Lock()
    return Loaded(
        handle=handle,
        device=options.device,
        provider=_provider(device),
        dtype=options.dtype,
        outputs=(_SENTENCE, _TOKENS),
        dimension=folder.pipeline.dimension(hidden_size(config)),
        takes_pooling_mask=_pools_by_mask(folder),
        token_budget=TOKEN_BUDGET[device.type],
        nbytes=sum(p.numel() * p.element_size() for p in network.parameters()),
        facts=(
            ("threads", f"{threads}, of the whole process"),
            ("attention", str(config._attn_implementation)),
            ("class", type(network.transformer).__name__),
        ),
        masks_padding=True,
    )


def run(
    handle: Handle, batch: TokenBatch, outputs: tuple[str, ...]
) -> dict[str, NDArray[np.float32]]:
    """Run one batch; results as float32 by hotbed's names."""
    import torch

    network = handle.network
    if network is None:
        raise ClosedError("the network was closed")
    # A copy, because PyTorch warns of arrays that may not be written, and could write them.
    ids, attention, pooling = (
        torch.tensor(array, device=handle.device)
        for array in (batch.input_ids, batch.attention_mask, batch.pooling_mask)
    )
    with torch.inference_mode(), handle.one_at_a_time:
        if outputs == (_TOKENS,):
            found = {_TOKENS: network.tokens(ids, attention)}
        else:
            tokens, sentences = network(ids, attention, pooling)
            found = {_TOKENS: tokens, _SENTENCE: sentences}
        return {name: found[name].contiguous().cpu().numpy() for name in outputs}


def _threads(options: LoadOptions) -> int:
    """PyTorch's threads, which are the process's: they are told, and never changed."""
    import torch

    running: int = torch.get_num_threads()
    if options.threads is not None and options.threads != running:
        raise UsageError(
            f"threads={options.threads}: PyTorch has one number of threads for the whole process, "
            f"and it is {running}; call torch.set_num_threads({options.threads}) first, or set "
            f"OMP_NUM_THREADS={options.threads} before Python starts"
        )
    quota = cpu_quota()
    if options.device == "cpu" and running > quota:
        warnings.warn(
            f"PyTorch runs {running} threads, and this process may keep {quota} CPUs busy; "
            f"torch.set_num_threads({quota}) makes it faster",
            HotbedWarning,
            stacklevel=2,
        )
    return running


def _prove(network: Any, device: Any, options: LoadOptions) -> None:
    """Look where the weights lie, and what they are."""
    for name, values in network.named_parameters():
        where = values.device
        if where.type != device.type or device.index not in (None, where.index):
            raise DeviceError(f"{options.device} was asked for, and {name} lies on {where}")
    found = {str(p.dtype).removeprefix("torch.") for p in network.transformer.parameters()}
    if found != {options.dtype}:
        raise DeviceError(
            f"{options.dtype} was asked for, and the weights are {', '.join(sorted(found))}"
        )


def _provider(device: Any) -> str:
    import torch

    name = torch.cuda.get_device_name(device) if device.type == "cuda" else device.type
    return f"torch {torch.__version__} on {name}"


def _pools_by_mask(folder: ModelFolder) -> bool:
    """Whether pooling by a mask alone is right: weighted mean counts from where padding ends."""
    return "weightedmean" not in folder.pipeline.pooling.modes


def _is_stateful(config: Any) -> bool:
    parameters = getattr(config, "rope_parameters", None) or {}
    kinds = [parameters, *(v for v in parameters.values() if isinstance(v, dict))]
    return any(kind.get("rope_type") in _STATEFUL for kind in kinds)
