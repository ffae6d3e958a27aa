"""
The options that every command takes, after its name or before it: the nearer one wins.

No command sees them as arguments. They gather in one `Given`, parsed from the outermost command inwards, so that the
innermost one has the last word.
"""

from __future__ import annotations

from itertools import islice
from typing import Any, TypeVar

import click

from webwx.cli.names import complete_accounts
from webwx.cli.option_values import Given

AnyCommand = TypeVar("AnyCommand", bound=click.Command)


def _gather(ctx: click.Context, param: click.Parameter, value: Any) -> None:
    given = ctx.ensure_object(Given)
    if value and param.name:
        setattr(given, param.name, value)


def common_options() -> list[click.Parameter]:
    """Give these options, to be added to a command's own."""
    return [
        click.Option(
            ["--server"], metavar="URL", callback=_gather, expose_value=False,
            help="Server to talk to, ours or another, at one address.  [env: WEBWX_SERVER]",
        ),
        click.Option(
            ["--host"], metavar="NAME", callback=_gather, expose_value=False,
            help="Profile: filehelper (default), web (default with a server), or a host name.  [env: WEBWX_HOST]",
        ),
        click.Option(
            ["--account"], metavar="NAME", callback=_gather, expose_value=False, shell_complete=complete_accounts,
            help="Which of your accounts; each has logins of its own.  [env: WEBWX_ACCOUNT]",
        ),
        click.Option(
            ["--proxy"], metavar="URL", callback=_gather, expose_value=False,
            help="Go through this HTTP proxy.  [env: WEBWX_PROXY]",
        ),
        click.Option(
            ["--json", "as_json"], is_flag=True, callback=_gather, expose_value=False,
            help="Print each result as one JSON object on a line, and a failure as one on stderr.",
        ),
        click.Option(
            ["-v", "--verbose"], is_flag=True, callback=_gather, expose_value=False,
            help="Tell on stderr what is asked and answered; no key, no name and no text is in it.",
        ),
    ]  # fmt: skip


def with_common_options(command: AnyCommand) -> AnyCommand:
    """Let a command or group take these options."""
    command.params.extend(common_options())
    return command


def example_text(*examples: str) -> str:
    """Write the examples at the end of a command's help; click rewraps no paragraph that begins with a backspace."""
    title = "Example" if len(examples) == 1 else "Examples"
    return "\b\n" + "\n".join([f"{title}:", *(f"  {example}" for example in examples)])


class FreeTextCommand(click.Command):
    """
    A command that takes any text as an argument, also one that looks like an option.

    Scripts write `webwx send filehelper "$TEXT"`, and whatever is in TEXT must arrive as a text: `--image=/etc/passwd`
    must not send a file. So behind the first plain argument only the whole long name of an option is one.
    """

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Sort the options from the words, so that click looks for no option among the words."""
        takes_value = {
            name: not option.is_flag
            for option in self.get_params(ctx)
            if isinstance(option, click.Option)
            for name in option.opts
        }
        options: list[str] = []
        words: list[str] = []
        rest = iter(args)
        for arg in rest:
            if arg == "--":
                words.extend(rest)
            elif arg in takes_value and (arg.startswith("--") or not words):
                value = [*islice(rest, takes_value[arg])]
                if len(value) == takes_value[arg]:
                    options.extend([arg, *value])
                elif not ctx.resilient_parsing:  # else the line is being completed, and the value is still to come
                    raise click.BadOptionUsage(arg, f"Option {arg!r} requires an argument.", ctx)
            elif arg.startswith("-") and not words:
                options.append(arg)
            else:
                words.append(arg)
        return super().parse_args(ctx, [*options, "--", *words])
