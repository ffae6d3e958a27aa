"""Fields of events, and of the values inside them, that are not shown, each with its reason."""

from __future__ import annotations

import typing
from collections.abc import Iterator
from typing import Any

import msgspec

from webwx.model.events import AnyEvent
from webwx.model.messages import Event

HIDDEN = {
    "Contact.attr_status": "bits without a known meaning",
    "Contact.avatar_key": "a key of the platform",
    "Contact.uin": "a number that names the account at the platform, also after the login",
    "FileMessage.encrypted_name": "a part of the file's address at the platform",
    "FileMessage.media_id": "downloads and forwards the file",
    "FriendRequest.scene": "a number of the platform that only its own clients need",
    "FriendRequest.ticket": "accepts the request",
    "HistoryMessage.record": "XML as delivered, with the keys of media",
    "LocationMessage.original": "XML as delivered",
    "Message.content": "as delivered, with the keys of media and the tickets of requests",
    "MessageRecalled.content": "as delivered",
    "PhoneActivity.real_ids": "name people also after the login",
    "QuarantinedMessage.raw": "as delivered; it may contain anything",
    "Quoted.content": "as delivered, with the keys of media",
    "SystemMessage.real_ids": "name people also after the login",
}

EVENTS: tuple[type[Event], ...] = typing.get_args(AnyEvent)


def classes_of(kind: Any) -> Iterator[type[msgspec.Struct]]:
    """Yield the structs in a type, and in the types of their fields."""
    if isinstance(kind, type) and issubclass(kind, msgspec.Struct):
        yield kind
        for field in msgspec.structs.fields(kind):
            yield from classes_of(field.type)
    for each in typing.get_args(kind):
        yield from classes_of(each)


def name_of(kind: type, field: str) -> str:
    """Return a field with the class that defines it, such as `Message.content` for `TextMessage`."""
    return f"{next(each.__name__ for each in kind.__mro__ if field in each.__annotations__)}.{field}"


def is_hidden(kind: type, field: str) -> bool:
    """Return whether a field is in the list."""
    return name_of(kind, field) in HIDDEN


MARKS = ("marker", 918_273_645)
"""A text and a number that occur nowhere else."""


def marked(value: Any) -> Any:
    """Return a value whose hidden fields contain a marker, at any depth, and whose other fields are as they were."""
    match value:
        case msgspec.Struct():
            kind = type(value)
            fields = {name: getattr(value, name) for name in kind.__struct_fields__}
            return kind(
                **{name: _mark(each) if is_hidden(kind, name) else marked(each) for name, each in fields.items()}
            )
        case tuple():
            return tuple(marked(each) for each in value)
        case _:
            return value


def _mark(value: Any) -> Any:
    return MARKS[0] if isinstance(value, str) else MARKS[1] if isinstance(value, int) else (MARKS[0],)
