"""Every wait has one limit, says after a second what it waits for, and names the holder at last."""

from __future__ import annotations

import logging
import os
import signal
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from hotbed.errors import RegistryUnavailableError, UsageError
from hotbed.registry import Registry
from tests.isolation import child_environment

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="needs SIGSTOP and flock")

_WRITER = """
import sys
from hotbed.registry import Registry
registry = Registry(sys.argv[1], blobs=sys.argv[2] or None, who="eve")
with registry.store.database.writing():
    print("writing", flush=True)
    sys.stdin.read()
"""

_FOREIGN = """
import sqlite3, sys
connection = sqlite3.connect(sys.argv[1], isolation_level=None)
connection.execute("BEGIN IMMEDIATE")
print("writing", flush=True)
sys.stdin.read()
"""


@contextmanager
def stopped_writer(where: str, blobs: str = "") -> Iterator[int]:
    """A process that is stopped in the middle of its transaction."""
    process = subprocess.Popen(
        [sys.executable, "-c", _WRITER, where, blobs],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env=child_environment(),
    )
    try:
        assert process.stdout is not None
        assert process.stdout.readline() == b"writing\n"
        process.send_signal(signal.SIGSTOP)
        yield process.pid
    finally:
        process.kill()
        process.communicate()


def test_a_stopped_writer(
    registry: Registry, model: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Writers are told who it is, readers do not wait, and when it is gone it is over."""
    registry.register("support", model)
    place = registry.store.place
    with stopped_writer(place) as process:
        waiting = Registry(place, who="bob", timeout_s=1.3)
        with (
            caplog.at_level(logging.WARNING, "hotbed.registry"),
            pytest.raises(RegistryUnavailableError, match=r"within 1.3 s") as caught,
        ):
            waiting.promote("support", "production")
        for part in (f"process {process},", "eve on ", "has been writing since 20"):
            assert part in str(caught.value)
        assert f"process {process}" in caplog.text
        assert waiting.search()
        assert str(waiting.resolve("support")) == "support@0.0.1"
    assert waiting.promote("support", "production").aliases == ("production",)
    waiting.close()


def test_somebody_who_is_no_writer_of_hotbeds(registry: Registry, model: Path) -> None:
    """Another program's transaction: its process is named where the system tells."""
    registry.register("support", model)
    waiting = Registry(registry.store.place, who="bob", timeout_s=0.3)
    other = subprocess.Popen(
        [
            sys.executable,
            "-c",
            _FOREIGN,
            str(registry.store.database.file),
        ],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    try:
        assert other.stdout is not None
        assert other.stdout.readline() == b"writing\n"
        with pytest.raises(RegistryUnavailableError, match="no writer of hotbed's") as caught:
            waiting.unset("support", "production")
        if Path("/proc/locks").exists():
            assert f"process {other.pid} " in str(caught.value)
    finally:
        other.kill()
        other.communicate()
    waiting.close()


def test_waiting_threads_leave_connections_to_readers(registry: Registry, model: Path) -> None:
    """Twenty threads that wait for a writer hold none: a reader among them is served."""
    registry.register("support", model)
    connection = sqlite3.connect(str(registry.store.database.file), isolation_level=None)
    connection.execute("BEGIN IMMEDIATE")
    patient = Registry(registry.store.place, who="bob", timeout_s=4.0)
    errors: list[BaseException] = []

    def write() -> None:
        try:
            patient.annotate("support", tags={"by": str(threading.get_ident())})
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=write) for _ in range(20)]
    for thread in threads:
        thread.start()
    for _ in range(5):
        assert str(patient.resolve("support")) == "support@0.0.1"
    connection.execute("ROLLBACK")
    connection.close()
    for thread in threads:
        thread.join()
    assert errors == []
    patient.close()


def test_readers_share_few_connections(registry: Registry, model: Path) -> None:
    """When all are taken for too long, it is an outage and no TimeoutError of SQLAlchemy."""
    registry.register("support", model)
    hurried = Registry(registry.store.place, timeout_s=0.2)
    with ExitStack() as stack:

        def read_all_at_once() -> None:
            for _ in range(100):
                stack.enter_context(hurried.store.database.reading())

        with pytest.raises(RegistryUnavailableError, match="QueuePool limit"):
            read_all_at_once()
    assert str(hurried.resolve("support")) == "support@0.0.1"
    hurried.close()


def test_registries_of_a_process_share_connections(registry: Registry) -> None:
    """They are closed with the last; a fork makes its own."""
    place = registry.store.place
    several = [Registry(place) for _ in range(5)]
    shared = {id(one.store.database.connections()) for one in (registry, *several)}
    assert len(shared) == 1
    for one in several:
        one.close()
    if hasattr(os, "fork"):
        child = os.fork()
        if not child:
            same = id(registry.store.database.connections()) in shared
            os._exit(1 if same or registry.search() else 0)
        assert os.waitpid(child, 0)[1] == 0
    assert registry.search() == []


@pytest.mark.parametrize("timeout_s", [0, -1.0])
def test_a_limit_that_is_none(tmp_path: Path, timeout_s: float) -> None:
    """It is refused."""
    with pytest.raises(UsageError, match="timeout_s"):
        Registry(tmp_path, timeout_s=timeout_s)


def test_the_limit_is_a_setting(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of the environment, where none is given."""
    monkeypatch.setenv("HOTBED_REGISTRY_TIMEOUT_S", "7.5")
    with Registry(tmp_path / "registry") as registry:
        assert registry.store.database.timeout_s == 7.5
