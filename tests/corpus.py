"""Real payloads of the live service and their decoded values: `recordings/corpus` and its index."""

from __future__ import annotations

import csv
import html
import json
import re
from pathlib import Path
from typing import Any, NamedTuple

from webwx.protocol.codes import MessageType
from webwx.protocol.messages import WireMessage

CORPUS = Path(__file__).parent / "recordings" / "corpus"


class Payload(NamedTuple):
    """One file of the corpus."""

    file: str
    """Its path below the corpus."""
    protocol: str
    """`web`, or `phone` where only other clients receive it."""
    expected: Any
    """The relevant part of its decoded value."""

    @property
    def kind(self) -> str:
        """The folder that holds it."""
        return self.file.partition("/")[0]

    @property
    def body(self) -> bytes:
        """The bytes of the payload."""
        return (CORPUS / self.file).read_bytes()

    @property
    def text(self) -> str:
        """The payload as text."""
        return self.body.decode()

    def __str__(self) -> str:
        return self.file


def _read_index() -> list[Payload]:
    with (CORPUS / "index.tsv").open(encoding="utf-8", newline="") as index:
        rows = csv.DictReader(index, delimiter="\t", quoting=csv.QUOTE_NONE)
        return [Payload(row["file"], row["protocol"], json.loads(row["expected"])) for row in rows]


PAYLOADS = _read_index()


def payloads(*kinds: str) -> list[Payload]:
    """Return all payloads of the given kinds."""
    return [payload for payload in PAYLOADS if payload.kind in kinds]


def said_of(actual: Any, expected: Any) -> Any:
    """Return those fields of a decoded value that the index names."""
    if isinstance(actual, dict) and isinstance(expected, dict):
        return {key: said_of(actual.get(key), value) for key, value in expected.items()}
    if isinstance(actual, list | tuple) and isinstance(expected, list) and len(actual) == len(expected):
        return [said_of(one, other) for one, other in zip(actual, expected, strict=True)]
    return actual


# -- contents without their messages ----------------------------------------------------------------------------------

ME = "@me"
"""The account that receives the contents."""

TYPES = {
    "app": MessageType.APP,
    "card": MessageType.CARD,
    "friendrequest": MessageType.FRIEND_REQUEST,
    "image": MessageType.IMAGE,
    "location": MessageType.TEXT,
    "statusnotify": MessageType.STATUS_NOTIFY,
    "sticker": MessageType.STICKER,
    "sysmsg": MessageType.RECALL,
    "video": MessageType.VIDEO,
    "voice": MessageType.VOICE,
    "voip": MessageType.CALL,
}
"""`MsgType` of a content by the name of its folder."""


def delivered(text: str) -> str:
    """
    Return a content in its delivered form: escaped, except for line breaks and emoji. Some payloads were published
    escaped.
    """
    if "<msg" not in text and "<sysmsg" not in text and "&lt;" in text:
        return text
    escaped = html.escape(text, quote=False)
    return re.sub(r'&lt;(br/|span class="emoji \w+"&gt;&lt;/span)&gt;', lambda it: html.unescape(it[0]), escaped)


def message_with(payload: Payload) -> WireMessage:
    """Return a message with a content, such as the platform may have delivered it in."""
    kind, _, number = payload.file.split("/")[1].partition("-")
    opened = re.search(r"""<op id=['"](\d+)""", payload.text)
    return WireMessage(
        msg_id="9223372036854775807",
        from_user_name="@@room" if "@chatroom:\n" in payload.text[:40] else "@peer",
        to_user_name=ME,
        msg_type=TYPES[kind],
        sub_msg_type=MessageType.LOCATION if kind == "location" else 0,
        app_msg_type=int(number) if kind == "app" else 0,
        status_notify_code=int(opened[1]) if kind == "statusnotify" and opened else 0,
        content=delivered(payload.text),
        create_time=1_560_000_000,
    )
