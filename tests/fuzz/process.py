"""The worker as the session holds it: started, asked, listened to, given up."""

from __future__ import annotations

import contextlib
import json
import os
import select
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import IO, Any

from attrs import define, frozen

from tests.fuzz.place import environment, lay_out

__all__ = ["Lost", "WorkerProcess"]

_START = 300.0
_SHOWN = 1 << 20


@frozen(kw_only=True)
class Lost:
    """A worker that gave no answer.

    Attributes:
        told: Why: a signal, an exit code, a time.
        hung: Whether it had to be killed.
        words: What it printed; faulthandler's stack is among it.
    """

    told: str
    hung: bool
    words: str

    @property
    def frames(self) -> str:
        """The innermost frames of Python."""
        frames = [line.strip() for line in self.words.splitlines() if line.startswith('  File "')]
        short = [f"{Path(f.split(chr(34))[1]).name}:{f.rpartition('line ')[2]}" for f in frames]
        return " from ".join(short[:2])


@define(eq=False)
class WorkerProcess:
    """A worker, started when it is first asked, and again after it was lost.

    Attributes:
        place: The session's folder.
        seconds: How long it may take to answer.
        recycle: After how many orders it is replaced.
        printed: What it printed while it worked on the last order.
    """

    place: Path
    seconds: float
    recycle: int
    printed: str = ""
    _process: subprocess.Popen[bytes] | None = None
    _answers: IO[bytes] | None = None
    _served: int = 0
    _buffer: bytes = b""
    _closed: bool = False

    def ask(self, order: dict[str, Any]) -> dict[str, Any] | Lost:
        """Hand over an order, and wait."""
        if self._process is None or self._served >= self.recycle:
            self._start()
        assert self._process is not None
        assert self._process.stdin is not None
        self._served += 1
        start = self._log.stat().st_size
        with contextlib.suppress(BrokenPipeError):  # it died before; the missing answer says so
            line = json.dumps({**order, "seconds": self.seconds}).encode() + b"\n"
            self._process.stdin.write(line)
            self._process.stdin.flush()
        line = self._line(self.seconds) or b""
        hung = not line and self._process.poll() is None and not self._ended()
        if not line:
            lost = self._give_up(hung)
            self.printed = self._read_log(start)
            return Lost(told=lost, hung=hung, words=self.printed)
        self.printed = self._read_log(start)
        answer: dict[str, Any] = json.loads(line)
        return answer

    def end(self) -> None:
        """Stop it."""
        if self._process is not None:
            assert self._process.stdin is not None
            with contextlib.suppress(BrokenPipeError):
                self._process.stdin.close()
            self._process.kill()
            self._process.wait()
        if self._answers is not None:
            self._answers.close()
        self._process = self._answers = None

    def _ended(self) -> bool:
        """Whether it closed its end, and is only not reaped yet."""
        assert self._process is not None
        if self._closed:
            self._process.wait()
        return self._closed

    def _give_up(self, hung: bool) -> str:
        assert self._process is not None
        process = self._process
        if hung:
            process.kill()
        code = process.wait()
        self.end()
        if hung:
            return f"no answer in {self.seconds:.0f} s"
        return signal.Signals(-code).name if code < 0 else f"exit code {code}"

    def _line(self, seconds: float) -> bytes | None:
        """The next line; None where there is none in time, or none any more."""
        assert self._answers is not None
        deadline = time.monotonic() + seconds
        while b"\n" not in self._buffer:
            left = deadline - time.monotonic()
            if left <= 0 or not select.select([self._answers], [], [], left)[0]:
                return None
            chunk = os.read(self._answers.fileno(), 1 << 16)
            if not chunk:
                self._closed = True
                return None
            self._buffer += chunk
        line, _, self._buffer = self._buffer.partition(b"\n")
        return line

    def _start(self) -> None:
        self.end()
        shutil.rmtree(self.place / "own", ignore_errors=True)
        lay_out(self.place)
        reading, writing = os.pipe()
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-P", "-m", "tests.fuzz.worker", str(writing)],
                stdin=subprocess.PIPE,
                stdout=log,
                stderr=log,
                pass_fds=[writing],
                cwd=self.place / "sentinel" / "work",
                env=environment(self.place),
            )
        os.close(writing)
        self._answers = os.fdopen(reading, "rb", buffering=0)
        self._served, self._buffer, self._closed = 0, b"", False
        assert self._process.stdin is not None
        self._process.stdin.write(f"{self.place / 'seeds'}\n".encode())
        self._process.stdin.flush()
        if self._line(_START) != b"ready":
            raise RuntimeError(f"the worker did not start: {self._read_log(0)[-3000:]}")

    @property
    def _log(self) -> Path:
        return self.place / "worker.log"

    def _read_log(self, start: int) -> str:
        with self._log.open("rb") as file:
            file.seek(start)
            return file.read(_SHOWN).decode("utf-8", "replace")
