"""Faults on the command line: completion of their names, and options that turn them on."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import click
from click.shell_completion import CompletionItem

from webwx.cli.exits import BadInput
from webwx.cli.language import _

if TYPE_CHECKING:
    from collections.abc import Callable

    from webwx.sandbox.faults import FaultInjector

F = TypeVar("F", bound="Callable[..., object]")


def complete_faults(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem[str]]:
    """Complete the names of the fault catalogue."""
    del ctx, param
    from webwx.sandbox.faults import catalogue

    return [CompletionItem(each.name, help=each.does) for each in catalogue() if each.name.startswith(incomplete)]


def complete_calls(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem[str]]:
    """Complete the names of the platform's calls."""
    del ctx, param
    from webwx.protocol import ENDPOINTS

    return [CompletionItem(each.name, help=each.purpose) for each in ENDPOINTS if each.name.startswith(incomplete)]


def with_fault_options(work: F) -> F:
    """Add `--fault`, `--script` and `--seed` to a command."""
    for option in (
        click.option(
            "--seed", type=int, metavar="N", help="Seed of the faults; the same seed repeats the same faults."
        ),
        click.option(
            "--script",
            type=click.Path(exists=True, dir_okay=False, path_type=Path),
            metavar="FILE",
            help="Apply the faults of FILE in order, one per line.",
        ),
        click.option(
            "--fault",
            "rules",
            multiple=True,
            metavar="NAME[:OPTION=VALUE,…][@PROBABILITY]",
            shell_complete=complete_faults,
            help="Turn on a fault, such as lost_answer:endpoint=webwxsendmsg@0.1; repeatable.",
        ),
    ):
        work = option(work)
    return work


def turn_on(faults: FaultInjector, rules: tuple[str, ...], script: Path | None) -> None:
    """
    Turn on the faults that the options name.

    Raises:
        BadInput: An option is invalid.
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
    Return the faults of a script: one per line; `#` starts a comment.

    Raises:
        BadInput: The file is not text.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except UnicodeDecodeError:
        raise BadInput(_("The script {path} is not a text file.").format(path=path)) from None
    lines = (line.partition("#")[0].strip() for line in text.splitlines())
    return [line for line in lines if line]
