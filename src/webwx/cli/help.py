"""`webwx help`: the help of a command, or a topic that concerns all commands."""

from __future__ import annotations

import click
from click.shell_completion import CompletionItem

from webwx.cli.help_pages import TOPICS, CliCommand, CliGroup
from webwx.cli.options import example_text, with_common_options


def complete_topics(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem[str]]:
    """Complete topics and commands; after a group, its commands."""
    words = ctx.params.get(param.name or "") or ()
    found = _find(ctx.find_root(), words)
    if not isinstance(found.command, click.Group):
        return []
    names = found.command.list_commands(found) + ([] if words else [*TOPICS])
    return [CompletionItem(name) for name in names if name.startswith(incomplete)]


@with_common_options
@click.command(
    "help",
    cls=CliCommand,
    epilog=example_text("webwx help send", "webwx help phone say", "webwx help exit-codes"),
)
@click.argument("topic", nargs=-1, metavar="[TOPIC]...", shell_complete=complete_topics)
@click.pass_context
def help(ctx: click.Context, topic: tuple[str, ...]) -> None:  # noqa: A001 - the name of the command
    """
    Show the help of a command or about a topic.

    TOPIC is the name of a command, or one of the topics that 'webwx --help' lists. Without TOPIC, shows the same as
    'webwx --help'.
    """
    root = ctx.find_root()
    name = "-".join(topic).lower()
    if name in TOPICS:
        _, write = TOPICS[name]
        formatter = ctx.make_formatter()
        write(root, formatter)
        click.echo(formatter.getvalue().strip("\n"))
        return
    found = _find(root, topic)
    click.echo(found.command.get_help(found))


def _find(root: click.Context, words: tuple[str, ...]) -> click.Context:
    """
    Return the context of the command that words name.

    Raises:
        NoSuchCommand: There is no such command; the message suggests another one.
    """
    found = root
    for word in words:
        if not isinstance(found.command, CliGroup):
            break
        name, command, _ = found.command.resolve_command(found, [word])
        if command is None:
            break
        found = command.context_class(command, info_name=name, parent=found)
    return found
