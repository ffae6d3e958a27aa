"""`webwx phone` for faults: turn them on and list them."""

from __future__ import annotations

from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
import msgspec

from webwx.cli.exits import BadInput
from webwx.cli.language import _
from webwx.cli.options import FiniteRange
from webwx.cli.sandbox.control import ask_phones
from webwx.cli.sandbox.faults import complete_calls, complete_faults, read_script
from webwx.cli.session import Session, command
from webwx.sandbox.errors import Impossible
from webwx.sandbox.faults import FaultRule

if TYPE_CHECKING:
    from collections.abc import Mapping


@command(
    "fault",
    examples=(
        "webwx phone fault lost_answer:endpoint=webwxsendmsg,times=1",
        "webwx phone fault truncated:at=100@0.1",
        "webwx phone fault truncated at=100 --probability 0.1",
        "webwx phone fault --off 3",
        "webwx phone fault --reset --seed 7",
    ),
)
@click.argument("name", default="", metavar="[NAME[:OPTION=VALUE,…][@PROBABILITY]]", shell_complete=complete_faults)
@click.argument("options", nargs=-1, metavar="[OPTION=VALUE]...")
@click.option(
    "--endpoint", default="", metavar="CALL", shell_complete=complete_calls,
    help="Only for this call.  [default: the calls that the fault applies to]",
)  # fmt: skip
@click.option("--times", type=click.IntRange(min=1), metavar="N", help="Number of calls.  [default: until turned off]")
@click.option(
    "--probability", type=FiniteRange(0, 1, min_open=True), metavar="P",
    help="Probability for each call, at most 1.  [default: 1]",
)  # fmt: skip
@click.option(
    "--script", type=click.Path(exists=True, dir_okay=False, path_type=Path), metavar="FILE",
    help="Apply the faults of FILE in order, one per line.",
)  # fmt: skip
@click.option("--off", type=int, metavar="NUMBER", help="Turn off one fault by its number.")
@click.option("--seed", type=int, metavar="N", help="Seed of the faults; the same seed repeats the same faults.")
@click.option("--reset", is_flag=True, help="Turn off all faults first.")
async def fault(
    session: Session,
    name: str,
    options: tuple[str, ...],
    endpoint: str,
    times: int | None,
    probability: float | None,
    script: Path | None,
    off: int | None,
    seed: int | None,
    reset: bool,
) -> None:
    """
    Turn on a fault: a NAME listed by 'webwx phone faults'.

    The argument is written as for 'webwx sandbox --fault'; 'endpoint' and 'times' are options of every fault. An option
    of its own, such as --times, takes precedence.
    """
    server = session.settings.server
    if not (name or reset or script) and off is None and seed is None:
        raise click.UsageError(_("Pass the name of a fault, or --reset to turn off all"))
    done = ""
    if reset:
        await ask_phones(server, "faults/reset", {})
        done = _("All faults are off.")
    if off is not None:
        await ask_phones(server, "faults/take-off", {"number": off})
        done = _("The fault of number {off} is off.").format(off=off)
    if seed is not None:
        await ask_phones(server, "faults/seed", {"seed": seed})
        done = _("The seed is {seed}.").format(seed=seed)
    if script:
        await ask_phones(server, "faults/script", {"faults": read_script(script)})
        done = _("The script is on.")
    number = 0
    if name:
        rule = _rule(name, options, endpoint=endpoint or None, times=times, probability=probability)
        name, times = rule.fault, rule.times
        number = (await ask_phones(server, "faults", msgspec.structs.asdict(rule)))["number"]
        until = (
            _("for {times} calls").format(times=times)
            if times and times > 1
            else _("for one call")
            if times
            else _("until it is turned off")
        )
        done = _("The fault {name} is on, {until} (number {number}).").format(name=name, until=until, number=number)
    session.output.result(done, fault=name, number=number)


@command(
    "faults",
    examples=("webwx phone faults", "webwx phone faults --json"),
)
async def faults(session: Session) -> None:
    """List active and available faults."""
    listed = await ask_phones(session.settings.server, "faults")
    session.output.result(_describe(listed), **listed)


FAULT_COMMANDS = (fault, faults)
"""Commands to add to `phone`."""


def _rule(text: str, options: tuple[str, ...], **given: str | float | None) -> FaultRule:
    """Return the rule that a text describes, with the options that were given beside it."""
    try:
        rule = FaultRule.read(text)
    except Impossible as no:
        raise BadInput(str(no)) from None
    changes: dict[str, Any] = {name: value for name, value in given.items() if value is not None}
    return msgspec.structs.replace(rule, options=rule.options | _parted(options), **changes)


def _parted(options: tuple[str, ...]) -> dict[str, str]:
    parted = {}
    for option in options:
        name, equals, value = option.partition("=")
        if not equals:
            raise click.UsageError(_("The option {option!r} has no value: write {option}=VALUE").format(option=option))
        parted[name] = value
    return parted


def _describe(listed: Mapping[str, Any]) -> list[str]:
    lines = [_("Faults that are on (seed {seed}):").format(seed=listed["seed"]), ""]
    lines += [f"  {_describe_rule(rule)}" for rule in listed["active"]] or [f"  {_('none')}"]
    if listed["script"]:
        lines += ["", _("Next in the script:"), "", *(f"  {_describe_rule(rule)}" for rule in listed["script"])]
    for section, items in groupby(listed["menu"], key=lambda item: item["section"]):
        lines += ["", _(section), ""]
        for item in items:
            lines.append(f"  {item['name']:<18} {_(item['does'])}")
            if item["options"]:
                lines.append(f"  {'':<18} {_describe_options(item['options'])}")
    return lines


def _describe_rule(rule: Mapping[str, Any]) -> str:
    parts = [f"{rule['number']}  {rule['fault']}", _describe_options(rule["options"]), rule["endpoint"]]
    parts.append(
        _("{hits} of {times} times").format(hits=rule["hits"], times=rule["times"])
        if rule["times"]
        else _("{hits} times so far").format(hits=rule["hits"])
    )
    if rule["probability"] < 1:
        parts.append(_("with probability {probability:g}").format(probability=rule["probability"]))
    return "  ".join(part for part in parts if part)


def _describe_options(options: Mapping[str, Any]) -> str:
    return " ".join(f"{name}={value}" for name, value in options.items())
