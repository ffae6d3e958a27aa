"""
Layout of help: a command's page shows its own options only; those of every command are a topic of `webwx help`.

`webwx` alone shows what to begin with, `webwx --help` lists all commands, and `TOPICS` are the parts of help that
concern all of them.
"""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING

import click
from click.exceptions import NoSuchCommand

from webwx.cli.guesses import GUESSES
from webwx.cli.language import N_, _
from webwx.cli.wrapping import CliContext
from webwx.outcomes import MEANING

if TYPE_CHECKING:
    from collections.abc import Callable

COMMENT = "    # "
"""What is between an example and its comment."""

_NAME_WIDTH = 22
"""Maximum width of the first column of a list, in cells."""

ENVIRONMENT = {
    "WEBWX_HOME": N_("folder of saved logins; default: the platform's state folder"),
    "WEBWX_SERVER": N_("default for --server"),
    "WEBWX_HOST": N_("default for --host"),
    "WEBWX_ACCOUNT": N_("default for --account"),
    "WEBWX_STORAGE": N_("default for --storage"),
    "WEBWX_PROXY": N_("default for --proxy"),
    "WEBWX_KEEP": N_("chats whose pictures are archived as they arrive: 'all', or names separated by commas"),
    "WEBWX_RETENTION_DAYS": N_("days to keep messages in the journal; default: 90, 0 means forever"),
    "WEBWX_CONFIG": N_("configuration file; see 'webwx config'"),
    "WEBWX_PASSPHRASE": N_("encrypts the saved logins; requires the extra 'crypto'"),
    "WEBWX_PASSPHRASE_FROM": N_("'keyring': use the system's keyring; requires the extra 'keyring'"),
    "NO_COLOR": N_("if set, disables colours"),
}
"""Environment variables and their meaning."""

FIRST_COMMANDS = {
    N_("Without an account"): {
        "webwx demo": N_("the main features, in a few seconds"),
        "webwx sandbox": N_("a server of the protocol, with phones in your browser"),
    },
    N_("With your account"): {
        "webwx login": N_("scan a code; then chat with your own phone"),
        'webwx send filehelper "hello"': N_("send yourself a text; --file sends a file"),
        "webwx listen": N_("print what arrives"),
        "webwx recall": N_("recall the last message"),
        "webwx history": N_("show past messages"),
    },
    N_("For programs"): {
        "webwx new my-bot": N_("a bot with its tests"),
        "webwx serve": N_("an HTTP API, webhooks and a web console"),
    },
}
"""What `webwx` alone shows, by section: commands and what they are for."""

NAMES = N_("""\
A person or a chat is named by one of these, wherever help says TO, WHO, CHAT or PEOPLE:

\b
  filehelper    your own phone, through File Transfer Helper
  阿华          a remark, a nickname, or the name of a chatroom
  who:12        an identity number, which stays the same after another login
  @4f1c…        an id, which is new after each login

'webwx contacts' lists them all. If several contacts have the same name, the command fails, and never chooses one of
them.
""")
"""Text of the topic `names`."""


class CommonOption(click.Option):
    """An option of every command."""


class CliCommand(click.Command):
    """A command whose help shows its own options only, in the language of the user."""

    context_class = CliContext

    def get_short_help_str(self, limit: int = 45) -> str:
        """Return the first paragraph of the help, uncut."""
        del limit
        return " ".join(translated_help(self).partition("\n\n")[0].split())

    def format_help_text(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the help."""
        del ctx
        formatter.write_paragraph()
        with formatter.indentation():
            formatter.write_text(translated_help(self))

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the options that only this command has."""
        own = [each for each in self.params if isinstance(each, click.Option) and not isinstance(each, CommonOption)]
        if own:
            with formatter.section(_("Options")):
                formatter.write_dl(_records(own, ctx))

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the examples, and where the other options are listed."""
        del ctx
        formatter.write_paragraph()
        with formatter.indentation():
            formatter.write_text(_translated_examples(self.epilog or ""))
        formatter.write_paragraph()
        with formatter.indentation():
            formatter.write_text(_("The options of every command, such as --json: 'webwx help options'."))


class CliGroup(CliCommand, click.Group):
    """A group whose help shows its own options only, and which suggests a command for a wrong name."""

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find the command that an argument names, or suggest another one."""
        name, known = args[0], self.list_commands(ctx)
        if name not in known and not name.startswith("-") and not ctx.resilient_parsing:
            _webwx, _space, path = ctx.command_path.partition(" ")
            words = GUESSES.get(f"{path} {name}".strip().lower())
            if words is None:
                raise NoSuchCommand(name, possibilities=known, ctx=ctx)
            commands = _(" or ").join(f"'webwx {each}'" for each in words)
            message = _("No such command {name!r}. Did you mean {commands}?").format(name=name, commands=commands)
            raise NoSuchCommand(name, message, ctx=ctx)
        return super().resolve_command(ctx, args)

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the options of the group, and its commands."""
        super().format_options(ctx, formatter)
        self.format_commands(ctx, formatter)


def translated_help(command: click.Command) -> str:
    """Return the whole help of a command."""
    return _(inspect.cleandoc(command.help or ""))


def _translated_examples(epilog: str) -> str:
    """Return the examples of a command, with their title and their comments translated."""
    lines = []
    for line in epilog.splitlines():
        example, sign, comment = line.partition(COMMENT)
        lines.append(example + sign + _(comment) if sign else line if line.startswith("  ") else _(line))
    return "\n".join(lines)


def _records(options: list[click.Option], ctx: click.Context) -> list[tuple[str, str]]:
    """Return names and descriptions of options."""
    records = []
    for each in options:
        names, text = each.get_help_record(ctx) or ("", "")
        records.append((names, text.replace(each.help, _(each.help), 1) if each.help else text))
    return records


def write_overview(formatter: click.HelpFormatter) -> None:
    """Write what to begin with, for a person who typed `webwx` alone; it fits a terminal of 24 lines."""
    formatter.write_text(_("WeChat over its web protocol; an unofficial project."))
    for title, commands in FIRST_COMMANDS.items():
        with formatter.section(_(title)):
            formatter.write_dl([(example, _(purpose)) for example, purpose in commands.items()])
    formatter.write_paragraph()
    formatter.write_text(
        _("'webwx --help' lists all commands, and 'webwx help TOPIC' explains one of them, or 'exit-codes'.")
    )


def write_options(ctx: click.Context, formatter: click.HelpFormatter) -> None:
    """Write the options of every command."""
    root = ctx.find_root()
    common = [each for each in root.command.get_params(root) if isinstance(each, CommonOption)]
    last = root.command.get_help_option(root)
    with formatter.section(_("Options of every command, before or after its name")):
        formatter.write_dl(_records([*common, *([last] if last else [])], root))


def write_exit_codes(ctx: click.Context, formatter: click.HelpFormatter) -> None:
    """Write the exit codes."""
    del ctx
    with formatter.section(_("Exit codes")):
        formatter.write_dl([(str(int(code)), _(meaning)) for code, meaning in MEANING.items()], _NAME_WIDTH)


def write_environment(ctx: click.Context, formatter: click.HelpFormatter) -> None:
    """Write the environment variables."""
    del ctx
    with formatter.section(_("Environment")):
        formatter.write_dl([(name, _(meaning)) for name, meaning in ENVIRONMENT.items()], _NAME_WIDTH)


def write_names(ctx: click.Context, formatter: click.HelpFormatter) -> None:
    """Write how people and chats are named."""
    del ctx
    formatter.write_text(_(NAMES))


def write_topics(formatter: click.HelpFormatter) -> None:
    """Write the names of the topics."""
    with formatter.section(_("Topics of 'webwx help TOPIC'")):
        formatter.write_dl([(name, _(summary)) for name, (summary, _write) in TOPICS.items()], _NAME_WIDTH)


TOPICS: dict[str, tuple[str, Callable[[click.Context, click.HelpFormatter], None]]] = {
    "options": (N_("options of every command"), write_options),
    "names": (N_("how people and chats are named"), write_names),
    "exit-codes": (N_("exit codes and what they mean"), write_exit_codes),
    "environment": (N_("environment variables"), write_environment),
}
"""Topics of `webwx help` beside the commands: name, summary, and the function that writes the text."""
