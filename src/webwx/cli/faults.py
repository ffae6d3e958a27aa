"""Faults on the command line: their names, and the options of the commands that can begin with some."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import click
from click.shell_completion import CompletionItem

from webwx.cli.exits import BadInput

if TYPE_CHECKING:
    from collections.abc import Callable

    from webwx.sandbox.faults import FaultInjector

F = TypeVar("F", bound="Callable[..., object]")


def complete_faults(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem[str]]:
    """Offer the names of the catalogue."""
    del ctx, param
    from webwx.sandbox.faults import catalogue

    return [CompletionItem(each.name, help=each.does) for each in catalogue() if each.name.startswith(incomplete)]


def complete_calls(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem[str]]:
    """Offer the names of the platform's calls."""
    del ctx, param
    from webwx.protocol import ENDPOINTS

    return [CompletionItem(each.name, help=each.purpose) for each in ENDPOINTS if each.name.startswith(incomplete)]


def with_fault_options(work: F) -> F:
    """Let a command begin with faults: `--fault`, `--script` and `--seed`."""
    for option in (
        click.option(
            "--seed", type=int, metavar="N", help="Seed of the faults; with the same one the same faults happen."
        ),
        click.option(
            "--script",
            type=click.Path(exists=True, dir_okay=False, path_type=Path),
            metavar="FILE",
            help="Let the faults of FILE happen one after the other, a line each.",
        ),
        click.option(
            "--fault",
            "rules",
            multiple=True,
            metavar="NAME[:OPTION=VALUE,…][@PROBABILITY]",
            shell_complete=complete_faults,
            help="Turn a fault on, such as lost_answer:endpoint=webwxsendmsg@0.1; may be repeated.",
        ),
    ):
        work = option(work)
    return work


def turn_on(faults: FaultInjector, rules: tuple[str, ...], script: Path | None) -> None:
    """
    Turn on what the options ask for.

    Raises:
        BadInput: One of them cannot be.
    """
    from webwx.sandbox.errors import Impossible

    try:
        for rule in rules:
            faults.add(rule)
        if script is not None:
            faults.follow(read_script(script))
    except Impossible as no:
        raise BadInput(str(no)) from None


def read_script(path: Path) -> list[str]:
    """
    Give the faults of a script: a line each, `#` begins a remark.

    Raises:
        BadInput: It is no text.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except UnicodeDecodeError:
        raise BadInput(f"The script {path} is no text.") from None
    lines = (line.partition("#")[0].strip() for line in text.splitlines())
    return [line for line in lines if line]
