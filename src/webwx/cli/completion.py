"""`webwx completion`: the script that makes a shell ask webwx how a line could go on."""

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
    Print what makes a shell complete webwx.

    It completes commands, options, accounts, and the names of contacts that need no quotes; bash must be 4.4 or newer.
    """
    root = click.get_current_context().find_root()
    maker = SHELLS[shell](root.command, {}, "webwx", "_WEBWX_COMPLETE")
    # Not `source()`: for bash it looks for one on this machine, and complains where there is none.
    script = maker.source_template % maker.source_vars()
    if session.output.as_json:
        session.output.document({"script": script})
    else:
        session.output.program(script.rstrip())
