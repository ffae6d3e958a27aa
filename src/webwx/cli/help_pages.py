"""
Layout of help: a command's page shows its own options only; those of every command are a topic of `webwx help`.

`TOPICS` are the parts of help that concern all commands; `webwx --help` shows them too, except for long texts.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from webwx.outcomes import MEANING

if TYPE_CHECKING:
    from collections.abc import Callable

_NAME_WIDTH = 22
"""Maximum width of the first column of a list, in cells."""

ENVIRONMENT = {
    "WEBWX_HOME": "folder of saved logins; default: the platform's state folder",
    "WEBWX_SERVER": "default for --server",
    "WEBWX_HOST": "default for --host",
    "WEBWX_ACCOUNT": "default for --account",
    "WEBWX_STORAGE": "default for --storage",
    "WEBWX_PROXY": "default for --proxy",
    "WEBWX_KEEP": "chats whose pictures are archived as they arrive: 'all', or names separated by commas",
    "WEBWX_RETENTION_DAYS": "days to keep messages in the journal; default: 90, 0 means forever",
    "WEBWX_CONFIG": "configuration file; see 'webwx config'",
    "WEBWX_PASSPHRASE": "encrypts the saved logins; requires webwx[crypto]",
    "WEBWX_PASSPHRASE_FROM": "'keyring': use the system's keyring; requires webwx[keyring]",
    "NO_COLOR": "if set, disables colours",
}
"""Environment variables and their meaning."""

NAMES = """\
A person or a chat is named by one of these, wherever help says TO, WHO, CHAT or PEOPLE:

\b
  filehelper    your own phone, through File Transfer Helper
  阿华          a remark, a nickname, or the name of a chatroom
  who:12        an identity number, which stays the same after another login
  @4f1c…        an id, which is new after each login

'webwx contacts' lists them all. If several contacts have the same name, the command fails, and never chooses one of
them.
"""
"""Text of the topic `names`."""


class CommonOption(click.Option):
    """An option of every command."""


class CliCommand(click.Command):
    """A command whose help shows its own options only."""

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the options that only this command has."""
        own = [each for each in self.params if isinstance(each, click.Option) and not isinstance(each, CommonOption)]
        if records := [record for each in own if (record := each.get_help_record(ctx))]:
            with formatter.section("Options"):
                formatter.write_dl(records)

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the examples, and where the other options are listed."""
        super().format_epilog(ctx, formatter)
        formatter.write_paragraph()
        with formatter.indentation():
            formatter.write_text("The options of every command, such as --json: 'webwx help options'.")


class CliGroup(CliCommand, click.Group):
    """A group whose help shows its own options only."""

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the options of the group, and its commands."""
        super().format_options(ctx, formatter)
        self.format_commands(ctx, formatter)


def write_options(ctx: click.Context, formatter: click.HelpFormatter) -> None:
    """Write the options of every command."""
    root = ctx.find_root()
    common = [each for each in root.command.get_params(root) if isinstance(each, CommonOption)]
    shown = [*common, root.command.get_help_option(root)]
    with formatter.section("Options of every command, before or after its name"):
        formatter.write_dl([record for each in shown if each and (record := each.get_help_record(root))])


def write_exit_codes(ctx: click.Context, formatter: click.HelpFormatter) -> None:
    """Write the exit codes."""
    del ctx
    with formatter.section("Exit codes"):
        formatter.write_dl([(str(int(code)), meaning) for code, meaning in MEANING.items()], _NAME_WIDTH)


def write_environment(ctx: click.Context, formatter: click.HelpFormatter) -> None:
    """Write the environment variables."""
    del ctx
    with formatter.section("Environment"):
        formatter.write_dl([*ENVIRONMENT.items()], _NAME_WIDTH)


def write_names(ctx: click.Context, formatter: click.HelpFormatter) -> None:
    """Write how people and chats are named."""
    del ctx
    formatter.write_text(NAMES)


def write_topics(formatter: click.HelpFormatter) -> None:
    """Write the names of the topics."""
    with formatter.section("Topics of 'webwx help TOPIC'"):
        formatter.write_dl([(name, summary) for name, (summary, _) in TOPICS.items()], _NAME_WIDTH)


TOPICS: dict[str, tuple[str, Callable[[click.Context, click.HelpFormatter], None]]] = {
    "options": ("options of every command", write_options),
    "names": ("how people and chats are named", write_names),
    "exit-codes": ("exit codes and what they mean", write_exit_codes),
    "environment": ("environment variables", write_environment),
}
"""Topics of `webwx help` beside the commands: name, summary, and the function that writes the text."""
