"""
Write `webwx.cli.summaries`: the first line of each command's docstring.

The help and the completion of the shell show these lines, and import no module of a command for that. `make messages`
runs this script before it collects the messages, because the lines are translated.
"""

from __future__ import annotations

from pathlib import Path

import click
from scripts.make_blocking import formatted

from webwx import cli

MODULE = Path(cli.__file__).with_name("summaries.py")

HEAD = '''\
"""The summaries of the commands, which the help and the completion show."""

# Written by `make messages` from the docstrings of the commands; do not edit.

from __future__ import annotations

from webwx.cli.language import N_

'''


def source() -> str:
    """Return the source of the module."""
    ctx = click.Context(cli.webwx)
    lines = [f"    {name!r}: N_({summary_of(cli.webwx.get_command(ctx, name))!r}),\n" for name in cli.COMMANDS]
    table = f'SUMMARIES = {{\n{"".join(lines)}}}\n"""The first line of the docstring of each command, by its name."""\n'
    return formatted(HEAD + table, MODULE)


def summary_of(command: click.Command | None) -> str:
    """Return the first line of the docstring of a command."""
    return ((command and command.help) or "").strip().partition("\n")[0]


def main() -> None:
    """Write the module."""
    MODULE.write_text(source(), encoding="utf-8")


if __name__ == "__main__":
    main()
