"""Receivers over the API: created, changed, tested and deleted; their tokens and secrets are never shown again."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from webwx.gateway.accounts.journal_lookup import user_of
from webwx.gateway.notify.registry import RECEIVERS
from webwx.representations.receivers import RECEIVER_KINDS

if TYPE_CHECKING:
    import httpx
    from tests.gateway.conftest import Running


async def created(client: httpx.AsyncClient, **fields: Any) -> dict[str, Any]:
    answer = await client.post("/api/v1/receivers", json={"name": "n", "kind": "json", "account": 1, **fields})
    assert answer.status_code == 201, answer.text
    made: dict[str, Any] = answer.json()
    return made


async def test_a_receiver_shows_its_token_once(online: Running) -> None:
    async with online.client("receivers") as client:
        made = await created(client, kind="github", secret="a secret of mine")
        assert made["path"] == made["hook"] == f"/hooks/github/{made['token']}"
        shown = (await client.get(f"/api/v1/receivers/{made['receiver']['id']}")).text
        listed = (await client.get("/api/v1/receivers")).text
    for text in (shown, listed, repr(await online.gateway.receivers.find())):
        assert made["token"] not in text
        assert "a secret of mine" not in text
    assert '"has_secret":true' in shown.replace(" ", "")


async def test_a_receiver_is_changed_and_deleted(online: Running) -> None:
    async with online.client("receivers") as client:
        path = f"/api/v1/receivers/{(await created(client))['receiver']['id']}"
        changed = await client.patch(path, json={"name": "m", "messages_per_minute": 2})
        assert (changed.json()["name"], changed.json()["kind"]) == ("m", "json")
        assert changed.json()["rule"] == "at most 2 messages in 60 s, the rest as one digest"
        assert (await client.delete(path)).status_code == 204
        assert (await client.get(path)).status_code == 404


async def test_a_new_token_replaces_the_old_one(online: Running) -> None:
    async with online.client("receivers") as client, online.anonymous() as sender:
        made = await created(client)
        renewed = (await client.post(f"/api/v1/receivers/{made['receiver']['id']}/rotate")).json()
        assert (await sender.post(made["hook"], json={"text": "a"})).status_code == 401
        assert (await sender.post(renewed["hook"], json={"text": "a"})).status_code == 200


async def test_a_test_sends_a_message(online: Running) -> None:
    async with online.client("receivers") as client:
        made = await created(client)
        answer = await client.post(f"/api/v1/receivers/{made['receiver']['id']}/test")
    assert (answer.status_code, answer.json()) == (200, {"waiting": 0})
    assert [row.text for row in await online.port.account(1).client.list_sends()] == ["🔔 Test: this receiver works."]


@pytest.mark.parametrize(
    ("fields", "status"),
    [
        ({"kind": "none"}, 422),
        ({"template": "{% if %}"}, 422),
        ({"zone": "Nowhere"}, 422),
        ({"messages_per_minute": 0}, 422),
        ({"token": "short"}, 422),
        ({"secret": "s", "kind": "wecom"}, 422),
        ({"secret": "not-of-standard-webhooks"}, 422),
        ({"secret": "15 characters !", "kind": "github"}, 422),
        ({"account": 7}, 404),
        ({"name": ""}, 400),
        ({"surprise": 1}, 400),
    ],
)
async def test_an_invalid_receiver_is_refused(online: Running, fields: dict[str, Any], status: int) -> None:
    async with online.client("receivers") as client:
        body = {"name": "n", "kind": "json", "account": 1, **fields}
        assert (await client.post("/api/v1/receivers", json=body)).status_code == status


async def test_a_token_is_used_once(online: Running) -> None:
    async with online.client("receivers") as client:
        token = "my-own-token-of-24-signs"
        assert (await created(client, token=token))["token"] == token
        body = {"name": "n", "kind": "ntfy", "account": 1, "token": token}
        assert (await client.post("/api/v1/receivers", json=body)).status_code == 422


async def test_a_key_reaches_the_receivers_of_its_accounts(online: Running) -> None:
    async with online.client("receivers") as client:
        receiver = (await created(client))["receiver"]["id"]
    other = (await online.port.add_account("other")).number
    async with online.client("receivers", accounts=(other,)) as client:
        assert (await client.get("/api/v1/receivers")).json() == {"receivers": []}
        for method, suffix in (("GET", ""), ("DELETE", ""), ("POST", "/test"), ("POST", "/rotate")):
            assert (await client.request(method, f"/api/v1/receivers/{receiver}{suffix}")).status_code == 404
        assert (await client.patch(f"/api/v1/receivers/{receiver}", json={"name": "x"})).status_code == 404
    async with online.client("read") as client:
        assert (await client.get("/api/v1/receivers")).status_code == 403


async def test_the_kinds_are_listed(online: Running) -> None:
    async with online.client("receivers") as client:
        assert "wecom" in (await client.get("/api/v1/receiver-kinds")).json()["kinds"]


async def test_a_named_recipient_is_that_of_the_present_user(running: Running) -> None:
    await running.port.add_account("default")
    fields = {"name": "n", "kind": "json", "account": 1}
    async with running.client("admin") as client:
        early = await client.post("/api/v1/receivers", json={**fields, "to": "Boss"})
        assert (await client.post("/api/v1/receivers", json={**fields, "to": 7})).status_code == 424
        await running.log_in()
        own = await client.post("/api/v1/receivers", json=fields)
        later = await client.post("/api/v1/receivers", json={**fields, "to": "Boss"})
    found = [await running.gateway.receivers.get(each.json()["receiver"]["id"]) for each in (early, own, later)]
    user = await user_of(running.port.account(1).client)
    assert [None if each is None else each.user for each in found] == [0, 0, user]


async def test_a_receiver_for_a_contact_needs_a_key_that_may_send_to_it(online: Running) -> None:
    fields = {"name": "n", "kind": "json", "account": 1}
    async with online.client("receivers") as client, online.client("receivers", "send") as sender:
        refused = await client.post("/api/v1/receivers", json={**fields, "to": "Boss"})
        assert (refused.status_code, refused.json()["code"]) == (403, "forbidden")
        own = (await client.post("/api/v1/receivers", json=fields)).json()["receiver"]["id"]
        other = (await sender.post("/api/v1/receivers", json={**fields, "to": "Boss"})).json()["receiver"]["id"]
        refusals = [
            await client.patch(f"/api/v1/receivers/{own}", json={"to": "Boss"}),
            await client.patch(f"/api/v1/receivers/{other}", json={"template": "x"}),
            await client.patch(f"/api/v1/receivers/{other}", json={"to": "filehelper"}),
            await client.post(f"/api/v1/receivers/{other}/rotate"),
            await client.post(f"/api/v1/receivers/{other}/test"),
        ]
        assert [answer.status_code for answer in refusals] == [403] * 5
        assert (await sender.post(f"/api/v1/receivers/{other}/test")).status_code == 200


def test_the_description_has_every_kind() -> None:
    assert sorted(RECEIVERS) == [*RECEIVER_KINDS]
