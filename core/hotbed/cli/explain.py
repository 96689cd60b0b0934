"""A decision on the screen: what was asked, and what became of each backend."""

from __future__ import annotations

from rich.table import Table
from rich.text import Text

from hotbed.backends.decision import Decision, Stage, Verdict
from hotbed.cli.console import out

__all__ = ["show_decision"]

_STAGES = tuple(Stage)


def show_decision(decision: Decision) -> None:
    """Print the question, the answer, and the verdict on each backend."""
    request = decision.request
    asked = {
        "device": request.device,
        "dtype": request.dtype or "as stored",
        "backend": request.backend or "any",
        "features": ", ".join(request.features),
    }
    words = ", ".join(f"{name} {value}" for name, value in asked.items() if value)
    out.print(Text(f"asked for  {request.action} {decision.model}: {words}"))
    chosen = decision.chosen
    answer = f"{chosen.backend} ({chosen.dist} {chosen.version})" if chosen else "no backend can"
    out.print(Text.assemble("answer     ", (answer, "green" if chosen else "yellow")))
    # Whoever came far is more telling than whoever is broken.
    for verdict in sorted(decision.verdicts, key=lambda verdict: -_STAGES.index(verdict.stage)):
        out.print()
        out.print(Text.assemble((verdict.backend, "bold"), "  ", _word(verdict)))
        out.print(_details(verdict))


def _word(verdict: Verdict) -> tuple[str, str]:
    if verdict.stage is Stage.CHOSEN:
        return "chosen", "green"
    if verdict.stage is Stage.PASSED_OVER:
        return "passed over", ""
    return f"rejected: {verdict.stage.value}", "yellow"


def _details(verdict: Verdict) -> Table:
    table = Table.grid(padding=(0, 2, 0, 0))
    table.add_column(min_width=9, no_wrap=True, style="dim")
    table.add_column(overflow="fold")
    origin = " ".join(filter(None, (verdict.dist, verdict.version)))
    # What is chosen has reasons in several parts: what runs where, on what, instead of what.
    together = verdict.stage not in (Stage.CHOSEN, Stage.PASSED_OVER)
    reason = verdict.reason if together else verdict.reason.replace("; ", "\n")
    for label, text in (("because", reason), ("fix", verdict.fix), ("from", origin)):
        if text:
            table.add_row(f"  {label}", Text(text))
    return table
