"""
What a command is given: whom to talk to, where its login is kept, and how to print.

Commands are coroutines that take a `Session`; `command` makes click commands of them. Each command is a process of its
own, and the saved login is what ties them together.
"""

from __future__ import annotations

import asyncio
import functools
import sys
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import click

from webwx.cli.options import Given, with_common_options
from webwx.cli.output import Output
from webwx.client.aio import AsyncClient
from webwx.settings import Settings
from webwx.store.saved_login import LoginFile

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable

    from webwx.model.login import Account


class Session:
    """One run of one command."""

    def __init__(self, given: Given) -> None:
        self.settings = Settings.from_environment(server=given.server, host=given.host)
        self.output = Output(as_json=given.as_json)

    @asynccontextmanager
    async def client(self) -> AsyncIterator[AsyncClient]:
        """Give a client of the chosen server or profile that is not logged in yet."""
        store = LoginFile(self.settings.login_path)
        async with AsyncClient(host=self.settings.host, server=self.settings.server, store=store) as client:
            yield client

    @asynccontextmanager
    async def logged_in(self) -> AsyncIterator[AsyncClient]:
        """
        Give a client with the saved login, without asking the server whether it is alive.

        Raises:
            LoggedOut: There is none.
        """
        async with self.client() as client:
            await client.resume()
            yield client


def command(
    name: str, *, cls: type[click.Command] = click.Command, group: click.Group | None = None
) -> Callable[[Callable[..., Awaitable[None]]], click.Command]:
    """Make a click command of a coroutine whose first argument is the session."""

    def decorate(work: Callable[..., Awaitable[None]]) -> click.Command:
        @functools.wraps(work)
        def run(**arguments: Any) -> None:
            given = click.get_current_context().ensure_object(Given)
            asyncio.run(_started(work(Session(given), **arguments)))

        made = with_common_options(click.command(name, cls=cls)(run))
        if group is not None:
            group.add_command(made)
        return made

    return decorate


async def _started(work: Awaitable[None]) -> None:
    await work


def read_stdin(prompt: str) -> str:
    """Read all of stdin as text, telling a person at a terminal what is awaited."""
    if sys.stdin.isatty():
        Output(as_json=False).tell(prompt)
    return sys.stdin.read()
