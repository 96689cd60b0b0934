"""The ``hotbed`` command: global options, and errors without tracebacks."""

from __future__ import annotations

import logging
import os
import sys
import warnings
from typing import Annotated

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
from hotbed.cli.console import complain, errors
from hotbed.errors import HotbedError, HotbedWarning, SettingsError, UsageError
from hotbed.version import __version__

__all__ = ["app", "run"]

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


def _print_version(asked: bool) -> None:
    if asked:
        typer.echo(f"hotbed {__version__}")
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
    logging.basicConfig(level=logging.WARNING, format="%(message)s", stream=sys.stderr)
    logging.getLogger("hotbed").setLevel(level)


def run() -> None:
    """Run the command line; exit 1 when the work failed, 2 when it was asked for wrongly."""
    warnings.showwarning = _show_warning
    try:
        app()
    except (UsageError, SettingsError) as error:
        _stop(error, 2)
    except HotbedError as error:
        _stop(error, 1)
    except BrokenPipeError:
        # The reader went away, as `| head` does. Python would complain once more at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(1)
    except OSError as error:
        _stop(error, 1)
    except KeyboardInterrupt:
        errors.print("stopped")
        sys.exit(130)


def _stop(error: Exception, code: int) -> None:
    logging.getLogger("hotbed").debug("the error in full", exc_info=error)
    complain(str(error))
    sys.exit(code)


def _show_warning(
    message: Warning | str,
    category: type[Warning],
    filename: str,
    lineno: int,
    file: object = None,
    line: str | None = None,
) -> None:
    if issubclass(category, HotbedWarning):
        errors.print("[yellow]warning:[/yellow]", end=" ")
        errors.print(str(message), markup=False)
    else:
        sys.stderr.write(warnings.formatwarning(message, category, filename, lineno, line))
