"""
JSON of the values that this package returns: events, contacts, receipts, sends, identities and all others.

One rule for all. A struct is an object with its fields, in their order and under their names; of an event and a send
the first key is `type`, such as `message.text`. A time is a number of seconds since 1970, an enum is its value, and an
error is an object with `type` and `message`.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

import msgspec


def to_json(value: object) -> str:
    """
    Return a value as one line of JSON.

    Raises:
        TypeError: The value contains an object without a JSON form, such as a client.
    """
    try:
        return msgspec.json.encode(value, enc_hook=_plain).decode()
    except UnicodeEncodeError:  # half a surrogate pair, as the name of a file may hold
        import json

        text = json.dumps(to_builtins(value), ensure_ascii=False, separators=(",", ":"))
        return text.encode("utf-8", "backslashreplace").decode()


def to_builtins(value: object) -> Any:
    """
    Return a value in the form that `to_json` writes, as dicts, lists, texts and numbers.

    Raises:
        TypeError: The value contains an object without a JSON form, such as a client.
    """
    return msgspec.to_builtins(value, enc_hook=_plain)


def _plain(value: object) -> object:
    """Return the plain form of a value that is not a struct."""
    match value:
        case BaseException():
            return {"type": type(value).__name__, "message": str(value)}
        case msgspec.Raw():
            return msgspec.json.decode(value)
        case Collection():  # the contacts of a login
            return list(value)
        case _:
            raise TypeError(f"A {type(value).__name__} has no JSON form.")
