"""One model on this machine, for whoever wants to try its candidates."""

from __future__ import annotations

from attrs import frozen

from hotbed.backends.decision import Decision, Measurement, Request, Verdict
from hotbed.inference.runner import Runner
from hotbed.loading import House
from hotbed.measurements import Machine, this_machine
from hotbed.models.folder import ModelFolder
from hotbed.sources import Located

__all__ = ["Bench"]


@frozen(kw_only=True)
class Bench:
    """A model, and the house that opens it.

    Attributes:
        house: Settings and catalogs.
        located: Where the model lies.
        folder: What the folder says.
        threads: Threads of one call; None means the CPU quota of this process.
    """

    house: House
    located: Located
    folder: ModelFolder
    threads: int | None = None

    @property
    def machine(self) -> Machine:
        """This machine, with these threads."""
        return this_machine(self.threads)

    def decide(self, request: Request, measured: tuple[Measurement, ...] | None = None) -> Decision:
        """Let selection choose, by the measurements on file or by those given."""
        return self.house.decide(request, self.folder, threads=self.threads, measured=measured)

    def open(self, verdict: Verdict) -> Runner:
        """Open the model as a verdict says."""
        return self.house.open(verdict, self.located, self.folder, threads=self.threads)
