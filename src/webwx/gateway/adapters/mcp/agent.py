"""
An agent: the account that it uses, the chats that it reaches, and its limits.

The permissions are resolved again for each call, because contacts get new ids with each login.
"""

from __future__ import annotations

import asyncio
import contextlib
import secrets
from typing import TYPE_CHECKING, NamedTuple

from webwx.errors import (
    ApiError,
    ConnectFailed,
    InvalidRequest,
    NotLoggedIn,
    RateLimitReached,
    SendOutcomeUnknown,
    StorageError,
    WxError,
)
from webwx.gateway.accounts.journal_lookup import id_for_user
from webwx.gateway.adapters.mcp.failures import ToolRefused, code_of_failure, not_finished
from webwx.gateway.adapters.mcp.owner_consent import wanted_send
from webwx.gateway.adapters.mcp.served_account import send
from webwx.gateway.adapters.mcp.short_texts import named_chat
from webwx.gateway.adapters.mcp.tool_values import NamedChat, SendReceipt
from webwx.gateway.adapters.permissions import allowed_chats, of_present_user
from webwx.gateway.problems import GatewayProblem
from webwx.model.contacts import FILEHELPER, FILEHELPER_NAME
from webwx.model.messages import Event, Message, MessageRecalled
from webwx.representations.times import moment

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Coroutine
    from pathlib import Path
    from typing import Any

    from webwx.client.client import AsyncClient
    from webwx.gateway.adapters.confirmation import Confirmation
    from webwx.gateway.adapters.mcp.agent_options import AgentOptions
    from webwx.gateway.adapters.mcp.owner_consent import OwnerConsent
    from webwx.gateway.adapters.mcp.send_budget import SendBudget
    from webwx.gateway.adapters.mcp.served_account import ServedAccount, ToSend
    from webwx.gateway.adapters.permissions import AllowedChat, AllowedChats, ChatPermissions
    from webwx.model.messages import Receipt
    from webwx.storage.tables.outbox import Outgoing

KEY_PREFIX = "mcp-"
"""Begin of the keys of all sends of agents, so that an agent cannot name a send of another program."""

SEND_WAIT = 45.0
"""Seconds that a call waits for the outcome of its send; clients give up after a minute."""

_NEWEST = 20
"""Number of entries of the history in which the newest event is looked for at once."""

_EVENTS = 1000
"""Number of events that are read at once."""

_NOTE_EVERY = 60.0
"""Seconds between two notes about refused reads of one tool."""

_LAST_SENDS = 10.0
"""Seconds that the end of the server waits for sends in progress."""


class ReachedChat(NamedTuple):
    """A chat of a call."""

    to: str | int
    """The chat for methods of the client: `filehelper`, or a number."""
    id: str
    """Id in the newest login, which the permissions know."""
    chat: NamedChat


FILEHELPER_CHAT = NamedChat(number=0, name=FILEHELPER_NAME, kind="filehelper")

_FILEHELPER = ReachedChat(FILEHELPER, FILEHELPER, FILEHELPER_CHAT)


class Agent:
    """
    One agent.

    Args:
        account: The account.
        permissions: Returns the chats that it sees, and those to which it writes.
        options: What else it may do.
        budget: Limits its sends.
        audit: Stores an action, its target and one more line in the audit log.
        clock: Returns seconds since 1970.
        consent: Asks the owner about sends to people and chatrooms; None: they need no consent.
        bind: Returns the lists with the user to whom they belong; None: the user who is logged in at the first call.
        program: Id of the program in the keys of its sends, so that no other program's send has its key; empty: none.
        files: Folder whose files it may send; None: it sends no files of this machine.
    """

    def __init__(
        self,
        account: ServedAccount,
        permissions: ChatPermissions,
        options: AgentOptions,
        budget: SendBudget,
        audit: Callable[[str, str, str], Awaitable[object]],
        clock: Callable[[], float],
        *,
        consent: OwnerConsent | None = None,
        bind: Callable[[ChatPermissions], Awaitable[ChatPermissions]] | None = None,
        program: str = "",
        files: Path | None = None,
    ) -> None:
        self.account = account
        self.options = options
        self.budget = budget
        self.clock = clock
        self.files = files
        self._permissions = permissions
        self._bind = bind
        self._audit = audit
        self._prefix = f"{KEY_PREFIX}{program}-" if program else KEY_PREFIX
        self.consent = consent
        """Asks the owner about sends to people and chatrooms; None: they need no consent."""
        self._sending: set[asyncio.Task[Any]] = set()
        self.subscriptions: object = None
        """Its subscriptions to chats, which the server makes and keeps here; None before the first one."""
        self.logins_begun: list[float] = []
        """Times of the logins that it has begun in the last hour."""
        self.code_seen: tuple[str, float] = "", 0.0
        """The code of a login that was shown last, and the time at which it was first seen."""
        self._noted: dict[tuple[str, str], float] = {}
        """Times at which refusals that may repeat were last noted, by tool and code."""

    def __repr__(self) -> str:
        return f"Agent({self.account.name!r})"

    @property
    def client(self) -> AsyncClient:
        """Reads the journal of the account."""
        return self.account.client

    async def allowed(self) -> AllowedChats:
        """
        Return the chats that the agent reaches now.

        If there was no login when the lists were made, they name people of the user who logs in first.
        """
        if self._bind is None:
            self._permissions = await of_present_user(self._permissions, self.client)
        else:
            self._permissions = await self._bind(self._permissions)
        return await allowed_chats(self._permissions, self.client)

    # -- chats ---------------------------------------------------------------------------------------------------------

    async def seen(self, which: str | int) -> ReachedChat:
        """
        Return a chat that the agent may read.

        Raises:
            ChatNotAllowed: It may not, or there is no such chat.
        """
        allowed = await self.allowed()
        target = await self._target(allowed, which)
        allowed.require_see(target.id)
        return target

    async def written(self, which: str | int) -> ReachedChat:
        """
        Return a chat to which the agent may send.

        Raises:
            ChatNotAllowed: It may not, or there is no such chat.
        """
        allowed = await self.allowed()
        target = await self._target(allowed, which)
        allowed.require_write(target.id)
        return target

    async def _target(self, allowed: AllowedChats, which: str | int) -> ReachedChat:
        if which in {FILEHELPER, FILEHELPER_NAME, 0}:
            return _FILEHELPER
        if isinstance(which, str) and which.isascii() and which.isdecimal() and len(which) < 16:
            which = int(which)  # many agents write numbers as texts
        listed = allowed.resolve(which)
        if listed is not None:
            return target_of(listed)
        identity = await self.client.who(which)
        named = named_chat(identity.number, identity.name, identity.kind)
        links = await self.client.why(identity.number)
        return ReachedChat(identity.number, identity.contact_id or (links[0].contact_id if links else ""), named)

    async def ids_of(self, target: ReachedChat) -> frozenset[str]:
        """Return the ids that a chat has had in all logins."""
        if isinstance(target.to, str):
            return frozenset((target.to,))
        return frozenset(link.contact_id for link in await self.client.why(target.to))

    async def named(self, chat: str) -> NamedChat:
        """Return the chat with an id of any login, with its number."""
        if chat == FILEHELPER:
            return FILEHELPER_CHAT
        with contextlib.suppress(InvalidRequest):  # no list of contacts has it
            identity = await self.client.who(chat)
            return named_chat(identity.number, identity.name, identity.kind)
        known = (await self.client.find_people([chat])).get(chat)
        return named_chat(0, "" if known is None else known.display_name, "person")

    async def message(self, message_id: str) -> Message | MessageRecalled | Outgoing:
        """
        Return a message or a send that the agent may see, by the platform's id.

        Raises:
            ToolRefused: There is none, or the agent does not see its chat.
        """
        event: Event | Outgoing | None = await self.client.find_message(message_id)
        if not isinstance(event, (Message, MessageRecalled)):
            event = await self.client.find_send(message_id=message_id)
        is_seen = event is not None and (await self.allowed()).sees(event.chat)
        if event is None or not is_seen:
            raise ToolRefused(
                "There is no message with this id among those that you may read.", code="not-found",
                is_hidden=event is not None,
            )  # fmt: skip
        return event

    async def position(self) -> int:
        """Return the number of the newest event."""
        number, before = 0, ""
        while not number:  # the newest entries may be sends
            page = await self.client.history_page(limit=_NEWEST, before=before)
            number = max((each.entry.number for each in page.entries if isinstance(each.entry, Event)), default=0)
            if page.before is None:
                break
            before = page.before
        while events := await self.client.read_events(number, limit=_EVENTS):  # notices and the like are no history
            number = events[-1].number
        return number

    # -- changes -------------------------------------------------------------------------------------------------------

    @staticmethod
    def new_key() -> str:
        """Return a key for a send to which the agent has given none."""
        return secrets.token_hex(8)

    def key_of(self, idempotency_key: str) -> str:
        """Return the key in the outbox of a send of the agent."""
        return f"{self._prefix}{idempotency_key}"

    def idempotency_key_of(self, key: str) -> str:
        """Return the idempotency key of a send of the agent, by its key in the outbox."""
        return key.removeprefix(self._prefix)

    def is_own_key(self, key: str) -> bool:
        """Return whether a key in the outbox is that of a send of the agent."""
        return key.startswith(self._prefix)

    async def send(
        self, tool: str, to: ReachedChat, key: str, content: ToSend, *, is_accepted: bool = False
    ) -> SendReceipt:
        """
        Make a send that counts, and wait for its outcome; it goes on if the caller leaves.

        Args:
            tool: Name of the tool, for the audit log.
            to: The recipient.
            key: Key of the send in the outbox.
            content: What is sent; the caption of a file is a send of its own.
            is_accepted: Whether the owner has accepted it together with an earlier send.

        Raises:
            ToolRefused: A limit is reached; or the owner has not accepted it; or there is no outcome yet.
            SendOutcomeUnknown: It may have been sent.
            WxError: It was not sent.
        """
        known = await self.client.find_send(key=key)
        is_for_others = self.consent is not None and to.to != FILEHELPER and not is_accepted
        if is_for_others and await self._accepted(tool, to, key, content, known):
            is_accepted = True
        if not is_accepted and (known is None or known.state in {"queued", "failed"}):
            await self.budget.take()
        position = await self.position()
        sending = self._by_its_row(self._made(to, content, key), key)
        try:
            receipt = await self.finished(self._audited(tool, to.chat, sending), key)
        finally:
            if is_for_others:
                await self._note_stored(key)
        return SendReceipt(
            message_id=receipt.message_id, to=to.chat, time=time_text(receipt.time),
            idempotency_key=key.removeprefix(self._prefix), position=position,
        )  # fmt: skip

    async def _made(self, to: ReachedChat, content: ToSend, key: str) -> Receipt:
        """Make a send to the person or chatroom of the user to whom the lists belong."""
        recipient = to.to
        if isinstance(recipient, int):
            recipient = await id_for_user(self.client, recipient, self._permissions.user)
        return await send(self.account, recipient, content, key=key)

    async def _by_its_row(self, work: Coroutine[Any, Any, Receipt], key: str) -> Receipt:
        """
        Make a send; if it fails, its row in the outbox says whether it may have been made, and not the error alone.

        An error may be that of an upload before the send, or that of the storage after it.
        """
        try:
            return await work
        except (InvalidRequest, ApiError, NotLoggedIn, RateLimitReached):
            raise  # nothing was sent
        except WxError as error:
            state = "unknown"  # also if the row cannot be read
            with contextlib.suppress(StorageError):
                row = await self.client.find_send(key=key)
                state = "none" if row is None else row.state
            if isinstance(error, SendOutcomeUnknown) and state == "queued":
                raise ConnectFailed("The connection failed before the message was sent; nothing was sent.") from error
            if not isinstance(error, SendOutcomeUnknown) and state in {"sending", "unknown", "sent"}:
                raise SendOutcomeUnknown(str(error)) from error
            raise

    async def _accepted(
        self, tool: str, to: ReachedChat, key: str, content: ToSend, known: Outgoing | None
    ) -> bool:  # fmt: skip
        """
        Return whether the owner has accepted a send; False if it was stored when no consent was needed.

        Raises:
            ToolRefused: The owner has not, or not yet.
        """
        assert self.consent is not None  # noqa: S101 - for the type checker
        wanted = (await wanted_send(key, to.to, to.chat, content))._replace(user=self._permissions.user)
        if await self.consent.find(key) is None:
            if known is not None and known.state not in {"queued", "failed"}:
                return False
            await self.budget.take()
            await self._audit(tool, str(to.chat.number), "waiting_for_owner")
        await self.consent.require(wanted, is_stored=known is not None)
        return True

    async def _note_stored(self, key: str) -> None:
        """Store that an accepted send is in the outbox; if this fails, the outbox still has it."""
        assert self.consent is not None  # noqa: S101 - for the type checker
        with contextlib.suppress(WxError):
            if await self.client.find_send(key=key) is not None:
                await self.consent.note_stored(key)

    async def question(self, key: str) -> Confirmation | None:
        """Return the question to the owner about a send, and its answer; None if the owner was not asked."""
        return None if self.consent is None else await self.consent.find(key)

    async def is_question(self, row: Outgoing) -> bool:
        """Return whether a send is a question to the owner about a send of the agent, also without its key."""
        return self.consent is not None and await self.consent.is_question(self.client, row)

    async def finished(self, work: Coroutine[Any, Any, Receipt], key: str) -> Receipt:
        """
        Return the result of a send as soon as it has one.

        Raises:
            ToolRefused: It has none yet.
        """
        task = asyncio.get_running_loop().create_task(work)
        self._sending.add(task)
        task.add_done_callback(self._sending.discard)
        task.add_done_callback(lambda done: done.cancelled() or done.exception())  # perhaps after the caller has left
        await asyncio.wait([task], timeout=SEND_WAIT)
        if task.done():
            return task.result()
        row = await self.client.find_send(key=key)
        raise not_finished(is_begun=row is not None and row.state == "sending")

    async def audited(self, tool: str, chat: NamedChat | None, work: Awaitable[None]) -> None:
        """Make another change, of a chat or of the account, and store it in the audit log."""
        await self._audited(tool, chat, work)

    async def _audited(self, tool: str, chat: NamedChat | None, work: Awaitable[Any]) -> Any:
        outcome = "done"
        try:
            return await work
        except (GatewayProblem, WxError) as error:
            outcome = code_of_failure(error)
            raise
        except BaseException as error:
            outcome = type(error).__name__
            raise
        finally:
            await self._audit(tool, "" if chat is None else str(chat.number or FILEHELPER), outcome)

    async def note_refusal(self, tool: str, code: str, *, may_repeat: bool = False) -> None:
        """
        Store in the audit log that the agent tried what its owner has not allowed.

        Args:
            tool: Name of the tool, or of the request.
            code: Name of the kind of failure.
            may_repeat: Whether nothing limits how often the agent tries, as for reads; then it is noted once a minute.
        """
        now = self.clock()
        if may_repeat and abs(now - self._noted.get((tool, code), 0)) < _NOTE_EVERY:
            return
        if may_repeat:
            self._noted[tool, code] = now
        await self._audit(tool, "", code)

    @property
    def is_sending(self) -> bool:
        """Whether sends are in progress."""
        return bool(self._sending)

    async def close(self) -> None:
        """Wait for the sends in progress, for some seconds."""
        if self._sending:
            await asyncio.wait(set(self._sending), timeout=_LAST_SENDS)
        for task in self._sending:
            task.cancel()


def target_of(listed: AllowedChat) -> ReachedChat:
    """Return a listed chat as the chat of a call."""
    if FILEHELPER in listed.ids:
        return _FILEHELPER
    chat = named_chat(listed.number, listed.name, listed.kind)
    return ReachedChat(listed.number, next(iter(sorted(listed.ids)), ""), chat)


def time_text(time: float) -> str:
    """Return a time in seconds since 1970 as RFC 3339."""
    return moment(time).isoformat(timespec="seconds")
