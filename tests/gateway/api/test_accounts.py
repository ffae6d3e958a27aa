"""Accounts: list, add, remove, and the accounts that a bound key reaches."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    import httpx
    from tests.gateway.conftest import Running, StartGateway


async def test_an_account_that_is_logged_in_is_listed_as_online(online: Running) -> None:
    async with online.client("read") as client:
        answer = await client.get("/api/v1/accounts")

    assert answer.status_code == 200
    [account] = answer.json()["accounts"]
    assert (account["number"], account["name"], account["state"]) == (1, "default", "online")
    assert (account["nickname"], account["host"], account["error"]) == ("小明", "web", None)
    assert account["since"].endswith("Z")


async def test_an_account_is_added_found_by_name_and_number_and_removed(running: Running) -> None:
    async with running.client("admin") as client:
        added = await client.post("/api/v1/accounts", json={"name": "family"})
        assert (added.status_code, added.json()["state"]) == (201, "new")
        assert added.headers["location"] == f"/api/v1/accounts/{added.json()['number']}"
        assert (await client.post("/api/v1/accounts", json={"name": "family"})).json()["number"] == 1
        assert (await client.get("/api/v1/accounts/family")).json()["name"] == "family"
        assert (await client.get("/api/v1/accounts/1")).json()["name"] == "family"

        assert (await client.delete("/api/v1/accounts/family")).status_code == 204
        assert (await client.get("/api/v1/accounts/family")).status_code == 404
        assert (await client.post("/api/v1/accounts", json={"name": "family"})).json()["number"] == 2


async def test_the_label_of_an_account_survives_a_restart_and_finds_no_account(
    start_gateway: StartGateway,
) -> None:
    async with start_gateway() as running, running.client("admin") as client:
        await running.port.add_account("family")
        changed = await client.patch("/api/v1/accounts/family", json={"label": "妈妈"})
        assert (changed.status_code, changed.json()["label"], changed.json()["name"]) == (200, "妈妈", "family")
        assert (await client.patch("/api/v1/accounts/1", json={})).json()["label"] == "妈妈"
        assert (await client.get("/api/v1/accounts/妈妈")).status_code == 404
        assert (await client.patch("/api/v1/accounts/1", json={"label": "a" * 101})).status_code == 400
        assert (await client.patch("/api/v1/accounts/1", json={"name": "other"})).status_code == 400
    async with start_gateway() as running, running.client("admin") as client:
        assert (await client.get("/api/v1/accounts/1")).json()["label"] == "妈妈"
        assert (await client.patch("/api/v1/accounts/1", json={"label": ""})).json()["label"] == ""


async def test_an_account_name_that_cannot_be_a_folder_is_refused(running: Running) -> None:
    async with running.client("admin") as client:
        answer = await client.post("/api/v1/accounts", json={"name": "../up"})

    assert (answer.status_code, answer.json()["code"]) == (422, "invalid-settings")


async def test_a_key_sees_its_accounts_only(running: Running) -> None:
    first, second = await running.port.add_account("one"), await running.port.add_account("two")
    async with running.client("admin", accounts=(second.number,)) as client:
        listed = (await client.get("/api/v1/accounts")).json()["accounts"]
        assert [account["name"] for account in listed] == ["two"]
        for name in ("one", str(first.number), "absent"):
            answer = await client.get(f"/api/v1/accounts/{name}")
            assert (answer.status_code, answer.json()["code"]) == (404, "not-found")
        assert (await client.post("/api/v1/accounts", json={"name": "three"})).status_code == 403


async def test_accounts_keep_their_numbers_and_logins_after_a_restart(start_gateway: StartGateway) -> None:
    async with start_gateway() as running:
        await running.port.add_account("later")
        await running.log_in("work")
    async with start_gateway() as running, running.client("read") as client:
        await running.until_online("work")
        listed = (await client.get("/api/v1/accounts")).json()["accounts"]

    assert [(account["number"], account["name"], account["state"]) for account in listed] == [
        (1, "later", "new"),
        (2, "work", "online"),
    ]


# -- settings ----------------------------------------------------------------------------------------------------------

NO_SETTINGS = {"host": None, "keep": None, "rate_limit": None}


async def has_rate_limit(client: httpx.AsyncClient, account: str) -> bool:
    """Return whether an account that has logged in has a rate limit now."""
    return (await client.get(f"/api/v1/accounts/{account}/health")).json()["rate_limit"] is not None


async def test_an_account_logs_in_at_the_host_of_its_settings(start_gateway: StartGateway) -> None:
    async with start_gateway() as running, running.client("admin") as client:
        added = await client.post("/api/v1/accounts", json={"name": "helper", "settings": {"host": "filehelper"}})
        assert (added.status_code, added.json()["settings"]) == (201, NO_SETTINGS | {"host": "filehelper"})
        assert (await client.post("/api/v1/accounts", json={"name": "other"})).json()["settings"] == NO_SETTINGS
        await running.log_in("helper")
        assert (await client.get("/api/v1/accounts/helper")).json()["host"] == "filehelper"
    async with start_gateway() as running, running.client("admin") as client:
        await running.until_online("helper")
        found = (await client.get("/api/v1/accounts/helper")).json()
        assert (found["host"], found["settings"]["host"], found["pending_settings"]) == (
            "filehelper", "filehelper", False,
        )  # fmt: skip


async def test_the_host_can_change_until_the_first_login(running: Running) -> None:
    await running.port.add_account("helper")
    async with running.client("admin") as client:
        await client.get("/api/v1/accounts/helper/messages")
        for host in ("web", "filehelper"):
            changed = await client.patch("/api/v1/accounts/helper", json={"settings": {"host": host}})
            assert (changed.status_code, changed.json()["settings"]["host"]) == (200, host)
            assert not changed.json()["pending_settings"]
        await running.log_in("helper")
        await client.post("/api/v1/accounts/helper/logout")
        refused = await client.patch("/api/v1/accounts/helper", json={"settings": {"host": None}, "label": "new"})
        found = (await client.get("/api/v1/accounts/helper")).json()

    assert (refused.status_code, refused.json()["code"]) == (409, "conflict")
    assert (found["settings"]["host"], found["label"]) == ("filehelper", "")


async def test_a_new_account_of_a_removed_name_has_the_settings_of_the_gateway(running: Running) -> None:
    async with running.client("admin") as client:
        await client.post("/api/v1/accounts", json={"name": "one", "settings": {"host": "filehelper"}})
        await client.delete("/api/v1/accounts/one")
        assert (await client.post("/api/v1/accounts", json={"name": "one"})).json()["settings"] == NO_SETTINGS
        await running.log_in("one")
        assert (await client.get("/api/v1/accounts/one")).json()["host"] == "web"


async def test_settings_of_an_account_that_is_not_logged_in_apply_at_once(running: Running) -> None:
    async with running.client("admin") as client:
        await client.post("/api/v1/accounts", json={"name": "one", "settings": {"rate_limit": "on"}})
        await running.log_in("one")
        assert await has_rate_limit(client, "one")
        await client.post("/api/v1/accounts/one/logout")
        changed = await client.patch("/api/v1/accounts/one", json={"settings": {"rate_limit": "off"}})
        assert (changed.status_code, changed.json()["pending_settings"]) == (200, False)
        await running.log_in("one")
        assert not await has_rate_limit(client, "one")


async def test_settings_of_an_account_that_is_logged_in_apply_to_the_next_login(online: Running) -> None:
    async with online.client("admin") as client:
        changed = await client.patch("/api/v1/accounts/1", json={"settings": {"rate_limit": "on"}})
        assert (changed.json()["settings"]["rate_limit"], changed.json()["pending_settings"]) == ("on", True)
        assert not await has_rate_limit(client, "1")
        back = await client.patch("/api/v1/accounts/1", json={"settings": {"rate_limit": None}})
        assert not back.json()["pending_settings"]

        await client.patch("/api/v1/accounts/1", json={"settings": {"rate_limit": "on"}, "label": "mine"})
        await client.post("/api/v1/accounts/1/logout")
        await online.log_in()
        found = (await client.get("/api/v1/accounts/1")).json()
        assert (found["label"], found["pending_settings"]) == ("mine", False)
        assert await has_rate_limit(client, "1")
        online.world.say("ahua", "me", "after the change")
        await online.until_text("after the change")


async def test_settings_apply_when_the_gateway_starts_again(start_gateway: StartGateway) -> None:
    async with start_gateway() as running, running.client("admin") as client:
        await running.log_in()
        await client.patch("/api/v1/accounts/1", json={"settings": {"rate_limit": "on"}})
        await client.patch("/api/v1/accounts/1", json={"label": "mine"})
    async with start_gateway() as running, running.client("admin") as client:
        await running.until_online("default")
        found = (await client.get("/api/v1/accounts/1")).json()
        assert (found["settings"]["rate_limit"], found["pending_settings"]) == ("on", False)
        assert await has_rate_limit(client, "1")


async def test_media_are_archived_as_the_settings_say(running: Running) -> None:
    keep = {"chats": ["阿华"], "kinds": ["image", "video"], "max_size": 1000, "max_total": 5000, "days": 1.5}
    async with running.client("admin") as client:
        await client.post("/api/v1/accounts", json={"name": "one", "settings": {"keep": keep}})
        assert (await client.get("/api/v1/accounts/one")).json()["settings"]["keep"] == keep
        off = await client.patch("/api/v1/accounts/one", json={"settings": {"keep": "off"}})
        assert off.json()["settings"] == NO_SETTINGS | {"keep": "off"}


@pytest.mark.parametrize(
    ("settings", "status", "code"),
    [
        ({"host": "web2"}, 400, "bad-request"),
        ({"host": "desktop"}, 422, "not-on-this-host"),
        ({"server": "http://127.0.0.1:1"}, 400, "bad-request"),
        ({"rate_limit": "fast"}, 400, "bad-request"),
        ({"keep": "all"}, 400, "bad-request"),
        ({"keep": {"kinds": []}}, 422, "invalid-settings"),
        ({"keep": {"kinds": ["link"]}}, 400, "bad-request"),
        ({"keep": {"max_total": 2**63}}, 400, "bad-request"),
        ({"keep": {"max_size": 10**30}}, 400, "bad-request"),
        ({"keep": {"days": -1}}, 422, "invalid-settings"),
    ],
)
async def test_settings_that_are_not_valid_change_nothing(
    running: Running, settings: dict[str, Any], status: int, code: str
) -> None:
    async with running.client("admin") as client:
        refused = await client.post("/api/v1/accounts", json={"name": "one", "settings": settings})
        assert (refused.status_code, refused.json()["code"]) == (status, code)
        assert (await client.get("/api/v1/accounts")).json()["accounts"] == []

        await client.post("/api/v1/accounts", json={"name": "two", "settings": {"rate_limit": "off"}})
        refused = await client.patch("/api/v1/accounts/two", json={"settings": settings, "label": "new"})
        assert (refused.status_code, refused.json()["code"]) == (status, code)
        found = (await client.get("/api/v1/accounts/two")).json()
        assert (found["label"], found["settings"]) == ("", NO_SETTINGS | {"rate_limit": "off"})


async def test_an_existing_account_is_returned_only_if_it_has_the_wanted_settings(running: Running) -> None:
    async with running.client("admin") as client:
        await client.post("/api/v1/accounts", json={"name": "one", "settings": {"rate_limit": "off"}})
        for settings, status in (({}, 201), ({"rate_limit": "off"}, 201), ({"rate_limit": "on"}, 409)):
            answer = await client.post("/api/v1/accounts", json={"name": "one", "settings": settings})
            assert answer.status_code == status
