"""
The account whose owner is asked about sends: what questions, answers and accepted sends need of it.

The accounts of the gateway have all of it, and so has the one account of a program that runs by itself.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from webwx.client.client import AsyncClient
    from webwx.gateway.accounts.account_events import AccountEvent
    from webwx.gateway.accounts.account_sends import MediaContent
    from webwx.gateway.adapters.program import Program
    from webwx.storage.tables.outbox import Outgoing


class ConfirmedSendsOf(Protocol):
    """The sends of an account, each with its key in the outbox; the methods raise as those of `AccountSends`."""

    async def store_text(self, to: str | int, text: str, *, key: str = "") -> Outgoing:
        """Store a text that is sent without a further call, and return it; a known key returns the existing send."""
        ...

    async def enqueue(self, to: str | int, text: str, *, key: str = "") -> object:
        """Send a text, or store it so that it is sent without a further call."""
        ...

    async def forward(self, number: int, to: str | int, *, key: str = "") -> object:
        """Forward an event by its number."""
        ...

    async def send(self, to: str | int, content: MediaContent, *, key: str = "", wait: float = 25.0) -> object:
        """Send a file, and wait some seconds for its outcome."""
        ...


class AskedStatus(Protocol):
    """The state of an account."""

    @property
    def state(self) -> str:
        """State of the login, such as `logged_out`."""
        ...


class ConfirmedAccount(Protocol):
    """One account."""

    @property
    def number(self) -> int:
        """Number of the account."""
        ...

    @property
    def client(self) -> AsyncClient:
        """Reads the messages and the outbox of the account."""
        ...

    @property
    def sends(self) -> ConfirmedSendsOf:
        """The sends of the account."""
        ...

    async def status(self) -> AskedStatus:
        """Return the state of the account."""
        ...


class ConfirmedAccounts(Protocol):
    """The accounts of programs whose sends need consent."""

    async def list_owned(self) -> list[int]:
        """Return the numbers of the accounts that this process runs, where it makes the accepted sends."""
        ...

    def account(self, number: int) -> ConfirmedAccount:
        """Return an account by its number."""
        ...


class TakeAnswer(Protocol):
    """Takes an event of File Transfer Helper, which may be an answer, and may have been taken before."""

    async def __call__(self, program: Program, account: ConfirmedAccount, account_event: AccountEvent) -> None:
        """
        Take an event.

        Raises:
            WxError: It is to be taken again later.
            GatewayProblem: The same.
        """
        ...


class OwnerMessages(Protocol):
    """Brings what the owner of an account writes into File Transfer Helper."""

    async def begin(self, program: Program, push: TakeAnswer, *, is_for_owner: bool) -> None:
        """
        Call a function with each event there from now on, or from where an earlier process has ended.

        Args:
            program: The program, whose account it is.
            push: The function.
            is_for_owner: Always true: events of File Transfer Helper, whatever the program may see.
        """
        ...
