"""
The command line.

`webwx --help` must be fast, so a command's module, and with it the HTTP library, is imported only when that command is
used. The table below therefore holds everything that the help shows about the commands.
"""

from __future__ import annotations

import os
import sys
from importlib import import_module
from itertools import pairwise, takewhile
from typing import TextIO

import click
from click.exceptions import NoArgsIsHelpError, NoSuchCommand
from click.shell_completion import CompletionItem

from webwx.cli.exits import CommandFailed, explain
from webwx.cli.guesses import GUESSES
from webwx.cli.help_pages import CliGroup, write_environment, write_exit_codes, write_options, write_topics
from webwx.cli.options import with_common_options
from webwx.cli.output import OutputClosed, print_document, print_failure
from webwx.outcomes import Exit

SECTIONS: dict[str, dict[str, tuple[str, str]]] = {
    "Without an account": {
        "demo": ("demo", "Show the main features against a server in this process."),
        "sandbox": ("sandbox", "Run a server of the protocol on this machine."),
        "phone": ("phone", "Control the phones of a running sandbox."),
        "proxy": ("proxy", "Inject faults between a client and a sandbox."),
    },
    "Your login": {
        "login": ("login", "Log in with a QR code, or restore the saved login."),
        "status": ("login", "Show whether the saved login is valid."),
        "logout": ("login", "Log out and delete the saved login."),
        "accounts": ("accounts", "List the saved logins of this machine or of the database."),
    },
    "People": {
        "contacts": ("contacts", "List friends, chatrooms and official accounts."),
        "identity": ("identity", "Recognise people and chatrooms across logins."),
        "chats": ("contacts", "List recent chats, newest first."),
        "chatroom": ("chatrooms", "Create chatrooms and manage their members."),
        "friend": ("contacts", "Send and accept friend requests."),
        "remark": ("contacts", "Set your own name for WHO; an empty TEXT removes it."),
        "pin": ("contacts", "Pin the chat with WHO to the top of the list, on all devices."),
    },
    "Messages": {
        "send": ("messages", "Send a text, a picture or any file, and print the receipt."),
        "push": ("push", "Send a notification to your own phone."),
        "receive": ("receive", "Save received files, pictures and other media."),
        "listen": ("messages", "Print messages and recalls as they arrive."),
        "history": ("history", "Print past messages, oldest first."),
        "search": ("history", "Find messages that contain all WORDS."),
        "read": ("messages", "Mark a chat as read, on the phone too."),
        "recall": ("messages", "Recall a message sent less than two minutes ago."),
        "recalled": ("recalled", "List recalled messages and whether they can be forwarded."),
        "forward": ("messages", "Forward a received message, even if it was recalled."),
        "outbox": ("outbox", "List sends and their states."),
    },
    "Bots": {
        "new": ("new", "Create a folder with a bot and its tests."),
        "run": ("run", "Run the bots of a Python file."),
    },
    "Other programs": {
        "serve": ("serve", "Serve all accounts of this machine to other programs, over HTTP."),
    },
    "Several machines": {
        "worker": ("worker", "Run accounts of a database that several machines share."),
        "cluster": ("cluster", "Show and control the workers of a shared database."),
    },
    "This machine": {
        "journal": ("journal", "Count, check, export, copy, back up and delete stored messages."),
        "storage": ("storage", "Migrate the tables of a database."),
        "config": ("config", "Show the settings and where each one comes from."),
        "completion": ("completion", "Print a shell script that completes webwx commands."),
        "doctor": ("doctor", "Print the facts for a bug report, without private data."),
        "help": ("help", "Show the help of a command or about a topic."),
    },
}
"""Commands by section of the help: name, module in this package, and summary."""

COMMANDS = {name: entry for section in SECTIONS.values() for name, entry in section.items()}
"""The same commands without the sections."""


class LazyGroup(CliGroup):
    """A group that imports a command's module when the command is used."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the names of all commands."""
        del ctx
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import a command."""
        del ctx
        if cmd_name not in COMMANDS:
            return None
        module, _ = COMMANDS[cmd_name]
        command: click.Command = getattr(import_module(f"webwx.cli.{module}"), cmd_name)
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find the command that an argument names, or suggest a similar one."""
        if args[0] not in COMMANDS and not args[0].startswith("-") and not ctx.resilient_parsing:
            message = _suggest(args[0])
            raise NoSuchCommand(args[0], message, possibilities=None if message else COMMANDS, ctx=ctx)
        return super().resolve_command(ctx, args)

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem[str]]:
        """Complete command names, without importing a command, and options."""
        commands = [
            CompletionItem(name, help=text) for name, (_, text) in COMMANDS.items() if name.startswith(incomplete)
        ]
        return commands + click.Command.shell_complete(self, ctx, incomplete)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the commands by section, without importing one."""
        del ctx
        for title, commands in SECTIONS.items():
            with formatter.section(title):
                formatter.write_dl([(name, summary) for name, (_, summary) in commands.items()], col_max=20)

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the topics that concern all commands."""
        write_options(ctx, formatter)
        write_exit_codes(ctx, formatter)
        write_environment(ctx, formatter)
        write_topics(formatter)


@with_common_options
@click.group(
    "webwx",
    cls=LazyGroup,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
@click.version_option(None, "-V", "--version", package_name="webwx", message="%(prog)s %(version)s")
def webwx() -> None:
    """
    Use WeChat over its web protocol, or run a server of that protocol on this machine.

    New to webwx? Run 'webwx demo': it shows the main features without an account.
    """


def _suggest(name: str) -> str | None:
    """Return the message for a word that people type for another command; None for any other word."""
    words = GUESSES.get(name.lower())
    if words is None:
        return None
    commands = " or ".join(f"'webwx {each}'" for each in words)
    return f"No such command {name!r}. Did you mean {commands}?"


def main() -> None:
    """Run the command line and end the process with its exit code."""
    for stream in (sys.stdin, sys.stdout, sys.stderr):
        _speak_utf8(stream)
    sys.exit(run_command(sys.argv[1:]))


def run_command(arguments: list[str]) -> int:
    """Run one command and return its exit code; a failure is one sentence on stderr, with `--json` one object."""
    try:
        if sys.stdout is None:
            raise CommandFailed("stdout is closed, so nothing was done; use '> /dev/null' to discard results.")
        # Passing the arguments keeps click from expanding `*` in them on Windows: a text is a text.
        code: int | None = webwx.main(arguments, prog_name="webwx", standalone_mode=False)
    except (click.Abort, KeyboardInterrupt):
        return Exit.INTERRUPTED
    except NoArgsIsHelpError as nothing_asked:
        if sys.stderr is not None:  # print() would take stdout for a closed stderr
            print(nothing_asked.format_message(), file=sys.stderr)
        return Exit.BAD_INPUT
    except OutputClosed:
        _drop_output()
        return Exit.DONE
    except Exception as error:  # noqa: BLE001 - the last line of defence: a person gets a sentence, never a traceback
        exit_code, sentence = explain(error)
        # The parser stops at a mistake and may not have read --json yet, so it is looked for here.
        if "--json" in takewhile("--".__ne__, arguments):
            fields = {"type": type(error).__name__, "message": sentence, "exit_code": int(exit_code)}
            print_document({"error": fields})
        elif _logs_json(arguments):
            from webwx.cli.logs import NOTICES, log_to_stderr

            log_to_stderr(log_format="json")
            NOTICES.error("%s", sentence, extra={"exit_code": int(exit_code), "type": type(error).__name__})
        else:
            print_failure(sentence)
        return exit_code
    return code or Exit.DONE


def _logs_json(arguments: list[str]) -> bool:
    """Return whether `--log-format json` was given; the parser may have stopped before it."""
    given = [*takewhile("--".__ne__, arguments)]
    return "--log-format=json" in given or ("--log-format", "json") in pairwise(given)


def _speak_utf8(stream: TextIO | None) -> None:
    """Read and write UTF-8 on every platform; invalid bytes never end a command."""
    if stream is not None and hasattr(stream, "reconfigure"):
        stream.reconfigure(encoding="utf-8", errors="replace")


def _drop_output() -> None:
    """Point stdout at the null device, so that the interpreter's last flush does not fail on the closed pipe."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
