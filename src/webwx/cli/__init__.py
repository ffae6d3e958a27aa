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
from click.exceptions import NoArgsIsHelpError
from click.shell_completion import CompletionItem

from webwx.cli.exits import CommandFailed, explain
from webwx.cli.help_pages import CliGroup, write_options, write_overview, write_topics
from webwx.cli.language import N_, _, language_of, use_language
from webwx.cli.options import with_common_options
from webwx.cli.output import OutputClosed, print_document, print_failure
from webwx.outcomes import Exit

SECTIONS: dict[str, dict[str, tuple[str, str]]] = {
    N_("Without an account"): {
        "demo": ("sandbox.demo", N_("Show the main features against a server in this process.")),
        "sandbox": ("sandbox.sandbox", N_("Run a server of the protocol on this machine.")),
        "phone": ("sandbox.phone", N_("Control the phones of a running sandbox.")),
        "proxy": ("sandbox.proxy", N_("Inject faults between a client and a sandbox.")),
    },
    N_("Your login"): {
        "login": ("account.login", N_("Log in with a QR code, or restore the saved login.")),
        "status": ("account.login", N_("Show whether the saved login is valid.")),
        "logout": ("account.login", N_("Log out and delete the saved login.")),
        "accounts": ("account.accounts", N_("List the saved logins of this machine or of the database.")),
    },
    N_("People"): {
        "contacts": ("account.contacts", N_("List friends, chatrooms and official accounts.")),
        "identity": ("account.identity", N_("Recognise people and chatrooms across logins.")),
        "chats": ("account.contacts", N_("List recent chats, newest first.")),
        "articles": ("account.contacts", N_("List the latest articles of official accounts that you follow.")),
        "chatroom": ("account.chatrooms", N_("Create chatrooms and manage their members.")),
        "friend": ("account.contacts", N_("Send and accept friend requests.")),
        "remark": ("account.contacts", N_("Set your own name for WHO; an empty TEXT removes it.")),
        "pin": ("account.contacts", N_("Pin the chat with WHO to the top of the list, on all devices.")),
    },
    N_("Messages"): {
        "send": ("messages.messages", N_("Send a text, a picture or any file, and print the receipt.")),
        "push": ("messages.push", N_("Send a notification to your own phone.")),
        "receive": ("messages.receive", N_("Save received files, pictures and other media.")),
        "listen": ("messages.messages", N_("Print messages and recalls as they arrive.")),
        "history": ("messages.history", N_("Print past messages, oldest first.")),
        "search": ("messages.history", N_("Find messages that contain all WORDS.")),
        "read": ("messages.messages", N_("Mark a chat as read, on the phone too.")),
        "recall": ("messages.messages", N_("Recall a message sent less than two minutes ago.")),
        "recalled": ("messages.recalled", N_("List recalled messages and whether they can be forwarded.")),
        "forward": ("messages.messages", N_("Forward a received message, even if it was recalled.")),
        "outbox": ("messages.outbox", N_("List sends and their states.")),
    },
    N_("Bots"): {
        "new": ("bots.new", N_("Create a folder with a bot and its tests.")),
        "run": ("bots.run", N_("Run the bots of a Python file.")),
    },
    N_("Other programs"): {
        "serve": ("gateway.serve", N_("Serve all accounts of this machine to other programs, over HTTP.")),
        "mcp": ("gateway.mcp", N_("Connect an AI agent to your chats (MCP).")),
    },
    N_("Several machines"): {
        "worker": ("gateway.worker", N_("Run accounts of a database that several machines share.")),
        "cluster": ("gateway.cluster", N_("Show and control the workers of a shared database.")),
    },
    N_("This machine"): {
        "journal": ("journal.journal", N_("Count, check, export, copy, back up and delete stored messages.")),
        "storage": ("journal.storage", N_("Migrate the tables of a database.")),
        "config": ("config", N_("Show the settings and where each one comes from.")),
        "completion": ("completion", N_("Print a shell script that completes webwx commands.")),
        "doctor": ("doctor", N_("Print the facts for a bug report, without private data.")),
        "help": ("help", N_("Show the help of a command or about a topic.")),
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
        module, _summary = COMMANDS[cmd_name]
        command: click.Command = getattr(import_module(f"webwx.cli.{module}"), cmd_name)
        return command

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem[str]]:
        """Complete command names, without importing a command, and options."""
        commands = [
            CompletionItem(name, help=_(text))
            for name, (_module, text) in COMMANDS.items()
            if name.startswith(incomplete)
        ]
        return commands + click.Command.shell_complete(self, ctx, incomplete)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the commands by section, without importing one."""
        del ctx
        for title, commands in SECTIONS.items():
            with formatter.section(_(title)):
                formatter.write_dl([(name, _(summary)) for name, (_module, summary) in commands.items()], col_max=20)

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the options of all commands, and the topics that concern them."""
        write_options(ctx, formatter)
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


def main() -> None:
    """Run the command line and end the process with its exit code."""
    for stream in (sys.stdin, sys.stdout, sys.stderr):
        _speak_utf8(stream)
    sys.exit(run_command(sys.argv[1:]))


def run_command(arguments: list[str]) -> int:
    """Run one command and return its exit code; a failure is one sentence on stderr, with `--json` one object."""
    use_language("" if _prints_json(arguments) or _logs_json(arguments) else language_of(os.environ))
    try:
        if sys.stdout is None:
            raise CommandFailed(_("stdout is closed, so nothing was done; use '> /dev/null' to discard results."))
        # Passing the arguments keeps click from expanding `*` in them on Windows: a text is a text.
        code: int | None = webwx.main(arguments, prog_name="webwx", standalone_mode=False)
    except (click.Abort, KeyboardInterrupt):
        return Exit.INTERRUPTED
    except NoArgsIsHelpError as nothing_asked:
        if sys.stderr is not None:  # print() would take stdout for a closed stderr
            print(_overview(nothing_asked), file=sys.stderr)
        return Exit.BAD_INPUT
    except OutputClosed:
        _drop_output()
        return Exit.DONE
    except Exception as error:  # noqa: BLE001 - the last line of defence: a person gets a sentence, never a traceback
        exit_code, sentence = explain(error)
        if _prints_json(arguments):
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


def _overview(nothing_asked: NoArgsIsHelpError) -> str:
    """Return what to begin with, or the help of a group of commands."""
    ctx = nothing_asked.ctx
    if ctx is None or ctx.parent is not None:
        return nothing_asked.format_message()
    formatter = ctx.make_formatter()
    write_overview(formatter)
    return formatter.getvalue().rstrip("\n")


def _prints_json(arguments: list[str]) -> bool:
    """Return whether `--json` was given; the parser may have stopped before it."""
    return "--json" in takewhile("--".__ne__, arguments)


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
