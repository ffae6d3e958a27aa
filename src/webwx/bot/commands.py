"""
Commands: texts that begin with a prefix and a name, such as `/remind 5 tea`.

The name chooses the handler, and the words after the name become its arguments. The bot answers wrong words with the
usage, and `/help` with a list of the commands. It does so only in chats that its author allows, so other people get no
text that the author has not written.
"""

from __future__ import annotations

import inspect
from dataclasses import dataclass
from typing import TYPE_CHECKING

from webwx.bot.arguments import Arguments, CommandCall, WrongArguments, levelled
from webwx.bot.command_texts import TEXTS, Language
from webwx.bot.filters import ContactFilter, is_account_mentioned, names_of_account
from webwx.client.people.identities import To
from webwx.model.contacts import FILEHELPER, is_chatroom
from webwx.model.messages import QuoteMessage, TextMessage
from webwx.model.text import without_mention

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from webwx.bot.context import Context
    from webwx.client.client import AsyncClient
    from webwx.model.messages import Event

COMMAND_EVENTS = (TextMessage, QuoteMessage)
"""Events that can hold a command."""


@dataclass(frozen=True, kw_only=True)
class Commands:
    """
    The prefixes of a bot's commands, and the chats in which it answers with usage and help.

    Raises:
        TypeError: A chat has the wrong type.
        ValueError: A prefix or a name has a blank in it, there is no prefix, or the language is unknown.
    """

    prefixes: str | tuple[str, ...] = "/"
    """Text before a command's name; a tuple for several prefixes. Full-width forms, such as `／`, mean the same."""
    allow: To | tuple[To, ...] = FILEHELPER
    """Chats in which the bot answers with usage and help, in chatrooms only if it is mentioned; `()`: none."""
    help: str | tuple[str, ...] = "help"
    """Names of the command that lists the commands; `()`: no such command."""
    language: Language = "en"
    """Language of usage and help: English or Chinese (`zh`)."""

    def __post_init__(self) -> None:
        prefixes = self.all_prefixes
        if not prefixes or any(each.split() not in ([], [each]) for each in prefixes):
            raise ValueError(f"prefixes= cannot be {self.prefixes!r}; pass one such as '/', or several in a tuple.")
        if self.help != ():
            as_names(self.help)
        if self.language not in TEXTS:
            raise ValueError(f"language= cannot be {self.language!r}; give 'en' or 'zh'.")
        if self.allow != ():
            ContactFilter("allow", self.allow, "Commands")

    @property
    def all_prefixes(self) -> tuple[str, ...]:
        """The prefixes as a tuple."""
        return (self.prefixes,) if isinstance(self.prefixes, str) else self.prefixes

    @property
    def help_names(self) -> tuple[str, ...]:
        """The names of the command that lists the commands."""
        return (self.help,) if isinstance(self.help, str) else self.help


def as_names(names: object) -> tuple[str, ...]:
    """
    Return the names of a command as a tuple.

    Raises:
        TypeError: A name is not a text.
        ValueError: The tuple is empty, or a name is empty or has a blank in it.
    """
    found = (names,) if isinstance(names, str) else names
    if not isinstance(found, tuple) or not all(isinstance(each, str) for each in found):
        raise TypeError(f"command= cannot be {names!r}; give a name, or several in a tuple.")
    if not found or any([each] != each.split() for each in found):
        raise ValueError(f"command= cannot be {names!r}; a name is one word.")
    return found


DEFAULT_COMMANDS = Commands()
"""The defaults: the prefix `/`, and answers with usage and help in File Transfer Helper only."""


class CommandParser:
    """
    Finds the command in a text.

    Args:
        prefixes: The bot's prefixes.
    """

    def __init__(self, prefixes: tuple[str, ...]) -> None:
        self._prefixes = {form: prefix for prefix in prefixes for form in (_full_width(prefix), prefix)}
        self._forms = sorted(self._prefixes, key=len, reverse=True)  # `//` is found before `/`

    def parse(self, client: AsyncClient, event: Event) -> CommandCall | None:
        """Return the command of an event, after a mention of the account if there is one; None without a command."""
        if not isinstance(event, COMMAND_EVENTS):
            return None
        text = event.text.lstrip()
        if text.startswith("@"):
            text = without_mention(text, names_of_account(client, event))
        form = next((each for each in self._forms if text.startswith(each)), None)
        words = "" if form is None else text[len(form) :]
        if form is None or not words or words[0].isspace():
            return None
        name, *rest = words.split(maxsplit=1)
        return CommandCall(self._prefixes[form], levelled(name), rest[0] if rest else "")


def _full_width(prefix: str) -> str:
    return "".join(chr(ord(each) + 0xFEE0) if "!" <= each <= "~" else each for each in prefix)


class Command:
    """
    A command of a handler.

    Args:
        function: The handler.
        names: Name of the command, and its other names.
        parameters: The handler's positional parameters after the context and the event.

    Raises:
        TypeError: A name is not a text, or a word cannot be converted to a parameter's type.
        ValueError: There is no name, or a name has a blank in it.
    """

    def __init__(
        self, function: Callable[..., object], names: str | tuple[str, ...], parameters: Sequence[inspect.Parameter]
    ) -> None:
        self.names: tuple[str, ...] = as_names(names)
        """The name and the other names."""
        self.keys: frozenset[str] = frozenset(map(levelled, self.names))
        """The names in the form of `CommandCall.name`."""
        self.arguments: Arguments = Arguments(function, parameters)
        self.description: str = inspect.getdoc(function) or ""
        """The handler's docstring."""

    def matches(self, context: Context, _: Event) -> bool:
        """Return whether the command of an event is this one."""
        return context.command is not None and context.command.name in self.keys

    def usage(self, prefix: str) -> str:
        """Return the usage of the command, such as `/remind <minutes> <text…>`."""
        return f"{prefix}{self.names[0]} {self.arguments.usage}".rstrip()

    def summary(self, prefix: str) -> str:
        """Return the usage and the first line of the docstring."""
        first = self.description.partition("\n")[0]
        return self.usage(prefix) + (f": {first}" if first else "")


class CommandAnswers:
    """
    Answers with usage and help, in the chats in which this is allowed.

    Args:
        choices: The chats and the language.
    """

    def __init__(self, choices: Commands) -> None:
        self._chats = None if choices.allow == () else ContactFilter("allow", choices.allow, "Commands")
        self._language = choices.language
        self._commands: dict[str, Command] = {}

    def add(self, command: Command) -> None:
        """Add a command to the list, unless the list has a command of this name."""
        self._commands.setdefault(command.names[0], command)

    def add_help(self, command: Command) -> None:
        """Add the command of `show_help` to the list."""
        command.description = TEXTS[self._language]["help"]
        self.add(command)

    async def is_allowed(self, context: Context, event: Event) -> bool:
        """Return whether the bot answers with usage and help in the chat of an event."""
        if self._chats is None or not await self._chats.matches(context.client, event):
            return False
        return not is_chatroom(context.chat) or is_account_mentioned(context.client, event)

    async def answer_usage(self, context: Context, command: Command, error: WrongArguments) -> None:
        """Answer with the usage of a command, if this is allowed."""
        if context.command is not None and await self.is_allowed(context, context.event):
            await context.reply(f"{error.in_language(self._language)}\n{command.usage(context.command.prefix)}")

    async def show_help(self, context: Context, _: Event, command: str = "") -> None:
        """List the commands, or describe one."""
        prefix = "" if context.command is None else context.command.prefix
        name = levelled(command).removeprefix(levelled(prefix))
        chosen = next((each for each in self._commands.values() if name in each.keys), None)
        if chosen is None:
            await context.reply("\n".join(each.summary(prefix) for each in self._commands.values()))
            return
        names = f"({', '.join(prefix + each for each in chosen.names[1:])})" if chosen.names[1:] else ""
        await context.reply("\n".join(each for each in (chosen.usage(prefix), names, chosen.description) if each))
