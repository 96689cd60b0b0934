"""What a manifest declares, taken apart into the cases that the suites go through."""

from __future__ import annotations

from collections.abc import Iterator

from attrs import frozen

from hotbed.backends.manifest import Capability
from hotbed.loading import default_house

__all__ = ["NOTHING", "Case", "cases_of"]

NOTHING = "nothing-declared"
"""The one case of a suite whose action the manifest does not declare; it is left out."""


@frozen(kw_only=True)
class Case:
    """One thing that a capability promises.

    Attributes:
        backend: Whose.
        capability: The capability.
        format: The file format read.
        device: Where.
        dtype: The arithmetic; for ``quantize``, what a request asks for to get the result.
        variety: The graph profile written (convert) or the recipe (quantize).
    """

    backend: str
    capability: Capability
    format: str
    device: str
    dtype: str
    variety: str = ""

    def __str__(self) -> str:
        parts = (self.format, self.variety, self.device, self.dtype)
        return "-".join(part for part in parts if part)


def cases_of(backend: str, action: str) -> list[Case]:
    """Every case of an action; none where the backend does not declare it or does not load.

    Raises:
        UsageError: No backend of that name is installed.
    """
    found = [item for item in default_house().backends.found() if item.name == backend]
    if not found:
        default_house().backends.get(backend)  # raises, and names what is installed
    usable = [item for item in found if item.usable and item.manifest is not None]
    return [
        case
        for item in usable
        if item.manifest is not None
        for capability in item.manifest.capabilities
        if capability.action == action
        for case in _cases(backend, capability)
    ]


def _cases(backend: str, capability: Capability) -> Iterator[Case]:
    varieties: tuple[str, ...] = ("",)
    if capability.action == "convert":
        varieties = capability.profiles
    if capability.action == "quantize":
        varieties = capability.recipes
    dtypes = capability.dtypes if capability.action == "embed" else capability.dtypes[:1]
    devices = capability.devices if capability.action == "embed" else capability.devices[:1]
    for form in capability.formats:
        for device in devices:
            for dtype in dtypes:
                for variety in varieties:
                    yield Case(
                        backend=backend,
                        capability=capability,
                        format=form,
                        device=device,
                        dtype=dtype,
                        variety=variety,
                    )
