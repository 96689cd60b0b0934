"""``python -m tests.fuzz``: many cases, or one again.

python -m tests.fuzz --cases 5000 --seed 7 [--group graphs] [--keep FOLDER]
python -m tests.fuzz --case 4711 --seed 7 --keep FOLDER
"""

from __future__ import annotations

import argparse
import collections
import sys
import tempfile
from pathlib import Path

from tests.fuzz.place import build_seeds
from tests.fuzz.report import describe, shrink
from tests.fuzz.schedule import draw, group_of
from tests.fuzz.seeds import GROUPS
from tests.fuzz.session import SECONDS, Outcome, Session


def main() -> int:
    """Run what the command line asks for; 1 where something was found."""
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    parser.add_argument("--cases", type=int, default=1000)
    parser.add_argument("--first", type=int, default=0, help="the number to begin with")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--case", type=int, help="run this one alone, and show all of it")
    parser.add_argument("--group", choices=sorted(GROUPS))
    parser.add_argument("--seconds", type=float, default=SECONDS, help="what one case may take")
    parser.add_argument("--keep", type=Path, help="where to keep the files of what is found")
    chosen = parser.parse_args()
    one = chosen.case is not None
    numbers = [chosen.case] if one else range(chosen.first, chosen.first + chosen.cases)
    found: dict[tuple[str, str], list[Outcome]] = collections.defaultdict(list)
    counts: collections.Counter[str] = collections.Counter()
    with tempfile.TemporaryDirectory(prefix="hotbed-fuzz-") as folder:
        place = Path(folder)
        build_seeds(place)
        with Session(place=place, seconds=chosen.seconds, keep=chosen.keep) as session:
            for number in numbers:
                if chosen.group and group_of(number) != chosen.group:
                    continue
                outcome = session.run_one(draw(number, chosen.seed))
                counts[outcome.outcome] += 1
                for finding in outcome.findings:
                    key = (finding.kind, finding.where)
                    if key not in found:
                        shown = outcome if one else shrink(session, outcome, finding)
                        sys.stdout.write(describe(shown, finding) + "\n\n")
                        sys.stdout.flush()
                    found[key].append(outcome)
                if one:
                    _show(outcome)
    sys.stdout.write(f"{dict(counts)}; {len(found)} kinds of findings\n")
    for (kind, where), outcomes in sorted(found.items(), key=lambda item: -len(item[1])):
        sys.stdout.write(
            f"{len(outcomes):5} {kind}: {where} (first in {outcomes[0].case.number})\n"
        )
    return 1 if found else 0


def _show(outcome: Outcome) -> None:
    sys.stdout.write(f"{outcome.case.target} of {outcome.case.seed.name}: {outcome.outcome}\n")
    for step in outcome.steps:
        sys.stdout.write(f"  {step.effect}: {step}\n")
    for key, value in outcome.answer.items():
        if key not in ("vectors", "alone", "reference"):
            sys.stdout.write(f"  {key}: {str(value)[:3000]}\n")


if __name__ == "__main__":
    sys.exit(main())
