"""Open an ONNX Runtime session, and prove where it runs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from attrs import frozen

from hotbed.errors import (
    CorruptFileError,
    DeviceError,
    MissingFileError,
    ModelError,
    UnsupportedModelError,
)
from hotbed.models.damage import lfs_advice, looks_like_pointer
from hotbed_onnx.forks import keep_in_children
from hotbed_onnx.operators import refuse_loops
from hotbed_onnx.runtime import import_onnxruntime

__all__ = ["OpenSession", "open_session"]


@frozen(kw_only=True, eq=False)
class OpenSession:
    """A session and what it declares.

    Attributes:
        session: ``onnxruntime.InferenceSession``; ``run`` may be called from several threads.
        inputs: Declared inputs → element type, e.g. ``tensor(int64)``.
        shapes: Declared inputs → shape; an axis that has a name, and no number, may be any.
        outputs: Declared outputs → shape.
        provider: The execution provider that the session really uses first.
        metadata: The properties that the file's maker stored.
    """

    session: Any
    inputs: dict[str, str]
    shapes: dict[str, list[Any]]
    outputs: dict[str, list[Any]]
    provider: str
    metadata: dict[str, str]


def open_session(path: Path, *, provider: str, threads: int) -> OpenSession:
    """Open a model file on one execution provider.

    Args:
        path: The ``.onnx`` file.
        provider: The provider asked for. The session is checked to use it: a runtime may fall
            back to the CPU without a word.
        threads: Threads of this session's own pool, the caller's included. Never onnxruntime's
            process-wide pool: once that is made, every session that somebody else in the process
            opens in the ordinary way is refused, and so is every session after a fork.

    Raises:
        MissingFileError, CorruptFileError: The file, or its external data, is not there or broken.
        UnsupportedModelError: The graph decides itself how long it runs.
        DeviceError: The session would run elsewhere.
    """
    onnxruntime = import_onnxruntime()
    if not path.is_file():
        raise MissingFileError(f"{path} is missing")
    if path.stat().st_size == 0:
        raise CorruptFileError(f"{path} is empty; convert or download it again")
    if looks_like_pointer(path):
        raise CorruptFileError(lfs_advice(path))
    refuse_loops(path)
    options = onnxruntime.SessionOptions()
    # Errors come as exceptions too; the log would write names out of the file to the terminal.
    options.log_severity_level = 4
    options.intra_op_num_threads = threads
    # Threads that wait for the next call in a loop take the CPUs from whatever else runs here: two
    # models called in turn took 1.0 to 1.4 times as long with it (2 CPUs), and one no less.
    options.add_session_config_entry("session.force_spinning_stop", "1")
    try:
        session = onnxruntime.InferenceSession(str(path), options, providers=[provider])
    except Exception as error:
        # onnxruntime raises its own classes without a common base.
        raise _in_our_words(path, error) from error
    keep_in_children(session)
    used = session.get_providers()
    if used[0] != provider:
        raise DeviceError(
            f"{path.name}: {provider} was asked for, and the session runs on {', '.join(used)}; "
            f"this onnxruntime offers {', '.join(onnxruntime.get_available_providers())}"
        )
    return OpenSession(
        session=session,
        inputs={item.name: item.type for item in session.get_inputs()},
        shapes={item.name: list(item.shape) for item in session.get_inputs()},
        outputs={item.name: list(item.shape) for item in session.get_outputs()},
        provider=used[0],
        metadata=dict(session.get_modelmeta().custom_metadata_map),
    )


def _in_our_words(path: Path, error: Exception) -> ModelError:
    text = str(error).strip().splitlines()[0]
    version = import_onnxruntime().__version__
    if "Unsupported model IR version" in text or "opset" in text.lower():
        return UnsupportedModelError(
            f"{path} was written for a newer ONNX than onnxruntime {version} "
            f"reads: {text}. Update onnxruntime, or export the model again for an older opset"
        )
    lowered = text.replace(str(path.parent), "").lower()  # a folder may be called my_data
    if "external data" in lowered or "escapes" in lowered or "_data" in lowered:
        return ModelError(
            f"{path}: its external data cannot be used: {text}. The data must lie beside the file"
        )
    return CorruptFileError(
        f"{path} ({path.stat().st_size:,} bytes) cannot be opened by onnxruntime: {text}"
    )
