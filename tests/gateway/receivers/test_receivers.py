"""Receivers as records: tokens in the form of each vendor, hashed."""

from __future__ import annotations

import re
import uuid

import pytest

from webwx.errors import InvalidRequest
from webwx.gateway.notify.registry import RECEIVERS, candidates
from webwx.gateway.receivers.receivers import Receivers, StoredReceiver, address_of, digest_of, is_weak, new_token
from webwx.storage.open import open_records


@pytest.mark.parametrize("kind", RECEIVERS)
def test_the_address_of_a_kind_is_one_of_its_routes(kind: str) -> None:
    token = new_token(kind)
    path = address_of(kind, token).partition("?")[0]
    assert candidates("POST", path, [kind])
    assert len(token) >= 32


@pytest.mark.parametrize(("kind", "token"), [("slack", "chosen-by-the-owner"), ("discord", "{token}")])
def test_a_token_without_the_parts_of_the_vendors_path_has_the_path_that_every_kind_has(kind: str, token: str) -> None:
    assert address_of(kind, token) == f"/hooks/{kind}/{token}"


def test_tokens_have_the_forms_that_clients_check() -> None:
    assert uuid.UUID(new_token("wecom"))
    assert re.fullmatch(r"SCT\d{6}T\w{24}", new_token("serverchan"))
    assert re.fullmatch(r"T[A-Z0-9]{8}/B[A-Z0-9]{7}/?\w{24,}|T[A-Z0-9]{8}/B[A-Z0-9]{8}/\w{24}", new_token("slack"))
    assert digest_of("T1/B2/x3") == digest_of("T1B2x3")


async def test_a_change_by_another_process_is_read_after_a_second() -> None:
    records, now = open_records("memory:"), [100.0]
    one, other = (Receivers(records, lambda: now[0]) for _ in range(2))
    template = StoredReceiver(id="", name="n", kind="json", account=1, digest="", created_at=0)
    made = await one.create(template)
    assert await other.find_by_token("json", [made.token]) is not None
    assert await other.find_by_token("ntfy", [made.token]) is None
    assert await one.delete(made.receiver.id)
    now[0] += 1
    assert await other.find_by_token("json", [made.token]) is None
    assert await one.rotate(made.receiver.id) is None


@pytest.mark.parametrize(
    "token",
    [
        "a" * 20,
        "abcabcabcabcabcabcabcabc",
        "12345678901234567890",
        "abcdefghijklmnopqrstuvwxyz",
        "0123456789012345678901",
    ],
)
def test_a_token_that_is_easy_to_guess_is_weak(token: str) -> None:
    assert is_weak(token)


@pytest.mark.parametrize("kind", RECEIVERS)
def test_a_random_token_and_a_phrase_are_not_weak(kind: str) -> None:
    assert not any(is_weak(new_token(kind).replace("/", "")) for _ in range(200))
    assert not is_weak("token-of-the-tutorial")


@pytest.mark.parametrize("number", [0, 61])
async def test_a_rate_outside_of_one_to_sixty_messages_a_minute_is_refused(number: int) -> None:
    receivers = Receivers(open_records("memory:"), lambda: 1000.0)
    template = StoredReceiver(
        id="", name="n", kind="json", account=1, digest="", created_at=0, messages_per_minute=number
    )
    with pytest.raises(InvalidRequest, match="a number from 1 to 60"):
        await receivers.create(template)


async def test_a_weak_token_is_refused() -> None:
    receivers = Receivers(open_records("memory:"), lambda: 1000.0)
    template = StoredReceiver(id="", name="n", kind="json", account=1, digest="", created_at=0)
    with pytest.raises(InvalidRequest, match="easy to guess"):
        await receivers.create(template, "a" * 20)
