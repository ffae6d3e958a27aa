"""Identities over the API: listed, explained, merged and split."""

from __future__ import annotations

from typing import TYPE_CHECKING

from webwx.gateway.accounts.journal_lookup import user_of

if TYPE_CHECKING:
    from tests.gateway.conftest import Running

IDENTITIES = "/api/v1/accounts/1/identities"


async def test_an_identity_is_listed_and_explained_over_two_logins(online: Running) -> None:
    online.world.log_out("me")
    while (await online.port.account(1).check()).state != "logged_out":
        pass
    await online.log_in()
    async with online.client("read") as client:
        [boss] = (await client.get(IDENTITIES, params={"name": "Boss"})).json()["identities"]
        assert (boss["name"], boss["kind"]) == ("Boss", "person")
        assert len((await client.get(IDENTITIES)).json()["identities"]) > 1
        for which in ("Boss", boss["number"]):
            explained = (await client.get(f"{IDENTITIES}/{which}")).json()
            assert explained["identity"] == boss
            assert len({link["contact_id"] for link in explained["links"]}) == 2
            assert {"what", "weight", "agrees"} == explained["links"][0]["reasons"][0].keys()
        missing = await client.get(f"{IDENTITIES}/unknown")
        assert (missing.status_code, missing.json()["code"]) == (422, "unknown-contact")


async def test_a_wrongly_matched_contact_is_split_and_merged_again(online: Running) -> None:
    online.world.log_out("me")
    while (await online.port.account(1).check()).state != "logged_out":
        pass
    await online.log_in()
    async with online.client("read", "manage") as client:
        known = (await client.get(f"{IDENTITIES}/阿华")).json()
        body = {"identity": "阿华", "contact_id": known["links"][0]["contact_id"]}
        parted = (await client.post(f"{IDENTITIES}/split", json=body)).json()
        assert parted["number"] != known["identity"]["number"]
        assert len((await client.get(f"{IDENTITIES}/{parted['number']}")).json()["links"]) == 1
        merged = await client.post(
            f"{IDENTITIES}/merge", json={"into": known["identity"]["number"], "other": parted["number"]}
        )
        assert (merged.status_code, merged.json()["number"]) == (200, known["identity"]["number"])
        again = (await client.get(f"{IDENTITIES}/{parted['number']}")).json()
        assert again["identity"]["number"] == known["identity"]["number"]
        same = await client.post(f"{IDENTITIES}/merge", json={"into": "阿华", "other": "阿华"})
        assert (same.status_code, same.json()["code"]) == (422, "invalid-request")


async def test_the_user_of_an_account_has_an_opaque_id(online: Running) -> None:
    await online.port.add_account("empty")
    async with online.client("read") as client:
        shown = (await client.get("/api/v1/accounts/1/user")).json()
        assert (shown.keys(), len(shown["id"])) == ({"id"}, 14)
        assert shown["id"] != f"{await user_of(online.port.account(1).client):014x}"
        none = await client.get("/api/v1/accounts/2/user")
        assert (none.status_code, none.json()["code"]) == (424, "not-logged-in")
