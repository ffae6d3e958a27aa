"""
The command line.

`webwx --help` must be fast, so a command's module, and with it the HTTP library, is imported only when that command is
used. The table below therefore names the commands and their modules, and `make messages` writes what the help shows
about them, the first lines of their docstrings, to `summaries.py`.
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
from webwx.cli.permanent_objects import exempt_from_last_collections
from webwx.outcomes import Exit

SECTIONS: dict[str, dict[str, str]] = {
    N_("Without an account"): {
        "demo": "sandbox.demo",
        "sandbox": "sandbox.sandbox",
        "phone": "sandbox.phone",
        "proxy": "sandbox.proxy",
    },
    N_("Your login"): {
        "login": "account.login",
        "status": "account.login",
        "logout": "account.login",
        "accounts": "account.accounts",
    },
    N_("People"): {
        "contacts": "account.contacts",
        "identity": "account.identity",
        "chats": "account.contacts",
        "articles": "account.contacts",
        "chatroom": "account.chatrooms",
        "friend": "account.contacts",
        "remark": "account.contacts",
        "pin": "account.contacts",
    },
    N_("Messages"): {
        "send": "messages.messages",
        "push": "messages.push",
        "receive": "messages.receive",
        "listen": "messages.messages",
        "history": "messages.history",
        "search": "messages.history",
        "read": "messages.messages",
        "recall": "messages.messages",
        "recalled": "messages.recalled",
        "forward": "messages.messages",
        "outbox": "messages.outbox",
    },
    N_("Bots"): {
        "new": "bots.new",
        "run": "bots.run",
    },
    N_("Other programs"): {
        "serve": "gateway.serve",
        "mcp": "gateway.mcp",
    },
    N_("Several machines"): {
        "worker": "gateway.worker",
        "cluster": "gateway.cluster",
    },
    N_("This machine"): {
        "journal": "journal.journal",
        "storage": "journal.storage",
        "config": "config",
        "completion": "completion",
        "doctor": "doctor",
        "help": "help",
    },
}
"""Commands by section of the help: name, and module in this package."""

COMMANDS = {name: module for section in SECTIONS.values() for name, module in section.items()}
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
        command: click.Command = getattr(import_module(f"webwx.cli.{COMMANDS[cmd_name]}"), cmd_name)
        return command

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem[str]]:
        """Complete command names, without importing a command, and options."""
        commands = [CompletionItem(name, help=_summary(name)) for name in COMMANDS if name.startswith(incomplete)]
        return commands + click.Command.shell_complete(self, ctx, incomplete)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the commands by section, without importing one."""
        del ctx
        for title, commands in SECTIONS.items():
            with formatter.section(_(title)):
                formatter.write_dl([(name, _summary(name)) for name in commands], col_max=20)

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the options of all commands, and the topics that concern them."""
        write_options(ctx, formatter)
        write_topics(formatter)


def _summary(name: str) -> str:
    """Return the translated summary of a command; empty if it has been added since the last `make messages`."""
    from webwx.cli.summaries import SUMMARIES

    return _(SUMMARIES.get(name, ""))


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
    code = run_command(sys.argv[1:])
    exempt_from_last_collections()
    sys.exit(code)


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
