"""Write ``docs/hooks.md`` from the hook specifications and the values that cross with them.

``python tools/hook_reference.py`` writes the page; with ``--check`` it exits 1 when that is stale.
"""

from __future__ import annotations

import argparse
import inspect
import re
import sys
import textwrap
from collections.abc import Callable
from pathlib import Path
from typing import Any

import attrs

import hotbed.backends as api
from hotbed.backends import hookspecs
from hotbed.backends.manifest import DTYPES
from hotbed.backends.values import POOLING_MODES

__all__ = ["HOOKS", "PAGE", "VALUES", "main", "page", "signature"]

PAGE = Path(__file__).parents[1] / "docs" / "hooks.md"

HOOKS = tuple(name for name in vars(api.HotbedSpec) if name.startswith("hotbed_"))
"""In the order in which the contract tells them."""

# What a hook is asked with and answers, in the order in which an author meets it.
VALUES = (
    "Manifest",
    "Capability",
    "FileFormat",
    "ProbeRequest",
    "Probe",
    "Artifact",
    "Variant",
    "LoadOptions",
    "Loaded",
    "TokenBatch",
    "Pooling",
    "ConvertTarget",
    "Recipe",
    "Layer",
)

_HEAD = """\
# Hooks and values

Generated from `hotbed/backends` by `python tools/hook_reference.py`; change the docstrings there.
[Writing a backend](writing-a-backend.md) is the way in. The classes are imported from
`hotbed.backends`; the shapes of arrays stand in brackets.
"""

_WIDTH = 92
_WRAPPING: dict[str, Any] = {
    "width": 118,
    "break_long_words": False,
    "break_on_hyphens": False,
}


def page() -> str:
    """The whole page."""
    parts = [_HEAD, _text(hookspecs.__doc__), "## Hooks"]
    for name in HOOKS:
        hook = getattr(api.HotbedSpec, name)
        parts += [f"### {name}", _code(signature(hook)), _text(hook.__doc__)]
    parts.append("## Values")
    parts.append("All are frozen attrs classes, made with keywords.")
    for name in VALUES:
        kind = getattr(api, name)
        parts += [f"### {name}", *_value(kind)]
    parts += ["## Names", _names()]
    return "\n\n".join(part.strip("\n") for part in parts) + "\n"


def signature(function: Callable[..., Any]) -> str:
    """A function's signature as its source has it, less ``self``; long ones one argument a line.

    Args:
        function: Its annotations are still text, as ``from __future__ import annotations`` leaves
            them.
    """
    found = inspect.signature(function)
    arguments = [
        f"{name}: {argument.annotation}"
        + ("" if argument.default is argument.empty else f" = {argument.default!r}")
        for name, argument in found.parameters.items()
        if name != "self"
    ]
    line = f"def {function.__name__}({', '.join(arguments)}) -> {found.return_annotation}"
    if len(line) <= _WIDTH:
        return line
    lines = "".join(f"    {argument},\n" for argument in arguments)
    return f"def {function.__name__}(\n{lines}) -> {found.return_annotation}"


def _names() -> str:
    spellings: dict[str, list[str]] = {}
    for spelling, name in DTYPES.items():
        spellings.setdefault(name, []).append(f"`{spelling}`")
    modes = ", ".join(f"`{mode}`" for mode in POOLING_MODES)
    spelt = "; ".join(", ".join(several) for several in spellings.values())
    quota = _text(api.cpu_quota.__doc__).partition("\n")[0]
    items = {
        "`HOOK_API`": f"`{api.HOOK_API}`, which `Manifest.hook_api` is by default.",
        "`POOLING_MODES`": f"{modes}.",
        "`DTYPES`": f"{spelt}. The first spelling is the one that values hold.",
        "`cpu_quota()`": quota,
    }
    return "\n".join(_item(name, meaning) for name, meaning in items.items())


def _item(name: str, meaning: str) -> str:
    return textwrap.fill(f"- {name}: {meaning}", subsequent_indent="  ", **_WRAPPING)


def _value(kind: type[Any]) -> list[str]:
    said, meanings = _attributes(inspect.getdoc(kind) or "")
    lines = [
        _item(f"`{_field(attribute)}`", meanings.pop(attribute.name))
        for attribute in attrs.fields(kind)
    ]
    lines += [
        _item(f"`{name}: {_returns(member)}` (worked out)", member.__doc__ or "")
        for name, member in vars(kind).items()
        if isinstance(member, property)
    ]
    if meanings:
        raise ValueError(f"{kind.__name__} describes what it does not have: {', '.join(meanings)}")
    return [_text(said), "\n".join(lines)]


def _field(attribute: Any) -> str:
    text = f"{attribute.name}: {attribute.type}"
    default = attribute.default
    if default is attrs.NOTHING:
        return text
    if isinstance(default, attrs.Factory):  # type: ignore[arg-type]
        default = default.factory()
    return f"{text} = {default!r}".replace("'", '"')


def _returns(member: property) -> str:
    assert member.fget is not None
    return str(inspect.signature(member.fget).return_annotation)


def _attributes(doc: str) -> tuple[str, dict[str, str]]:
    """A docstring less its ``Attributes:``, and what stands there, by name."""
    said, _, block = doc.partition("\nAttributes:\n")
    entries = re.split(r"^    (?=\w+: )", block, flags=re.MULTILINE)[1:]
    pairs = (entry.partition(": ") for entry in entries)
    return said, {name: " ".join(meaning.replace("``", "`").split()) for name, _, meaning in pairs}


def _text(doc: str | None) -> str:
    """A docstring as Markdown, less its examples, which have no imports to run with."""
    paragraphs = re.split(r"\n{2,}", inspect.cleandoc(doc or "").replace("``", "`"))
    return "\n\n".join(
        textwrap.fill(" ".join(text.split()), **_WRAPPING)
        for text in paragraphs
        if not text.startswith(">>>")
    )


def _code(text: str) -> str:
    return f"```python\n{text}\n```"


def main(arguments: list[str] | None = None) -> int:
    """Write the page, or compare it."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--check", action="store_true", help="exit 1 when the page is stale")
    check = parser.parse_args(arguments).check
    wanted = page()
    there = PAGE.read_text(encoding="utf-8") if PAGE.exists() else ""
    if not check:
        PAGE.write_text(wanted, encoding="utf-8")
        return 0
    if there == wanted:
        return 0
    sys.stderr.write(f"{PAGE} is stale: run python tools/hook_reference.py\n")
    return 1


if __name__ == "__main__":
    sys.exit(main())
