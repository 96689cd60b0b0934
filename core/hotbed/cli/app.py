"""The commands, their global options, and what is checked of every argument."""

from __future__ import annotations

import functools
import logging
import math
from collections.abc import Callable, Iterator
from typing import Annotated, Any

import typer

from hotbed.cli import (
    backends,
    cache,
    convert,
    doctor,
    embed,
    info,
    new_backend,
    quantize,
    quickstart,
    registry,
    trust,
    tune,
    validate,
)
from hotbed.cli.console import ConsoleHandler, out
from hotbed.errors import UsageError
from hotbed.version import __version__

__all__ = ["app", "build_command"]

app = typer.Typer(
    name="hotbed",
    help="Embedding models without PyTorch: fetch, convert, run, explain.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.command("quickstart")(quickstart.quickstart)
app.command("embed")(embed.embed)
app.command("convert")(convert.convert)
app.command("quantize")(quantize.quantize)
app.command("validate")(validate.validate_command)
app.command("info")(info.info)
app.command("backends")(backends.backends)
app.command("doctor")(doctor.doctor)
app.command("tune")(tune.tune)
app.command("trust")(trust.trust)
app.command("new-backend")(new_backend.new_backend)
app.add_typer(cache.app, name="cache")
app.add_typer(registry.app, name="registry")

_LARGEST = 2**63 - 1
"""The largest number that files and databases hold."""


def _print_version(asked: bool) -> None:
    if asked:
        out.print(f"hotbed {__version__}")
        raise typer.Exit


@app.callback()
def main(
    verbose: Annotated[
        int, typer.Option("-v", "--verbose", count=True, help="Log more: -v info, -vv debug.")
    ] = 0,
    version: Annotated[
        bool,
        typer.Option("--version", callback=_print_version, is_eager=True, help="Show the version."),
    ] = False,
) -> None:
    """Embedding models without PyTorch: fetch, convert, run, explain."""
    level = (logging.WARNING, logging.INFO, logging.DEBUG)[min(verbose, 2)]
    logging.basicConfig(level=logging.WARNING, format="%(message)s", handlers=[ConsoleHandler()])
    logging.getLogger("hotbed").setLevel(level)


def build_command() -> Any:
    """The whole command line, each of its commands with checked arguments."""
    command = typer.main.get_command(app)
    for leaf in _leaves(command):
        options = {each.name: max(each.opts, key=len) for each in leaf.params}
        leaf.callback = _checked(leaf.callback, options)
    return command


def _leaves(command: Any) -> Iterator[Any]:
    inner = getattr(command, "commands", None)
    if inner is None:
        yield command
    else:
        for each in inner.values():
            yield from _leaves(each)


def _checked(callback: Callable[..., Any], options: dict[str, str]) -> Callable[..., Any]:
    """A command that gets only numbers that can be counted with, and text without NUL."""

    @functools.wraps(callback)
    def call(**arguments: Any) -> Any:
        for name, value in arguments.items():
            for one in value if isinstance(value, list | tuple) else (value,):
                if flaw := _flaw(one):
                    raise UsageError(f"{options.get(name, name)} {one!r:.80}: {flaw}")
        return callback(**arguments)

    return call


def _flaw(value: Any) -> str:
    if isinstance(value, float) and not math.isfinite(value):
        return "give a finite number"
    if isinstance(value, int) and not -_LARGEST <= value <= _LARGEST:
        return "the number is too large"
    if not isinstance(value, bool | int | float | None) and "\0" in str(value):
        return "a NUL character cannot stand here"
    return ""
