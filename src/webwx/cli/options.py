"""
The options that every command accepts, before or after its name; of a repeated option the last one counts.

Commands do not receive them as arguments. They are collected in one `OptionValues`, parsed from the outermost command
inwards, so that the innermost one takes precedence.
"""

from __future__ import annotations

import math
from itertools import islice
from typing import Any, TypeVar

import click

from webwx.cli.help_pages import CliCommand, CommonOption
from webwx.cli.language import N_, _
from webwx.cli.names import complete_accounts
from webwx.cli.option_values import OptionValues

AnyCommand = TypeVar("AnyCommand", bound=click.Command)


class FiniteRange(click.FloatRange):
    """A number within limits, without `nan` and `inf`, which no limit of click refuses."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Return the number, or fail with a sentence."""
        number = super().convert(value, param, ctx)
        if not math.isfinite(number):
            self.fail(
                _("{value!r} is not a valid {number_type}.").format(value=value, number_type="number"), param, ctx
            )
        return number


limit_option = click.option(
    "--limit", type=click.IntRange(min=1), metavar="N", default=50, show_default=True,
    help="Maximum number of items; the newest are printed.",
)  # fmt: skip


def _gather(ctx: click.Context, param: click.Parameter, value: Any) -> None:
    values = ctx.ensure_object(OptionValues)
    if value and param.name:
        setattr(values, param.name, value)


def common_options() -> list[click.Parameter]:
    """Return the common options, to be added to a command's own."""
    return [
        CommonOption(
            ["--server"], metavar="URL", callback=_gather, expose_value=False,
            help="Address of a sandbox or another server.  [env: WEBWX_SERVER]",
        ),
        CommonOption(
            ["--host"], metavar="NAME", callback=_gather, expose_value=False,
            help="Profile: filehelper (default), web (default with --server), or a host name.  [env: WEBWX_HOST]",
        ),
        CommonOption(
            ["--account"], metavar="NAME", callback=_gather, expose_value=False, shell_complete=complete_accounts,
            help="Name of the account; each account has its own logins.  [env: WEBWX_ACCOUNT]",
        ),
        CommonOption(
            ["--storage"], metavar="URL", callback=_gather, expose_value=False,
            help="PostgreSQL database for everything that is stored: postgresql://HOST/DATABASE.  [env: WEBWX_STORAGE]",
        ),
        CommonOption(
            ["--proxy"], metavar="URL", callback=_gather, expose_value=False,
            help="HTTP proxy to use.  [env: WEBWX_PROXY]",
        ),
        CommonOption(
            ["--json", "as_json"], is_flag=True, callback=_gather, expose_value=False,
            help="Print results as JSON, one object per line, and a failure as JSON on stderr.",
        ),
        CommonOption(
            ["-v", "--verbose"], is_flag=True, callback=_gather, expose_value=False,
            help="Log requests to stderr (without secrets or message text).",
        ),
    ]  # fmt: skip


def with_common_options(command: AnyCommand) -> AnyCommand:
    """Add the common options to a command or group."""
    command.params.extend(common_options())
    return command


def example_text(*examples: str) -> str:
    """Return the examples for a command's help; click does not rewrap a paragraph that starts with a backspace."""
    title = N_("Example:") if len(examples) == 1 else N_("Examples:")
    return "\b\n" + "\n".join([title, *(f"  {example}" for example in examples)])


_ENDS_OPTIONS = "webwx.cli.ends_options"


def ends_options(ctx: click.Context) -> bool:
    """Return whether the arguments of a `FreeTextCommand` have a `--`, so that each word after it is plain text."""
    return bool(ctx.meta.get(_ENDS_OPTIONS))


class FreeTextCommand(CliCommand):
    """
    A command whose arguments may be any text, even text that looks like an option.

    Scripts write `webwx send filehelper "$TEXT"`, and the content of TEXT must be sent as text: `--image=/etc/passwd`
    must not send a file. So after the first plain argument only the exact long name of an option is an option.
    """

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Separate options from arguments, so that click does not look for options among the arguments."""
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
                ctx.meta[_ENDS_OPTIONS] = True
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
