"""Accounts: list, add, remove, and the accounts that a bound key reaches."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
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
        assert (await client.post("/api/v1/accounts", json={"name": "family"})).json()["number"] == 1
        assert (await client.get("/api/v1/accounts/family")).json()["name"] == "family"
        assert (await client.get("/api/v1/accounts/1")).json()["name"] == "family"

        assert (await client.delete("/api/v1/accounts/family")).status_code == 204
        assert (await client.get("/api/v1/accounts/family")).status_code == 404
        assert (await client.post("/api/v1/accounts", json={"name": "family"})).json()["number"] == 2


async def test_an_account_has_a_label_that_outlives_a_restart_and_no_address(start_gateway: StartGateway) -> None:
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
