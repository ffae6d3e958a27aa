"""Keys, the audit log and the sessions of the console over the API."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from webwx.gateway.access.auth import FREE_FAILURES
from webwx.gateway.access.sessions import HEADER

if TYPE_CHECKING:
    from tests.gateway.conftest import Running

KEYS = "/api/v1/keys"


async def test_a_key_is_created_changed_rotated_and_deleted_and_all_is_in_the_audit_log(online: Running) -> None:
    async with online.client("admin") as client:
        created = (await client.post(KEYS, json={"name": "ci", "scopes": ["send"], "accounts": [1]})).json()
        key_id = created["about"]["id"]
        assert created["key"].startswith(f"wxk_{key_id}_")
        changed = await client.patch(f"{KEYS}/{key_id}", json={"scopes": ["read"], "accounts": None})
        assert (changed.json()["scopes"], changed.json()["accounts"]) == (["read"], None)
        rotated = (await client.post(f"{KEYS}/{key_id}/rotate?hours=0")).json()["key"]
        async with online.anonymous(headers={"Authorization": f"Bearer {created['key']}"}) as old:
            assert (await old.get("/api/v1/accounts")).status_code == 401
        async with online.anonymous(headers={"Authorization": f"Bearer {rotated}"}) as new:
            assert (await new.get("/api/v1/accounts")).status_code == 200
        listed = (await client.get(KEYS)).text
        assert key_id in listed
        assert "digest" not in listed
        assert (await client.delete(f"{KEYS}/{key_id}")).status_code == 204
        for answer in (await client.delete(f"{KEYS}/{key_id}"), await client.post(f"{KEYS}/{key_id}/rotate")):
            assert answer.status_code == 404
        entries = (await client.get("/api/v1/audit")).json()["entries"]

    assert [entry["action"] for entry in entries] == ["key.delete", "key.rotate", "key.change", "key.create"]
    assert all(secret not in str(entries) for secret in (created["key"], rotated))


@pytest.mark.parametrize(
    "body",
    [
        {"name": "a", "scopes": []}, {"name": "a", "scopes": ["root"]}, {"name": "", "scopes": ["read"]},
        {"name": "a", "scopes": ["read"], "networks": ["here"]}, {"scopes": ["read"]},
        {"name": "a", "scopes": ["read"], "accounts": []},
        {"name": "a", "scopes": ["read"], "expires_at": "1970-01-01T00:00:00Z"},
        {"name": "a", "scopes": ["read"], "expires_at": "0001-01-01T00:00:00"},
        {"name": "a", "scopes": ["read"], "expires_at": "9999-12-31T23:59:59-23:59"},
    ],
)  # fmt: skip
async def test_an_invalid_key_is_refused(running: Running, body: dict[str, object]) -> None:
    async with running.client("admin") as client:
        assert (await client.post(KEYS, json=body)).status_code in {400, 422}
        assert len((await client.get(KEYS)).json()["keys"]) == 1


async def test_a_key_is_for_no_number_that_is_only_the_name_of_an_account(online: Running) -> None:
    await online.port.add_account("77")
    async with online.client("admin") as client:
        assert (await client.post(KEYS, json={"name": "a", "scopes": ["read"], "accounts": [77]})).status_code == 404


async def test_a_key_is_only_for_accounts_that_exist(online: Running) -> None:
    body = {"name": "a", "scopes": ["read"], "accounts": [1]}
    async with online.client("admin") as client:
        refused = await client.post(KEYS, json=body | {"accounts": [1, 7]})
        assert (refused.status_code, refused.json()["detail"]) == (404, "There is no account 7.")
        key_id = (await client.post(KEYS, json=body)).json()["about"]["id"]
        for accounts, status in (([7], 404), ([], 400)):
            assert (await client.patch(f"{KEYS}/{key_id}", json={"accounts": accounts})).status_code == status
        reached = [each["accounts"] for each in (await client.get(KEYS)).json()["keys"]]
        assert sorted(reached, key=str) == [None, [1]]


async def test_a_key_for_some_accounts_cannot_create_keys(running: Running) -> None:
    async with running.client("admin", accounts=(1,)) as client:
        answer = await client.post(KEYS, json={"name": "a", "scopes": ["admin"]})
        assert (answer.status_code, answer.json()["code"]) == (403, "forbidden")
        assert (await client.get("/api/v1/audit")).status_code == 403


async def test_a_code_is_exchanged_once_for_a_secret(running: Running) -> None:
    code = await running.gateway.sessions.create_code()
    async with running.anonymous() as browser:
        answer = await browser.post("/api/v1/console/session", json={"code": code})
        assert answer.status_code == 201
        assert answer.headers["cache-control"] == "no-store"
        session = {HEADER: answer.json()["secret"]}
        assert (await browser.get(KEYS, headers=session)).status_code == 200
        again = await browser.post("/api/v1/console/session", json={"code": code})
        assert (again.status_code, again.json()["code"]) == (401, "unauthorized")
        assert (await browser.delete("/api/v1/console/session", headers=session)).status_code == 204
        assert (await browser.get(KEYS, headers=session)).status_code == 401


async def test_wrong_codes_of_an_address_are_slowed_down_like_wrong_keys(running: Running) -> None:
    code = await running.gateway.sessions.create_code()
    async with running.anonymous() as browser:
        guesses = [await browser.post("/api/v1/console/session", json={"code": "guess"}) for _ in range(7)]
        assert [guess.status_code for guess in guesses] == [401] * FREE_FAILURES + [429] * 2
        assert int(guesses[-1].headers["retry-after"]) >= 1
        assert (await browser.get(KEYS, headers={"Authorization": "Bearer x"})).status_code == 429
        assert (await browser.post("/api/v1/console/session", json={"code": code})).status_code == 201
    async with running.anonymous(address="10.0.0.9") as other:
        assert (await other.post("/api/v1/console/session", json={"code": "guess"})).status_code == 401


async def test_all_sessions_can_be_ended(running: Running) -> None:
    sessions = running.gateway.sessions
    tokens = [await sessions.exchange(await sessions.create_code()) for _ in range(2)]
    async with running.anonymous(headers={HEADER: str(tokens[0])}) as browser:
        assert (await browser.delete("/api/v1/console/session?all=true")).status_code == 204
    assert [await sessions.is_valid(str(token)) for token in tokens] == [False, False]


async def test_a_key_signs_nothing(running: Running) -> None:
    async with running.client("admin") as client:
        answer = await client.get("/api/v1/console/signatures", params={"path": "/api/v1/accounts/1/login/qr"})
    assert (answer.status_code, answer.json()["code"]) == (403, "forbidden")
