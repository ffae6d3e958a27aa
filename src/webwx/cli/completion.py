"""`webwx completion`: the script that makes a shell complete webwx commands."""

from __future__ import annotations

import click
from click.shell_completion import BashComplete, FishComplete, ShellComplete, ZshComplete

from webwx.cli.session import Session, command

SHELLS: dict[str, type[ShellComplete]] = {"bash": BashComplete, "zsh": ZshComplete, "fish": FishComplete}


@command(
    "completion",
    examples=(
        'eval "$(webwx completion bash)"',
        'eval "$(webwx completion zsh)"',
        "webwx completion fish > ~/.config/fish/completions/webwx.fish",
    ),
)
@click.argument("shell", type=click.Choice(list(SHELLS)))
async def completion(session: Session, shell: str) -> None:
    """
    Print a shell script that completes webwx commands.

    Completes commands, options, accounts, and names of contacts that need no quoting. Requires bash 4.4 or newer.
    """
    root = click.get_current_context().find_root()
    maker = SHELLS[shell](root.command, {}, "webwx", "_WEBWX_COMPLETE")
    # Not `source()`: for bash it runs the bash of this machine, and complains if there is none.
    script = maker.source_template % maker.source_vars()
    if session.output.as_json:
        session.output.document({"script": script})
    else:
        session.output.program(script.rstrip())
