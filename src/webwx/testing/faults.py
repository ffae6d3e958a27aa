"""The catalogue of faults, for a test."""

from __future__ import annotations

from typing import TYPE_CHECKING

from webwx.sandbox.faults import FaultRule

if TYPE_CHECKING:
    from webwx.sandbox.faults import ActiveRule
    from webwx.testing.stage import WorldStage


class Faults:
    """
    What goes wrong between a bot and the platform.

    Its rng is seeded, so a test meets the same faults each time. `webwx phone faults` lists the catalogue, and so does
    docs/topics/faults.md.
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
        Let something go wrong from now on, as in `faults.on("ret", endpoint="webwxsendmsg", ret=1205, times=1)`.

        Args:
            fault: Its name in the catalogue, or as on the command line: `truncated@0.1`.
            endpoint: The call it is for; empty: those it is meant for.
            times: For how many of them; None: until it is switched off.
            probability: How likely it is for each.
            options: The fault's own.

        Returns:
            The fault, whose `hits` say how often it has happened.

        Raises:
            Impossible: There is no such fault, option or call.
        """
        if ":" in fault or "@" in fault:
            return self._stage.do(lambda world: world.faults.add(fault))
        rule = FaultRule(fault=fault, endpoint=endpoint, times=times, probability=probability, options=dict(options))
        return self._stage.do(lambda world: world.faults.add(rule))

    def script(self, *faults: str) -> None:
        """
        Let one thing after the other go wrong, each once, as in `faults.script("nothing", "reset_after")`.

        Raises:
            Impossible: One of them cannot be.
        """
        self._stage.do(lambda world: world.faults.follow(faults))

    def off(self) -> None:
        """Let nothing go wrong any more."""
        self._stage.do(lambda world: world.faults.reset())
