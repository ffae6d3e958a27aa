"""Everything about confirmations that adapters and the API use."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING
from weakref import WeakValueDictionary

from webwx.gateway.adapters.confirmation import CODE_DIGITS
from webwx.gateway.adapters.confirmed_sends import ConfirmedSends
from webwx.gateway.adapters.owner_answers import OwnerAnswers
from webwx.gateway.adapters.stored_confirmations import StoredConfirmations

if TYPE_CHECKING:
    from collections.abc import Callable

    from webwx.gateway.accounts.account_events import AccountEvent
    from webwx.gateway.adapters.confirmation import Confirmation, SendToConfirm
    from webwx.gateway.adapters.confirmed_account import ConfirmedAccount, ConfirmedAccounts, OwnerMessages
    from webwx.gateway.adapters.program import Program
    from webwx.storage.tables.records import RecordStore

CONSOLE = "console"
"""Who has answered a question in the console, or through the API."""

TERMINAL = "terminal"
"""Who has answered a question with a command."""


class Confirmations:
    """
    The sends of programs that wait for their owners.

    Args:
        records: Stores them.
        accounts: The accounts.
        messages: Brings the answers of owners, at the node that runs the account.
        clock: Returns seconds since 1970.
        code_digits: Number of digits of a code.
    """

    def __init__(
        self,
        records: RecordStore,
        accounts: ConfirmedAccounts,
        messages: OwnerMessages,
        clock: Callable[[], float],
        *,
        code_digits: int = CODE_DIGITS,
    ) -> None:
        self.stored = StoredConfirmations(records, clock, code_digits=code_digits)
        """The confirmations, for readers."""
        self._records = records
        self._clock = clock
        self._accounts = accounts
        self._messages = messages
        self._answers = OwnerAnswers(self.stored)
        self._sends = ConfirmedSends(self.stored, accounts)
        self._asking: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()
        """Locks of the programs that ask now: one call at a time counts the open questions."""

    def __repr__(self) -> str:
        return "Confirmations()"

    async def begin(self, program: Program) -> None:
        """
        Take the answers to questions of a program, and make its accepted sends.

        Raises:
            TooManyOpenFiles: There is no room for a further consumer.
        """
        self._sends.begin(program)
        await self._messages.begin(program, self._take, is_for_owner=True)

    async def end(self, program: Program) -> None:
        """End what `begin` has begun, beside the messages of the owner, which end by themselves."""
        await self._sends.end(program.id)

    async def ask(self, program: Program, send: SendToConfirm) -> Confirmation:
        """
        Ask the owner about a send, unless this is done, and return the confirmation.

        Raises:
            TooManyOpen: Too many sends of the program wait.
            LoggedOut: There is no login, so the owner cannot be asked.
            WxError: The question cannot be stored.
        """
        async with self._asking.setdefault(program.id, asyncio.Lock()):
            confirmation = await self.stored.add(program, send)
            if confirmation.state != "preparing" or confirmation.digest != send.digest:
                return confirmation  # the file of another send may not be stored
            await self.stored.put_file(confirmation, send.content)
            return await self._answers.ask(program, self._accounts.account(program.account), confirmation)

    async def open(self, program: Program, send: SendToConfirm) -> Confirmation:
        """
        Store a question that the client of the program asks, unless it is stored, and return the confirmation.

        Raises:
            TooManyOpen: Too many sends of the program wait.
        """
        async with self._asking.setdefault(program.id, asyncio.Lock()):
            return await self._answers.note_asked(await self.stored.add(program, send), self._clock())

    async def decide(self, confirmation: Confirmation, *, is_yes: bool, by: str = CONSOLE) -> Confirmation:
        """
        Store an answer that was not given on the phone, unless there is one, and return the confirmation.

        Args:
            confirmation: The confirmation.
            is_yes: Whether the send is wanted.
            by: Who has answered.
        """
        decided = await self._answers.decide(confirmation, is_yes=is_yes, by=by)
        self._sends.look(confirmation.program)
        return decided

    def look(self, program: Program) -> None:
        """Make the accepted sends of a program now."""
        self._sends.look(program.id)

    async def waiting_since(self, program: Program) -> float | None:
        """
        Return the time of the oldest question of a program that waits for an answer; None if none waits.

        Raises:
            WxError: The questions cannot be read.
        """
        account = self._accounts.account(program.account)
        found = [await self._answers.note_found(account.client, each) for each in await self.stored.list(program.id)]
        return min((each.asked_at for each in found if each.state == "waiting"), default=None)

    async def _take(self, program: Program, account: ConfirmedAccount, account_event: AccountEvent) -> None:
        decided = await self._answers.take(program, account, account_event)
        if decided is not None:
            await self._records.append_audit(
                "owner on the phone", "confirmation.decide", target=program.id,
                detail=f"{decided.state}, to {decided.to}", time=self._clock(),
            )  # fmt: skip
            self._sends.look(program.id)
