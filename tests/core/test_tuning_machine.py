"""What tells one machine from another."""

from __future__ import annotations

from pathlib import Path

import pytest

from hotbed.backends import cpu_quota
from hotbed.measurements import this_machine

X86 = """\
processor	: 0
vendor_id	: AuthenticAMD
cpu family	: 25
model		: {model}
model name	: AMD EPYC
stepping	: 1
cpu MHz		: {mhz}
flags		: fpu vme avx2 avx512f {flags}

processor	: 1
model name	: another
"""

ARM = """\
processor	: 0
BogoMIPS	: 243.75
Features	: fp asimd asimddp sve i8mm bf16
CPU implementer	: 0x41
CPU variant	: 0x1
CPU part	: 0xd40
"""


def cpuinfo(folder: Path, text: str) -> Path:
    """A cpuinfo file."""
    path = folder / "cpuinfo"
    path.write_text(text, encoding="utf-8")
    return path


def x86(folder: Path, *, model: int = 17, mhz: float = 2596.1, flags: str = "") -> Path:
    """One of a virtual machine, as Linux writes it."""
    return cpuinfo(folder, X86.format(model=model, mhz=mhz, flags=flags))


def test_the_processor_and_what_it_can(tmp_path: Path) -> None:
    """Name, numbers and telling instruction sets come from the first block."""
    machine = this_machine(4, cpuinfo=x86(tmp_path, flags="avx512_bf16"), gpus=tmp_path)
    assert machine.cpu == "AMD EPYC, cpu family 25, model 17, stepping 1"
    assert machine.features == ("avx2", "avx512_bf16", "avx512f")
    assert (machine.cpus, machine.gpus) == (4, ())


def test_namesakes_are_told_apart(tmp_path: Path) -> None:
    """Two processors that a hypervisor calls alike differ; a clock that moved does not count."""
    one = this_machine(2, cpuinfo=x86(tmp_path), gpus=tmp_path)
    assert this_machine(2, cpuinfo=x86(tmp_path, mhz=3100.0), gpus=tmp_path) == one
    assert this_machine(2, cpuinfo=x86(tmp_path, model=1), gpus=tmp_path) != one
    assert this_machine(2, cpuinfo=x86(tmp_path, flags="amx_bf16"), gpus=tmp_path) != one
    assert this_machine(4, cpuinfo=x86(tmp_path), gpus=tmp_path) != one


def test_arm(tmp_path: Path) -> None:
    """Where Linux gives no name, the numbers are the name."""
    machine = this_machine(2, cpuinfo=cpuinfo(tmp_path, ARM), gpus=tmp_path)
    assert machine.cpu == "CPU implementer 0x41, CPU part 0xd40, CPU variant 0x1"
    assert machine.features == ("asimddp", "bf16", "i8mm", "sve")


def test_a_machine_that_tells_nothing(tmp_path: Path) -> None:
    """Without the file there is still a name, and the threads are the CPU quota."""
    machine = this_machine(cpuinfo=tmp_path / "absent", gpus=tmp_path / "absent")
    assert machine.cpu
    assert machine.cpus == cpu_quota()


def test_gpus_by_name(tmp_path: Path) -> None:
    """NVIDIA's driver tells the model of each GPU in a file."""
    for number in ("0000:01:00.0", "0000:02:00.0"):
        place = tmp_path / number
        place.mkdir()
        (place / "information").write_text("Model: \t\t NVIDIA H200\nIRQ:   52\n", encoding="utf-8")
    machine = this_machine(gpus=tmp_path)
    assert machine.gpus == ("NVIDIA H200", "NVIDIA H200")
    assert str(machine).endswith("NVIDIA H200, NVIDIA H200")


@pytest.mark.parametrize("threads", [1, 2])
def test_threads_in_words(threads: int, tmp_path: Path) -> None:
    """A machine is told in one line."""
    machine = this_machine(threads, cpuinfo=x86(tmp_path), gpus=tmp_path)
    assert f", {threads} thread{'s' * (threads > 1)}, " in str(machine)
