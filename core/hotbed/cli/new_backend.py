"""``hotbed new-backend``: a small distribution that passes the compliance kit, to start from."""

from __future__ import annotations

import re
from importlib.resources import files
from importlib.util import find_spec
from pathlib import Path
from string import Template
from typing import Annotated

import typer

from hotbed.backends.catalog import Catalog
from hotbed.cli.console import out, print_json
from hotbed.cli.parameters import JsonOption
from hotbed.errors import UsageError
from hotbed.publishing import staging

__all__ = ["new_backend", "render"]

_FILES = {
    "pyproject.toml": "pyproject.toml.tmpl",
    "$module.py": "module.py.tmpl",
    "tests/test_suite.py": "test_suite.py.tmpl",
    "README.md": "README.md.tmpl",
    ".gitignore": "gitignore.tmpl",
}
"""File to write → its template."""

_NAME = re.compile(r"[a-z][a-z0-9]*(_[a-z0-9]+)*")


def new_backend(
    name: Annotated[str, typer.Argument(help="What hotbed will call it, as in --backend acme.")],
    output: Annotated[
        Path | None,
        typer.Option("--out", "-o", help="The folder to write.", show_default="./hotbed-NAME"),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Write a backend of your own to start from: it runs, and it passes the compliance kit."""
    name = _checked(name)
    texts = render(name)
    folder = output or Path(_distribution(name))
    if folder.exists() or folder.is_symlink():
        raise UsageError(f"{folder} exists; name another folder with --out, or remove it")
    with staging(folder) as stage:
        for file, text in texts.items():
            (stage / file).parent.mkdir(exist_ok=True)
            (stage / file).write_text(text, encoding="utf-8", newline="\n")
    if as_json:
        print_json({"backend": name, "folder": str(folder), "files": list(texts)})
        return
    for file in texts:
        out.print(f"{folder / file}")
    out.print(
        f'\nnext:  pip install -e "{folder}" pytest\n'
        f"       pytest --pyargs hotbed.testing.suite --hotbed-backend {name}\n"
        f"then put your own engine at the three marked places of {_module(name)}.py",
    )


def render(name: str) -> dict[str, str]:
    """The files of the distribution: path → text.

    Args:
        name: The backend's name, lower case, with underscores.
    """
    words = {"name": name, "module": _module(name), "distribution": _distribution(name)}
    templates = files("hotbed") / "template"
    return {
        Template(file).substitute(words): Template(
            (templates / template).read_text(encoding="utf-8")
        ).substitute(words)
        for file, template in _FILES.items()
    }


def _module(name: str) -> str:
    return f"hotbed_{name}"


def _distribution(name: str) -> str:
    return f"hotbed-{name.replace('_', '-')}"


def _checked(asked: str) -> str:
    """The backend's name under its one spelling.

    Raises:
        UsageError: It cannot be one, or somebody has it.
    """
    name = asked.replace("-", "_")
    if not _NAME.fullmatch(name):
        raise UsageError(
            f"{asked!r} cannot be a backend's name: the module is called hotbed_NAME and the "
            f"distribution hotbed-NAME, so use lower-case letters and digits, a letter first, "
            f"with single - or _ between"
        )
    if name == "hotbed" or name.startswith("hotbed_"):
        short = asked[len("hotbed") :].lstrip("-_") or "acme"
        raise UsageError(
            f"the distribution is called hotbed-NAME anyway; say: hotbed new-backend {short}"
        )
    for found in Catalog().found():
        if found.name == name:
            whose = "hotbed's own" if found.first_party else f"that of {found.dist}, installed here"
            raise UsageError(f"the backend name {name!r} is {whose}; choose another")
    if (there := find_spec(_module(name))) is not None:
        raise UsageError(
            f"the module {_module(name)} is there already ({there.origin}); choose another name"
        )
    return name
