"""Fields of requests: their limits are the same in every body, and only those that are set are stored."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from webwx.representations.administration import KeyToCreate
from webwx.representations.fields import given_fields
from webwx.representations.incoming_files import IncomingFileRuleChange, IncomingFileRuleToCreate
from webwx.representations.receivers import ReceiverToCreate
from webwx.representations.webhooks import WebhookToCreate

REQUIRED: dict[type[msgspec.Struct], dict[str, Any]] = {
    KeyToCreate: {"scopes": []},
    ReceiverToCreate: {"kind": "json", "account": 1},
    WebhookToCreate: {"url": "https://h.example/"},
    IncomingFileRuleToCreate: {},
}


@pytest.mark.parametrize("kind", REQUIRED, ids=lambda kind: kind.__name__)
def test_a_name_has_1_to_100_characters(kind: type[msgspec.Struct]) -> None:
    msgspec.convert({"name": "n" * 100, **REQUIRED[kind]}, kind)
    for name in ("", "n" * 101):
        with pytest.raises(msgspec.ValidationError, match=r"\$\.name"):
            msgspec.convert({"name": name, **REQUIRED[kind]}, kind)


@pytest.mark.parametrize("kind", [WebhookToCreate, IncomingFileRuleToCreate], ids=lambda kind: kind.__name__)
def test_chats_and_accounts_are_limited_in_number(kind: type[msgspec.Struct]) -> None:
    fields = {"name": "n", **REQUIRED[kind]}
    msgspec.convert({**fields, "chats": ["c" * 200] * 50, "accounts": [1] * 1000}, kind)
    wrongs: tuple[dict[str, Any], ...] = (
        {"chats": ["c"] * 51},
        {"chats": ["c" * 201]},
        {"chats": [""]},
        {"accounts": []},
        {"accounts": [1] * 1001},
    )
    for wrong in wrongs:
        with pytest.raises(msgspec.ValidationError):
            msgspec.convert({**fields, **wrong}, kind)


def test_only_the_fields_that_are_set_are_stored() -> None:
    change = msgspec.convert({"accounts": None, "chats": ["a"], "max_bytes": 5}, IncomingFileRuleChange)
    assert given_fields(change) == {"accounts": None, "chats": ("a",), "max_bytes": 5}
