"""
The question to the owner in File Transfer Helper, and the answer from the phone.

An answer is a text that the owner wrote on the phone. One that webwx has sent is found in the outbox by the id of the
message, never by its content, because a program could send any text to File Transfer Helper.
"""

from __future__ import annotations

import re
import unicodedata
from typing import TYPE_CHECKING, Literal, NamedTuple

import msgspec

from webwx.errors import LoggedOut
from webwx.gateway.adapters.confirmation import CONFIRMATION_KEYS, LIFE
from webwx.model.contacts import FILEHELPER
from webwx.model.messages import TextMessage

if TYPE_CHECKING:
    from webwx.client.client import AsyncClient
    from webwx.gateway.accounts.account_events import AccountEvent
    from webwx.gateway.adapters.confirmation import Confirmation
    from webwx.gateway.adapters.confirmed_account import ConfirmedAccount
    from webwx.gateway.adapters.program import Program
    from webwx.gateway.adapters.stored_confirmations import StoredConfirmations
    from webwx.storage.tables.outbox import Outgoing

_ANSWER = re.compile(r"\s*([yn])\s*([0-9]{4}|[0-9]{6})\s*", re.IGNORECASE)

_SHORT = 500
"""Maximum number of characters of a text that the question shows."""

_SHORT_NAME = 40
"""Maximum number of characters of a name in it."""

_RECENT = 1_000
"""Number of sends to File Transfer Helper of which one may be the answer."""


class TypedAnswer(NamedTuple):
    """What a text of the owner says."""

    is_yes: bool
    code: str


def read_answer(text: str) -> TypedAnswer | None:
    """Return what a text answers: `y CODE` or `n CODE`, also in full-width characters; None: it is no answer."""
    found = _ANSWER.fullmatch(unicodedata.normalize("NFKC", text))
    return None if found is None else TypedAnswer(found[1].lower() == "y", found[2])


def question_of(confirmation: Confirmation, program: str) -> str:
    """
    Return the question to the owner, in English and Chinese.

    What other people or the program have chosen stands in quotation marks on one line, or behind a mark on each line,
    so none of it looks like a part of the question.
    """
    kind = "chatroom" if confirmation.is_group else "person"
    number = f", number {confirmation.to}" if isinstance(confirmation.to, int) else ""
    kind_zh = "群聊" if confirmation.is_group else "联系人"
    number_zh = f"（编号 {confirmation.to}）" if number else ""
    code, minutes = confirmation.code, f"{LIFE / 60:.0f}"
    by, name = _line(program), _line(confirmation.name)
    lines = [
        f"“{by}” wants to send to the {kind} “{name}”{number}.",
        f"Write y {code} to send it, or n {code} to refuse it, within {minutes} minutes.",
        f"“{by}”想发给{kind_zh}“{name}”{number_zh}：回复 y {code} 发送，n {code} 拒绝，{minutes} 分钟内有效。",
    ]
    match confirmation.kind:
        case "text":
            what = "Text"
        case "forward":
            what = "Forwarded message"
        case kind:
            lines.append(f"{kind.capitalize()} “{_line(confirmation.file)}”, {confirmation.size} bytes")
            what = "Caption"
    text = confirmation.text
    if text:
        lines.append(f"{what} ({len(text)} characters):")
        lines += [f"> {_printable(line)}" for line in text[:_SHORT].splitlines()]
        if len(text) > _SHORT:
            lines.append(f"… {len(text) - _SHORT} more characters, which the console shows")
    return "\n".join(lines)


def _line(text: str) -> str:
    shown = _printable(" ".join(text.split())).replace("“", '"').replace("”", '"')
    return shown if len(shown) <= _SHORT_NAME else f"{shown[:_SHORT_NAME]}…"


def _printable(text: str) -> str:
    return "".join(each if each.isprintable() else " " for each in text)


class OwnerAnswers:
    """
    Asks the owner of an account, and takes the answers.

    Args:
        stored: The confirmations.
    """

    def __init__(self, stored: StoredConfirmations) -> None:
        self._stored = stored

    def __repr__(self) -> str:
        return "OwnerAnswers()"

    async def ask(self, program: Program, account: ConfirmedAccount, confirmation: Confirmation) -> Confirmation:
        """
        Write the question to the owner, unless it is written, and return the confirmation as it is then.

        Raises:
            LoggedOut: There is no login, so the owner cannot be asked.
            WxError: The question cannot be stored.
        """
        if confirmation.state != "preparing":
            return confirmation
        if (await account.status()).state == "logged_out":
            raise LoggedOut(
                "The login of this account has ended, so its owner cannot be asked; log in again.",
                reason="restored_session_expired",
            )
        text = question_of(confirmation, program.stored.name)
        row = await account.sends.store_text(FILEHELPER, text, key=question_key(confirmation))
        return await self.note_asked(confirmation, row.created_at)

    async def note_asked(self, confirmation: Confirmation, time: float) -> Confirmation:
        """Store that a question was asked, unless this is stored, and return the confirmation."""

        def asked(stored: Confirmation) -> Confirmation:
            if stored.state != "preparing":
                return stored
            return msgspec.structs.replace(stored, state="waiting", asked_at=time)

        return await self._stored.change(confirmation, asked)

    async def note_found(self, client: AsyncClient, confirmation: Confirmation) -> Confirmation:
        """Store that a question was asked, if a process has died between the question and its record."""
        if confirmation.state != "preparing":
            return confirmation
        row = await client.find_send(key=question_key(confirmation))
        return confirmation if row is None else await self.note_asked(confirmation, row.created_at)

    async def take(
        self, program: Program, account: ConfirmedAccount, account_event: AccountEvent
    ) -> Confirmation | None:
        """
        Take an event of the account, and return the confirmation that it has decided; None if it decides none.

        The event may have been taken before.

        Raises:
            WxError: It is to be taken again later.
        """
        event = account_event.event
        if not (isinstance(event, TextMessage) and event.chat == FILEHELPER and event.is_self):
            return None
        answer = read_answer(event.text)
        found = None if answer is None else await self._stored.of_code(account.number, answer.code)
        if answer is None or found is None or found.program != program.id:
            return None
        if found.decided_by == event.message_id and found.state != "accepted":
            return None  # this answer was taken before, and what followed is done
        client = account.client
        found = await self.note_found(client, found)
        writer = await _writer_of(client, event, found.asked_at)
        if writer == "webwx":
            return None
        if found.state == "waiting" and writer == "unknown":
            await self._say(account, event, _NOT_COUNTED)
            return None
        decided = await self.decide(
            found, is_yes=answer.is_yes, by=event.message_id, is_in_time=found.in_time(event.time)
        )
        if decided.decided_by != event.message_id:
            await self._say(account, event, f"{answer.code}: {_TOO_LATE.get(decided.state, _ANSWERED)}")
            return None
        return decided

    async def decide(
        self, confirmation: Confirmation, *, is_yes: bool, by: str, is_in_time: bool = True
    ) -> Confirmation:
        """
        Store the answer to a question, unless it has one, and return the confirmation.

        Args:
            confirmation: The confirmation.
            is_yes: Whether the owner wants the send.
            by: Id of the message with the answer, or `console`.
            is_in_time: Whether the answer was given in time.
        """

        def decided(stored: Confirmation) -> Confirmation:
            if stored.state != "waiting":
                return stored
            if not is_in_time:
                return msgspec.structs.replace(stored, state="expired")
            return msgspec.structs.replace(stored, state="accepted" if is_yes else "refused", decided_by=by)

        return await self._stored.change(confirmation, decided)

    async def _say(self, account: ConfirmedAccount, event: TextMessage, text: str) -> None:
        await account.sends.enqueue(FILEHELPER, text, key=f"{CONFIRMATION_KEYS}answer-{event.message_id}")


_NOT_COUNTED = (
    "Not counted: webwx has sent something here whose outcome is not known. Answer in the console instead. "
    "未计入：webwx 在这里发的一条消息结果未知，请在控制台里回答。"
)

_ANSWERED = "this send was answered before; nothing has changed. 这次发送已经回答过，没有变化。"

_TOO_LATE = {"expired": "the ten minutes are over; nothing was sent. 已超过十分钟，没有发送。"}


async def _writer_of(client: AsyncClient, event: TextMessage, since: float) -> Literal["owner", "webwx", "unknown"]:
    """
    Return who wrote a text to File Transfer Helper: the owner on the phone, or webwx.

    It is unknown as long as a send since a time may be the text, because its receipt was lost. A send before the
    question cannot hold its code, and a text that is no answer cannot be one, such as the question itself.

    One look at the outbox decides both: the message may come back, and settle its send, at any moment.
    """
    while not await client.was_sent_here(event):  # waits for sends in progress
        sends = await client.list_sends(chat=FILEHELPER, limit=_RECENT)
        if any(each.state == "sending" for each in sends):
            continue
        if any(each.receipt is not None and each.receipt.message_id == event.message_id for each in sends):
            break
        return "unknown" if any(_has_lost_answer(each, since) for each in sends) else "owner"
    return "webwx"


def _has_lost_answer(send: Outgoing, since: float) -> bool:
    """Return whether a send since a time may be an answer, and the id of its message is not known."""
    is_answer = send.kind != "text" or read_answer(send.text) is not None
    is_lost = send.state == "unknown" or (
        send.state == "sent" and (send.receipt is None or send.receipt.is_unknown)
    )  # fmt: skip
    return send.created_at >= since - 1 and is_answer and is_lost


def question_key(confirmation: Confirmation) -> str:
    """Return the key of the question in the outbox."""
    return f"{CONFIRMATION_KEYS}question-{confirmation.program}-{confirmation.id}"
