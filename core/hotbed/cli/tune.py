"""``hotbed tune``: measure what is installed, show it, and record it for selection."""

from __future__ import annotations

import enum
import os
from pathlib import Path
from types import TracebackType
from typing import Annotated

import typer

from hotbed.backends.decision import Request
from hotbed.cli.console import errors, out, print_json
from hotbed.cli.parameters import (
    DeviceOption,
    JsonOption,
    LocalOption,
    RevisionOption,
    ThreadsOption,
    is_number,
)
from hotbed.cli.texts import read_texts
from hotbed.cli.tuned import print_records, print_tuned
from hotbed.errors import UsageError
from hotbed.loading import House, default_house
from hotbed.measurements import forget as forget_records
from hotbed.measurements import remember
from hotbed.models.folder import ModelFolder
from hotbed.tuning import Asked, Bench
from hotbed.tuning import tune as measure

__all__ = ["tune"]


class Purpose(enum.StrEnum):
    """What decides who is best."""

    bulk = "bulk"
    queries = "queries"


def tune(
    model: Annotated[
        str | None,
        typer.Argument(
            help="A folder, org/name on the hub, or hf://… pypi://…; without it, show what is "
            "recorded."
        ),
    ] = None,
    dtype: Annotated[
        list[str] | None,
        typer.Option(help="Measure this arithmetic; may be repeated.", show_default="all declared"),
    ] = None,
    backend: Annotated[
        list[str] | None,
        typer.Option(
            help="Measure this backend, beside the ones that would be chosen; may be repeated.",
            show_default="all installed",
        ),
    ] = None,
    device: DeviceOption = "auto",
    budgets: Annotated[
        str,
        typer.Option(help="Padded tokens in a batch to try, besides each engine's own."),
    ] = "256,512,1024,2048",
    purpose: Annotated[
        Purpose, typer.Option("--for", help="Rank by texts a second, or by short queries.")
    ] = Purpose.bulk,
    texts: Annotated[
        Path | None,
        typer.Option(help="A .txt or .jsonl file of texts.", show_default="built-in texts"),
    ] = None,
    rounds: Annotated[int, typer.Option(min=1, help="Rounds that count.")] = 4,
    threads: ThreadsOption = None,
    revision: RevisionOption = None,
    local_files_only: LocalOption = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Record nothing.")] = False,
    forget: Annotated[
        bool,
        typer.Option("--forget", help="Remove what is recorded: for MODEL's shape, or all."),
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Measure the installed backends on this machine, and let selection rank by that.

    All candidates are open at once, because they take turns: memory has to hold them all.
    """
    house = default_house()
    if forget and dry_run:
        raise UsageError("--forget and --dry-run: choose one")
    if model is None:
        if forget:
            _forget(house, None, as_json)
        else:
            print_records(house, as_json)
        return
    asked = Asked(
        backends=tuple(house.backends.get(name).name for name in backend or ()),
        dtypes=tuple(dict.fromkeys(filter(None, map(_canonical, dtype or ())))),
        device=device,
        budgets=_budgets(budgets),
        purpose=purpose.value,
        rounds=rounds,
    )
    given = None if texts is None else read_texts(texts)
    located = house.locate(model, revision=revision, local_files_only=local_files_only)
    folder = house.read(located)
    if forget:
        _forget(house, folder, as_json)
        return
    _warn_if_busy()
    bench = Bench(house=house, located=located, folder=folder, threads=threads)
    with _Watch(folder.name) as watch:
        tuned = measure(bench, asked, given, watch)
    path = house.settings.tuned
    if not dry_run and (tuned.fresh or tuned.dropped):
        remember(path, tuned.fresh, tuned.dropped)
    print_tuned(tuned, model, None if dry_run else path, as_json)


def _warn_if_busy() -> None:
    """Say so if others keep half of the machine busy; the load is the whole machine's."""
    if not hasattr(os, "getloadavg"):  # Windows
        return
    load, cpus = os.getloadavg()[0], os.cpu_count() or 1
    if load > cpus / 2:
        errors.print(
            f"the machine is busy (load {load:.1f} on {cpus} CPUs): figures will scatter, and "
            f"small differences will not count",
            style="yellow",
        )


def _canonical(dtype: str) -> str | None:
    return Request(dtype=dtype).canonical_dtype


def _budgets(text: str) -> tuple[int, ...]:
    parts = [part.strip() for part in text.split(",") if part.strip()]
    if not parts or not all(is_number(part) and int(part) for part in parts):
        raise UsageError(f"--budgets {text!r:.80}: give positive numbers with commas between")
    return tuple(dict.fromkeys(map(int, parts)))


def _forget(house: House, folder: ModelFolder | None, as_json: bool) -> None:
    path = house.settings.tuned
    count, aside = forget_records(path, folder.shape if folder else None)
    if as_json:
        print_json({"file": str(path), "removed": count, "put_aside": aside and str(aside)})
    elif aside is not None:
        out.print(f"{path} could not be read, and is now {aside}")
    else:
        of = f" of models {folder.shape}" if folder else ""
        out.print(f"removed {count} measurement{'s' * (count != 1)}{of}")


class _Watch:
    """A progress bar on standard error; one line where that is no terminal."""

    def __init__(self, name: str) -> None:
        # Only this command needs it, and every command imports this file.
        from rich.progress import (
            BarColumn,
            MofNCompleteColumn,
            Progress,
            TextColumn,
            TimeElapsedColumn,
        )

        self._name = name
        self._progress = Progress(
            TextColumn("{task.description}", markup=False),
            BarColumn(),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            console=errors,
            transient=True,
            disable=not errors.is_terminal,
        )
        self._task = self._progress.add_task(f"{name}: opening", total=None)

    def __enter__(self) -> _Watch:
        self._progress.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._progress.stop()

    def opening(self, name: str) -> None:
        self._progress.update(self._task, description=f"{self._name}: opening {name}")

    def begin(self, texts: int, contenders: int, steps: int) -> None:
        who = f"{contenders} candidate{'s' * (contenders != 1)}"
        line = f"{self._name}: measuring {who} in turn, {texts} texts a pass"
        errors.print(line, style="dim")
        self._progress.update(self._task, total=steps, completed=-1)

    def step(self, name: str) -> None:
        self._progress.update(self._task, advance=1, description=f"{self._name}: {name}")
