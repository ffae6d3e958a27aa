"""An installation that has something of everything, and what a program finds in it."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import msgspec
from tests.saved import LOGIN
from tests.storage import filled
from tests.storage.arrivals import UIN

from webwx.gateway.access.keys import KeyRing
from webwx.gateway.receivers.receivers import Receivers, StoredReceiver
from webwx.gateway.webhooks.webhooks import StoredWebhook, Webhooks
from webwx.storage.account_folder import LoginName
from webwx.storage.open import open_storage
from webwx.storage.saved_login import SavedLogin

if TYPE_CHECKING:
    import pytest

PASSPHRASE = "three words long"

NAME = LoginName("me", "wx.qq.com")

PICTURE = bytes(range(256))


async def fill(place: str) -> None:
    """Store a login, an account and values of the gateway in a folder or a database."""
    storage = open_storage(place, passphrase=PASSPHRASE, retention_days=0)
    await storage.login(NAME).save(SavedLogin(login=LOGIN))
    await filled.fill(storage.journal(NAME))
    records = storage.records()
    await KeyRing(records, time.time).create("reader", ["read", "send"])
    receiver = StoredReceiver(id="", name="servers", kind="alertmanager", account=UIN, digest="", created_at=0)
    await Receivers(records, time.time).create(receiver, "")
    await Webhooks(records, time.time).create(
        StoredWebhook(id="", name="n8n", url="https://example.org/", created_at=0, secret="")
    )
    await records.append_audit("cli", "key.create", target="1", time=1.75)
    await storage.close()


async def found(place: str) -> dict[str, Any]:
    """Return what a program finds in a folder or a database, as JSON has it."""
    storage = open_storage(place, passphrase=PASSPHRASE, retention_days=0)
    records = storage.records()
    values = {
        "login": await storage.login(NAME).load(),
        "account": await filled.contents(storage.journal(NAME).account(UIN)),
        "keys": await KeyRing(records, time.time).find(),
        "receivers": await Receivers(records, time.time).find(),
        "webhooks": await Webhooks(records, time.time).find(),
        "audit": await records.audit(),
    }
    await storage.close()
    return {name: as_json(value) for name, value in values.items()}


def as_json(value: object) -> Any:
    """Return a value as JSON has it: a struct as an object, and text of bytes, which need not be JSON or UTF-8."""
    match value:
        case msgspec.Struct():
            return {name: as_json(getattr(value, name)) for name in value.__struct_fields__}
        case dict():
            return {str(key): as_json(each) for key, each in value.items()}
        case list() | tuple() | set() | frozenset():
            return [as_json(each) for each in value]
        case msgspec.Raw() | bytes():
            return bytes(value).decode("utf-8", "backslashreplace")
        case None | bool() | int() | float() | str():
            return value
    return repr(value)


def use_small_picture(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make the archived picture small, as it is in the stored installations."""
    monkeypatch.setattr(filled, "PICTURE", PICTURE)
