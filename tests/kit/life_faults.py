"""Faults that show with threads, processes, damage and time."""

from __future__ import annotations

from tests.kit.fault import Fault

__all__ = ["LIFE_FAULTS"]

LIFE_FAULTS = (
    Fault(
        "inputs are kept on the handle",
        "test_eight_threads_give_the_single_threaded_result",
        """
_feeds = {}

@hookimpl
def hotbed_embed(loaded, batch, outputs, in_flight):
    _feeds["batch"] = batch
    time.sleep(0.0005)
    return real.hotbed_embed(loaded, _feeds["batch"], outputs, in_flight)
""",
    ),
    Fault(
        "calls in flight disturb one another",
        "test_batches_in_flight",
        """
_busy = threading.Lock()

@hookimpl
def hotbed_embed(loaded, batch, outputs, in_flight):
    if not _busy.acquire(blocking=False):
        raise RuntimeError("busy")
    try:
        time.sleep(0.002)
        return real.hotbed_embed(loaded, batch, outputs, in_flight)
    finally:
        _busy.release()
""",
    ),
    Fault(
        "closing one model closes another of the same file",
        "test_two_models_at_once",
        """
_open = {}

@hookimpl
def hotbed_load(artifact, options):
    if artifact.path not in _open:
        _open[artifact.path] = real.hotbed_load(artifact, options)
    return _open[artifact.path]

@hookimpl
def hotbed_close(loaded):
    for path, held in list(_open.items()):
        if held.handle is loaded.handle:
            del _open[path]
    real.hotbed_close(loaded)
""",
    ),
    Fault(
        "a closed model cannot be opened again",
        "test_close_twice_and_load_again",
        """
_seen = set()

@hookimpl
def hotbed_load(artifact, options):
    if artifact.path in _seen:
        raise RuntimeError("device or resource busy")
    _seen.add(artifact.path)
    return real.hotbed_load(artifact, options)
""",
    ),
    Fault(
        "only the process that began can load",
        "test_a_spawned_process_opens_it_again",
        """
os.environ.setdefault("PATIENTS_FIRST_PROCESS", str(os.getpid()))

@hookimpl
def hotbed_load(artifact, options):
    if os.environ["PATIENTS_FIRST_PROCESS"] != str(os.getpid()):
        raise RuntimeError("not the first process")
    return real.hotbed_load(artifact, options)
""",
    ),
    Fault(
        "a damaged file is loaded",
        "test_damaged_files_are_refused",
        """
_last = None

@hookimpl
def hotbed_load(artifact, options):
    try:
        return real.hotbed_load(artifact, options)
    except Exception:
        from hotbed.backends import Loaded
        return Loaded(handle=None, device="cpu", provider="?", dtype="float32",
                      outputs=("sentence_embedding",), dimension=32)
""",
    ),
    Fault(
        "a damaged file kills the process",
        "test_damaged_files_are_refused",
        """
@hookimpl
def hotbed_load(artifact, options):
    if b"not a model" in artifact.path.read_bytes():
        os.abort()
    return real.hotbed_load(artifact, options)
""",
    ),
    Fault(
        "sessions are never let go",
        "test_loads_and_closes_leave_nothing",
        """
_kept = []

@hookimpl
def hotbed_load(artifact, options):
    loaded = real.hotbed_load(artifact, options)
    _kept.append((loaded, loaded.handle.session(1)))
    return loaded
""",
        heavy=True,
    ),
)
