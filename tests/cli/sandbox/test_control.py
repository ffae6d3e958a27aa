"""The sandbox's control API from the command line."""

from __future__ import annotations

import click
import pytest
from tests.cli.conftest import Sandbox

from webwx.cli.exits import BadInput
from webwx.cli.sandbox.control import ask_phones


async def test_a_refusal_is_shown_with_the_sentence_of_the_sandbox(sandbox: Sandbox) -> None:
    with pytest.raises(BadInput, match="unknown"):
        await ask_phones(sandbox.url, "card", {"from": "阿华", "to": "me", "person": "unknown"})


async def test_lone_surrogates_are_replaced_at_any_depth(sandbox: Sandbox) -> None:
    sent = await ask_phones(
        sandbox.url, "history", {"from": "阿华", "to": "me", "title": "a\ud83d", "lines": ["\udc80"]}
    )
    inbox = await ask_phones(sandbox.url, "inbox?who=me")
    [text] = [
        message["text"] for chat in inbox["chats"] for message in chat["messages"]
        if message["message_id"] == sent["message_id"]
    ]  # fmt: skip
    assert text == "a\ufffd"


async def test_a_server_must_be_named() -> None:
    with pytest.raises(click.UsageError, match="--server"):
        await ask_phones(None, "inbox")
