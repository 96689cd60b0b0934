"""What a backend says of itself, as data that can be read without importing a runtime."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from attrs import field, frozen, validators

__all__ = [
    "ACTIONS",
    "DTYPES",
    "HOOK_API",
    "SUPPORTED_HOOK_APIS",
    "Capability",
    "FileFormat",
    "Manifest",
    "dtype_name",
]

HOOK_API = 1
"""The hook API that this hotbed speaks. An integer, because comparing package versions lies."""

SUPPORTED_HOOK_APIS = frozenset({HOOK_API})
"""N and N−1; there is no 0."""

ACTIONS = ("embed", "convert", "quantize")

DTYPES = {
    "float32": "float32",
    "fp32": "float32",
    "f32": "float32",
    "float16": "float16",
    "fp16": "float16",
    "f16": "float16",
    "half": "float16",
    "bfloat16": "bfloat16",
    "bf16": "bfloat16",
    "int8": "int8",
    "uint8": "uint8",
    "q8": "q8",
    "w8": "w8",
    "q4": "q4",
    "q4f16": "q4f16",
    "bnb4": "bnb4",
}
"""Spellings of arithmetic and storage types → the one name that hotbed uses."""


def dtype_name(spelling: str) -> str:
    """Give the one name of a dtype: ``dtype_name("bf16") == "bfloat16"``.

    Raises:
        KeyError: The spelling is not known.
    """
    return DTYPES[spelling.lower()]


def _dtypes(value: object) -> tuple[str, ...]:
    return tuple(dtype_name(name) for name in _names(value))


def _names(value: object) -> tuple[str, ...]:
    if isinstance(value, str):
        return (value,)
    return tuple(value)  # type: ignore[arg-type]


@frozen(kw_only=True)
class Capability:
    """One thing that a backend can do.

    Selection reads these fields in the order of its stages; an empty tuple of ``families`` means
    that the backend does not care about the architecture.

    Attributes:
        action: ``embed``, ``convert`` or ``quantize``.
        task: What the model is for.
        formats: File formats read, e.g. ``("onnx",)``.
        devices: Where it runs, e.g. ``("cpu",)``.
        dtypes: Arithmetic it can be asked for, in any spelling of ``DTYPES``. The first serves
            ``dtype=None``. For ``quantize``: what a request must ask for to get the result.
        storages: How the weights of a variant may be stored. Empty: any.
        profiles: Graph profiles it runs (or writes, for ``convert``), the preferred one first.
        families: ``config.model_type`` values it knows. Empty: any.
        features: Further names that a request may ask for. For ``quantize``: ``layers``, where
            the recipe takes the option of that name; ``texts``, where it learns from texts.
        recipes: For ``quantize``: the names that ``Recipe.name`` may hold.
        to: For ``convert``: the format written.
        output_version: For ``convert``: changes whenever the same folder would give another file;
            part of the cache key. Empty: the distribution's version.
        priority: The author's own view of how good this is, within first-party or third-party.
    """

    action: str = field(validator=validators.in_(ACTIONS))
    task: str = "embedding"
    formats: tuple[str, ...] = field(converter=_names, default=())
    devices: tuple[str, ...] = field(converter=_names, default=("cpu",))
    dtypes: tuple[str, ...] = field(converter=_dtypes, default=("float32",))
    storages: tuple[str, ...] = field(converter=_names, default=())
    profiles: tuple[str, ...] = field(converter=_names, default=("portable",))
    families: tuple[str, ...] = field(converter=_names, default=())
    features: tuple[str, ...] = field(converter=_names, default=())
    recipes: tuple[str, ...] = field(converter=_names, default=())
    to: str = ""
    output_version: str = ""
    priority: int = 0


@frozen(kw_only=True)
class FileFormat:
    """A file format that a backend brings: where its files lie in a model folder.

    The core knows ``onnx`` and ``safetensors``. sentence-transformers keeps other formats in a
    folder of their name, as ``openvino/openvino_model.xml``.

    Attributes:
        name: The format, as capabilities name it.
        folder: Where the files lie, below the transformer's own folder.
        stem: How a file name begins.
        suffix: How it ends.
        storages: What stands between the two → how the weights are stored. Another name gives
            ``unknown``, which nothing picks by itself.
        companions: Endings of files that belong to each, in place of ``suffix``: ``(".bin",)``.
        instead_of: A format that holds the same weights better; where a folder has it, files of
            this one are not looked at.
    """

    name: str
    folder: str
    stem: str = "model"
    suffix: str
    storages: Mapping[str, str] = field(factory=lambda: {"": "float32"})
    companions: tuple[str, ...] = field(converter=_names, default=())
    instead_of: str = ""


def _capabilities(value: Iterable[Capability]) -> tuple[Capability, ...]:
    return tuple(value)


def _formats(value: Iterable[FileFormat]) -> tuple[FileFormat, ...]:
    return tuple(value)


@frozen(kw_only=True)
class Manifest:
    """What a backend module holds under the name ``HOTBED``.

    >>> Manifest(name="acme", hook_api=1, summary="Acme accelerators", capabilities=()).hook_api
    1

    Attributes:
        name: The backend's name; the same as its entry point's.
        summary: One line for listings.
        hook_api: The hook API the backend was written for. It has no default: that would be
            the newest one of whatever hotbed is installed, which is not what was written for.
        capabilities: What it can do.
        needs: Modules that must be importable for it to work.
        extra: The extra of its distribution that installs them, for the fix that messages give.
        url: Where to read more.
        formats: File formats that it brings, besides those the core knows.
    """

    name: str
    summary: str = ""
    hook_api: int
    capabilities: tuple[Capability, ...] = field(converter=_capabilities)
    needs: tuple[str, ...] = field(converter=_names, default=())
    extra: str = ""
    url: str = ""
    formats: tuple[FileFormat, ...] = field(converter=_formats, default=())
