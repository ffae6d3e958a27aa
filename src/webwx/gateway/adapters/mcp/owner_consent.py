"""The consent of the owner to a send of an agent."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from webwx.gateway.adapters.confirmation import SendToConfirm
from webwx.gateway.adapters.mcp.failures import ToolRefused
from webwx.gateway.adapters.mcp.served_account import AgentFile, AgentForward, AgentText, kind_of
from webwx.gateway.adapters.owner_answers import question_key
from webwx.gateway.adapters.stored_confirmations import MOST_OPEN, TooManyOpen
from webwx.model.summary import summarize_event
from webwx.representations.times import moment

if TYPE_CHECKING:
    from webwx.client.client import AsyncClient
    from webwx.gateway.adapters.confirmation import Confirmation
    from webwx.gateway.adapters.confirmations import Confirmations
    from webwx.gateway.adapters.mcp.served_account import ToSend
    from webwx.gateway.adapters.mcp.tool_values import NamedChat
    from webwx.gateway.adapters.program import Program
    from webwx.storage.tables.outbox import Outgoing

CLIENT = "client"
"""Who has answered a question that the agent's client has asked."""

_ASK_AGAIN = "A call with another idempotency_key asks again."


class ClientMustAsk(ToolRefused):
    """
    The person at the agent's client has to be asked about a send first.

    Args:
        key: Key of the send in the outbox.
        question: What the person is asked.
    """

    def __init__(self, key: str, question: str) -> None:
        super().__init__(
            "Nothing was sent: the owner has to accept this send in your client, and your client cannot ask. The owner "
            "can choose to be asked on the phone instead.",
            code="client-cannot-ask", outcome="not_allowed",
        )  # fmt: skip
        self.key = key
        self.question = question


class OwnerConsent:
    """
    Asks the owner about the sends of one agent.

    Args:
        confirmations: The questions.
        program: The program that is the agent.
        is_at_client: Whether the agent's client asks, and not webwx on the phone.
    """

    def __init__(self, confirmations: Confirmations, program: Program, *, is_at_client: bool = False) -> None:
        self._confirmations = confirmations
        self._program = program
        self._is_at_client = is_at_client

    def __repr__(self) -> str:
        return f"OwnerConsent({self._program!r})"

    @property
    def program_id(self) -> str:
        """Id of the program that is the agent."""
        return self._program.id

    async def find(self, key: str) -> Confirmation | None:
        """Return the question about a send by its key; None if the owner was not asked."""
        return await self._confirmations.stored.find(self._program.id, key)

    async def is_question(self, client: AsyncClient, row: Outgoing) -> bool:
        """Return whether a send is one of the questions, also of a client that does not get its key."""
        for each in await self._confirmations.stored.list(self._program.id):
            asked = await client.find_send(key=question_key(each))
            if asked is not None and asked.number == row.number:
                return True
        return False

    async def answer(self, key: str, *, is_yes: bool) -> None:
        """Store what the person at the client has answered about a send, unless there is an answer."""
        found = await self.find(key)
        if found is not None and self._is_at_client:
            await self._confirmations.decide(found, is_yes=is_yes, by=CLIENT)

    async def note_stored(self, key: str) -> None:
        """Store that an accepted send is in the outbox."""
        found = await self.find(key)
        if found is not None:
            await self._confirmations.stored.change(
                found, lambda each: msgspec.structs.replace(each, state="made") if each.state == "accepted" else each
            )

    async def require(self, send: SendToConfirm, *, is_stored: bool) -> None:
        """
        Ask about a send, unless this is done, and return if the owner has accepted it and it is stored.

        Args:
            send: The send.
            is_stored: Whether the outbox has a send with its key.

        Raises:
            ToolRefused: The owner has not accepted it, or not yet; or the question was about another send.
            ClientMustAsk: The agent's client has to ask.
            LoggedOut: There is no login, so the owner cannot be asked.
        """
        try:
            ask = self._confirmations.open if self._is_at_client else self._confirmations.ask
            found = await ask(self._program, send)
        except TooManyOpen:
            raise ToolRefused(
                f"{MOST_OPEN} sends wait for the owner already; nothing was sent.", code="too-many-waiting",
                outcome="too_many",
            ) from None  # fmt: skip
        if found.digest != send.digest:
            raise ToolRefused(
                "The key belongs to another send, about which the owner was asked; nothing was sent. Use a new key.",
                code="key-reused",
            )  # fmt: skip
        match found.state:
            case "made" | "accepted" | "failed" if is_stored:  # failed: it was made, and then another user logged in
                return
            case "accepted" if self._is_at_client:
                return  # this call makes the send
            case "made":
                raise ToolRefused("The owner accepted this send, and it was made before.", code="already-made")
            case "refused":
                raise ToolRefused("The owner refused this send; nothing was sent.", code="refused-by-owner")
            case "expired":
                raise ToolRefused(
                    f"The owner did not answer within ten minutes; nothing was sent. {_ASK_AGAIN}",
                    code="confirmation-expired",
                )  # fmt: skip
            case "failed":
                raise ToolRefused(
                    "The owner accepted this send, but it could not be made, and nothing was sent. "
                    f"{found.failure.text} {_ASK_AGAIN}",
                    code="confirmed-send-failed",
                )  # fmt: skip
            case "accepted":
                self._confirmations.look(self._program)
                raise ToolRefused(
                    "The owner has accepted the send, and the gateway will make it; ask find_send later.",
                    code="queued", outcome="queued",
                )  # fmt: skip
            case _ if self._is_at_client:
                raise ClientMustAsk(send.key, _question(found))
            case _:
                until = moment(found.expires_at).isoformat(timespec="seconds")
                raise ToolRefused(
                    f"Nothing was sent. The owner was asked on the phone, and can answer until {until}; then the "
                    "gateway makes the send by itself. Ask find_send with this idempotency_key for the decision.",
                    code="waiting-for-owner", outcome="waiting_for_owner",
                )  # fmt: skip


def _question(found: Confirmation) -> str:
    """Return what the person at the client is asked."""
    kind = "chatroom" if found.is_group else "person"
    content = ", ".join(filter(None, (found.file, found.text)))
    return f"Send to the {kind} {found.name!r} (number {found.to})?\n\n{content}"


async def wanted_send(key: str, to: str | int, chat: NamedChat, content: ToSend) -> SendToConfirm:
    """Return a send of an agent as the owner is asked about it."""
    wanted = SendToConfirm(key, to, chat.name, is_group=chat.kind == "chatroom", kind="text", text="")
    match content:
        case AgentText(text):
            return wanted._replace(text=text)
        case AgentFile(file, name, caption):
            read = await asyncio.to_thread(file.read_bytes) if isinstance(file, Path) else file
            return wanted._replace(kind=kind_of(read), content=read, file=name, text=caption)
        case AgentForward(event):
            return wanted._replace(kind="forward", event=event.number, text=summarize_event(event))
