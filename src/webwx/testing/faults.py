"""The faults of a test."""

from __future__ import annotations

from typing import TYPE_CHECKING

from webwx.sandbox.faults import FaultRule

if TYPE_CHECKING:
    from webwx.sandbox.faults import ActiveRule
    from webwx.testing.stage import WorldStage


class Faults:
    """
    Faults between a bot and the platform.

    The rng is seeded, so a test meets the same faults in each run. `webwx phone faults` lists the catalogue, and so
    does docs/topics/faults.md.
    """

    def __init__(self, stage: WorldStage) -> None:
        self._stage = stage

    def on(
        self,
        fault: str,
        *,
        endpoint: str = "",
        times: int | None = None,
        probability: float = 1.0,
        **options: str | float | bool,
    ) -> ActiveRule:
        """
        Turn on a fault, as in `faults.on("ret", endpoint="webwxsendmsg", ret=1205, times=1)`.

        Args:
            fault: Name of the fault in the catalogue, or as on the command line: `truncated@0.1`.
            endpoint: The call; empty means the calls that the fault applies to.
            times: Number of calls; None means until it is turned off.
            probability: Probability for each call.
            options: Options of the fault.

        Returns:
            The fault, whose `hits` count how often it happened.

        Raises:
            Impossible: There is no such fault, option or call.
        """
        if ":" in fault or "@" in fault:
            return self._stage.do(lambda world: world.faults.add(fault))
        rule = FaultRule(fault=fault, endpoint=endpoint, times=times, probability=probability, options=dict(options))
        return self._stage.do(lambda world: world.faults.add(rule))

    def lose_answer(self, endpoint: str = "webwxsendmsg", *, times: int = 1) -> ActiveRule:
        """
        Carry out the next calls of an endpoint, and lose their answers, so that the outcome is unknown to the bot.

        Args:
            endpoint: The call; default: the one that sends a text.
            times: Number of calls.

        Raises:
            Impossible: There is no such call.
        """
        return self.on("reset_after", endpoint=endpoint, times=times)

    def script(self, *faults: str) -> None:
        """
        Apply faults in order, each once, as in `faults.script("nothing", "reset_after")`.

        Raises:
            Impossible: One of them is not valid.
        """
        self._stage.do(lambda world: world.faults.follow(faults))

    def off(self) -> None:
        """Turn off all faults."""
        self._stage.do(lambda world: world.faults.reset())
