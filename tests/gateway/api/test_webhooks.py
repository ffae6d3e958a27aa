"""Webhooks over the API: created, changed, rotated, tested and deleted; their secrets are shown once."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any

import pytest
from tests.gateway.webhook_receiver import Pauses, added, webhook_receiver

from webwx.gateway.webhooks.attempts import WebhookAttempt
from webwx.gateway.webhooks.request import PRIVATE_PAUSES

if TYPE_CHECKING:
    import httpx
    from tests.gateway.conftest import Running, StartGateway

WEBHOOKS = "/api/v1/webhooks"


async def created(client: httpx.AsyncClient, **fields: Any) -> dict[str, Any]:
    answer = await client.post(WEBHOOKS, json={"name": "n", "url": "https://h.example/", **fields})
    assert answer.status_code == 201, answer.text
    made: dict[str, Any] = answer.json()
    assert answer.headers["location"] == f"{WEBHOOKS}/{made['webhook']['id']}"
    return made


async def test_a_webhook_shows_its_secret_once(online: Running) -> None:
    async with online.client("webhooks") as client:
        made = await created(client, types=["message.*"], is_self=False)
        path = f"{WEBHOOKS}/{made['webhook']['id']}"
        renewed = (await client.post(f"{path}/rotate")).json()
        shown = [(await client.get(each)).text for each in (path, WEBHOOKS)]
    assert made["secret"] != renewed["secret"]
    assert all(secret not in text for secret in (made["secret"], renewed["secret"]) for text in shown)
    assert (made["webhook"]["state"], made["webhook"]["accounts"]) == ("active", None)


async def test_an_event_after_the_creation_is_sent_and_listed(online: Running) -> None:
    async with webhook_receiver() as receiver, online.client("admin") as client:
        made = await created(client, url=receiver.url, allow_private=True, types=["message.text"])
        path = f"{WEBHOOKS}/{made['webhook']['id']}"
        online.world.say("ahua", "me", "hello")
        request = await receiver.requests.get()
        tested = (await client.post(f"{path}/test")).json()
        listed = (await client.get(f"{path}/deliveries")).json()["deliveries"]
    assert request.event["data"]["text"] == "hello"
    assert (tested["type"], tested["status"], tested["delivered"], tested["answer"]) == ("webhook.test", 200, True, "")
    assert [each["event"] for each in listed] == [tested["event"], request.event["id"]]
    assert "hello" not in str(listed)


async def test_a_test_of_an_unreachable_address_has_a_reason(online: Running) -> None:
    async with webhook_receiver() as receiver:
        url = receiver.url
    async with online.client("admin") as client:
        made = await created(client, url=url, allow_private=True)
        path = f"{WEBHOOKS}/{made['webhook']['id']}"
        tested = (await client.post(f"{path}/test")).json()
        assert (await client.get(path)).json()["state"] == "active"
        assert (await client.get(f"{path}/deliveries")).json() == {"deliveries": [tested], "next": None}
    assert (tested["status"], tested["delivered"], tested["origin"]) == (None, False, "test")
    assert tested["error"]


async def test_deliveries_are_paged_and_survive_the_gateway(start_gateway: StartGateway) -> None:
    async with webhook_receiver() as receiver:
        async with start_gateway() as running, running.client("admin") as client:
            made = await created(client, url=receiver.url, allow_private=True)
            path = f"{WEBHOOKS}/{made['webhook']['id']}"
            for _ in range(3):
                await client.post(f"{path}/test")
        async with start_gateway() as running, running.client("webhooks") as client:
            first = (await client.get(f"{path}/deliveries", params={"limit": 2})).json()
            second = (await client.get(f"{path}/deliveries", params={"limit": 2, "before": first["next"]})).json()
    numbers = [each["number"] for each in (*first["deliveries"], *second["deliveries"])]
    assert (len(numbers), numbers) == (3, sorted(numbers, reverse=True))
    assert (first["next"], second["next"]) == (numbers[1], None)


async def test_the_next_attempt_is_shown(start_gateway: StartGateway) -> None:
    pauses = Pauses(lasts=True)
    async with webhook_receiver() as receiver, start_gateway(sleep=pauses) as running:
        receiver.answer = lambda _: "503 Later\r\nRetry-After: 60"
        await running.log_in()
        webhook = await added(running, receiver)
        running.world.say("ahua", "me", "hello")
        await pauses.begun.wait()
        async with running.client("webhooks") as client:
            (shown,) = (await client.get(f"{WEBHOOKS}/{webhook.id}/deliveries")).json()["deliveries"]
    begun, following = (datetime.fromisoformat(shown[name]) for name in ("time", "next_attempt_at"))
    assert (following - begun).total_seconds() == pytest.approx(60, abs=1)
    assert (shown["status"], shown["attempt"], shown["answer"]) == (503, 1, None)


async def test_only_an_admin_reads_the_answer_of_a_server(online: Running) -> None:
    async with online.client("admin") as admin, online.client("webhooks") as other:
        webhook = (await created(admin))["webhook"]["id"]
        made = WebhookAttempt(
            event="1-1", type="message.text", account=1, attempt=1, time=1.5, milliseconds=3, status=500, answer="<h1>"
        )
        online.gateway.deliveries.attempts.append(webhook, made)
        path = f"{WEBHOOKS}/{webhook}/deliveries"
        shown = [(await client.get(path)).json()["deliveries"][0]["answer"] for client in (admin, other)]
    assert shown == ["<h1>", None]


async def test_an_event_that_was_given_up_is_listed_and_can_be_sent_again(start_gateway: StartGateway) -> None:
    async with webhook_receiver() as receiver, start_gateway(sleep=Pauses()) as running:
        receiver.answer = lambda _: "500 No"
        await running.log_in()
        webhook = await added(running, receiver)
        running.world.say("ahua", "me", "hello")
        attempts = len(PRIVATE_PAUSES) + 1
        assert await receiver.texts(attempts) == ["hello"] * attempts
        async with running.client("webhooks") as client:
            path = f"{WEBHOOKS}/{webhook.id}/dead-letters"
            letters: list[dict[str, Any]] = []
            while not letters:
                letters = (await client.get(path)).json()["dead_letters"]
            [letter] = letters
            assert letter["attempts"] == attempts
            assert (letter["error"], letter["error_code"]) == ("The server answered 500.", "not-accepted")
            receiver.answer = lambda _: "200 OK"
            assert (await client.post(f"{path}/{letters[0]['event']}/revive")).status_code == 204
            assert await receiver.texts(1) == ["hello"]
            assert (await client.post(f"{path}/{letters[0]['event']}/revive")).status_code == 404
            assert (await client.get(path)).json() == {"dead_letters": []}


async def test_a_webhook_is_changed_disabled_and_deleted(online: Running) -> None:
    async with webhook_receiver() as receiver, online.client("admin") as client:
        made = await created(client, url=receiver.url, allow_private=True, types=["message.text"])
        path = f"{WEBHOOKS}/{made['webhook']['id']}"
        assert (await client.patch(path, json={"enabled": False, "name": "m"})).json()["state"] == "disabled"
        online.world.say("ahua", "me", "while disabled")
        await online.until_text("while disabled")
        assert receiver.requests.empty()
        assert (await client.patch(path, json={"enabled": True})).json()["name"] == "m"
        assert await receiver.texts(1) == ["while disabled"]
        assert (await client.delete(path)).status_code == 204
        assert (await client.get(path)).status_code == 404


async def test_only_an_admin_may_reach_private_addresses(online: Running) -> None:
    private = {"name": "n", "url": "http://127.0.0.1:9999/", "allow_private": True}
    async with online.client("admin") as client:
        mine = (await created(client, **private))["webhook"]["id"]
    async with online.client("webhooks") as client:
        assert (await client.post(WEBHOOKS, json=private)).status_code == 403
        assert (await client.patch(f"{WEBHOOKS}/{mine}", json={"url": "http://10.0.0.1/"})).status_code == 403
        other = (await created(client))["webhook"]["id"]
        assert (await client.patch(f"{WEBHOOKS}/{other}", json={"allow_private": True})).status_code == 403
        assert (await client.patch(f"{WEBHOOKS}/{other}", json={"url": "http://10.0.0.1/"})).status_code == 422


async def test_a_webhook_that_writes_to_file_transfer_helper_needs_the_scope(online: Running) -> None:
    async with online.client("webhooks") as client:
        body = {"name": "n", "url": "https://h.example/", "report": True}
        assert (await client.post(WEBHOOKS, json=body)).status_code == 403
        own = (await created(client))["webhook"]["id"]
        assert (await client.patch(f"{WEBHOOKS}/{own}", json={"report": True})).status_code == 403
    async with online.client("webhooks", "send:filehelper") as client:
        changed = (await client.patch(f"{WEBHOOKS}/{own}", json={"report": True, "ordering": "account"})).json()
    assert (changed["report"], changed["ordering"]) == (True, "account")


@pytest.mark.parametrize(
    ("fields", "status"),
    [
        ({"url": "http://127.0.0.1:8791/api/v1/keys"}, 422),
        ({"types": ["nothing.*"]}, 422),
        ({"accounts": [7]}, 404),
        ({"accounts": []}, 400),
        ({"name": ""}, 400),
        ({"format": "xml"}, 400),
        ({"ordering": "random"}, 400),
        ({"surprise": 1}, 400),
    ],
)
async def test_an_invalid_webhook_is_refused(online: Running, fields: dict[str, Any], status: int) -> None:
    async with online.client("webhooks") as client:
        body = {"name": "n", "url": "https://h.example/", **fields}
        assert (await client.post(WEBHOOKS, json=body)).status_code == status


async def test_a_webhook_serves_all_accounts_again(online: Running) -> None:
    async with online.client("webhooks") as client:
        made = (await created(client, accounts=[1]))["webhook"]
        changed = await client.patch(f"{WEBHOOKS}/{made['id']}", json={"accounts": None})
        assert (made["accounts"], changed.json()["accounts"]) == ([1], None)


async def test_a_key_reaches_the_webhooks_of_its_accounts(online: Running) -> None:
    other = (await online.port.add_account("other")).number
    async with online.client("webhooks") as client:
        of_all = (await created(client))["webhook"]["id"]
        of_both = (await created(client, accounts=[1, other]))["webhook"]["id"]
    async with online.client("webhooks", accounts=(other,)) as client:
        own = (await created(client))["webhook"]
        assert own["accounts"] == [other]
        again = await client.patch(f"{WEBHOOKS}/{own['id']}", json={"accounts": None})
        assert again.json()["accounts"] == [other]
        assert [each["id"] for each in (await client.get(WEBHOOKS)).json()["webhooks"]] == [own["id"]]
        assert (await client.patch(f"{WEBHOOKS}/{own['id']}", json={"accounts": [1]})).status_code == 404
        for which in (of_all, of_both, "absent"):
            path = f"{WEBHOOKS}/{which}"
            for method, suffix in (
                ("GET", ""), ("DELETE", ""), ("POST", "/test"), ("POST", "/rotate"), ("GET", "/deliveries"),
                ("GET", "/dead-letters"), ("POST", "/dead-letters/1-1/revive"),
            ):  # fmt: skip
                assert (await client.request(method, path + suffix)).status_code == 404
            assert (await client.post(f"{path}/replay", json={"ids": ["1-1"]})).status_code == 404
            assert (await client.patch(path, json={"name": "x"})).status_code == 404
    async with online.client("read", "events") as client:
        assert (await client.get(WEBHOOKS)).status_code == 403


async def test_the_audit_log_names_who_changed_a_webhook(online: Running) -> None:
    async with online.client("admin") as client:
        made = (await created(client))["webhook"]["id"]
        await client.delete(f"{WEBHOOKS}/{made}")
    entries = await online.gateway.records.audit()
    assert [each.action for each in entries if each.target == made] == ["webhook.delete", "webhook.create"]
