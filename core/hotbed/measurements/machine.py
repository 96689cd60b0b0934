"""What speed depends on besides the model and the software: the machine, in a few words."""

from __future__ import annotations

import platform
from pathlib import Path

from attrs import field, frozen

from hotbed.backends.cpu import cpu_quota
from hotbed.backends.processor import first_processor, instruction_sets

__all__ = ["Machine", "this_machine"]

_NUMBERS = ("cpu family", "model", "stepping", "CPU implementer", "CPU part", "CPU variant")
"""Virtual machines call quite different processors by one name, such as "AMD EPYC"."""

_TELLING = frozenset(
    "avx2 avx512f avx_vnni avx512_vnni avx512_bf16 amx_int8 amx_bf16 "
    "asimddp asimdhp sve i8mm bf16".split()
)
"""Instruction sets that decide which arithmetic is fast, as Linux spells them."""


def _tuple(value: object) -> tuple[str, ...]:
    return tuple(value)  # type: ignore[arg-type]


@frozen(kw_only=True)
class Machine:
    """A machine, as far as measurements depend on it.

    Attributes:
        cpu: The processor's name, with the numbers that tell it from its namesakes.
        features: Its instruction sets that decide which arithmetic is fast.
        cpus: Threads that the measured work used.
        system: Operating system and architecture.
        gpus: Names of the GPUs, where the driver tells them in a file.
    """

    cpu: str
    features: tuple[str, ...] = field(converter=_tuple)
    cpus: int
    system: str
    gpus: tuple[str, ...] = field(converter=_tuple, default=())

    def __str__(self) -> str:
        threads = f"{self.cpus} thread{'s' * (self.cpus != 1)}"
        features = f" ({', '.join(self.features)})" if self.features else ""
        return ", ".join([f"{self.cpu}{features}", threads, self.system, *self.gpus])


def this_machine(
    threads: int | None = None,
    *,
    cpuinfo: Path = Path("/proc/cpuinfo"),
    gpus: Path = Path("/proc/driver/nvidia/gpus"),
) -> Machine:
    """Describe this machine from a few small files; no runtime is asked.

    Args:
        threads: Threads that the work uses; None means the CPU quota of this process.
        cpuinfo: Where Linux describes its processors.
        gpus: Where NVIDIA's driver describes its own.
    """
    first = first_processor(cpuinfo)
    name = first.get("model name") or ("" if first else platform.processor())
    numbers = [f"{key} {first[key]}" for key in _NUMBERS if key in first]
    return Machine(
        cpu=", ".join(filter(None, (name, *numbers))) or platform.machine(),
        features=sorted(_TELLING & instruction_sets(first)),
        cpus=threads or cpu_quota(),
        system=f"{platform.system()} {platform.machine()}",
        gpus=sorted(filter(None, map(_gpu, gpus.glob("*/information")))),
    )


def _gpu(path: Path) -> str:
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except OSError:
        return ""
    pairs = (line.partition(":") for line in lines)
    return next((value.strip() for key, _, value in pairs if key == "Model"), "")
