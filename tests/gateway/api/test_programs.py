"""Programs of adapters over the API: created, changed and deleted; their tokens and secret options are not shown."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec
import pytest
from tests.gateway.adapters.toy import build, importable

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    import httpx
    from tests.gateway.conftest import Running, StartGateway

PROGRAMS = "/api/v1/programs"


@pytest.fixture
async def noted(start_gateway: StartGateway, tmp_path: Path) -> AsyncIterator[Running]:
    """A gateway with the adapter of the documentation, whose address counts as a secret, and an account 1."""
    folder = tmp_path / "toy"
    folder.mkdir()
    with importable(folder):
        entries = {name: msgspec.structs.replace(each, secrets=("url",)) for name, each in build(folder).items()}
        async with start_gateway(adapters=entries) as running:
            await running.log_in()
            yield running


async def created(client: httpx.AsyncClient, **fields: Any) -> dict[str, Any]:
    answer = await client.post(PROGRAMS, json={"name": "n", "adapter": "note", "account": 1, **fields})
    assert answer.status_code == 201, answer.text
    made: dict[str, Any] = answer.json()
    return made


async def test_the_adapters_are_listed_with_configurations_to_copy(noted: Running) -> None:
    async with noted.client("adapters") as client:
        assert (await client.get("/api/v1/adapters")).json() == {
            "adapters": [
                {
                    "name": "note", "title": "Notes", "summary": "Sends and receives notes.", "path": "/adapters/note",
                    "url": "",
                    "configurations": {"A notebook": "address = {url}/note{token}"},
                }
            ]
        }  # fmt: skip


async def test_a_program_shows_its_token_once_and_secret_options_never(noted: Running) -> None:
    async with noted.client("adapters") as client:
        made = await created(client, options={"url": "https://notes.example/secret"})
        assert made["program"]["see"] == made["program"]["write"] == ["filehelper"]
        texts = [(await client.get(path)).text for path in (PROGRAMS, f"{PROGRAMS}/{made['program']['id']}")]
        for text in (*texts, str(made["program"])):
            assert made["token"] not in text
            assert "notes.example" not in text


async def test_a_change_keeps_what_it_does_not_name_and_secret_options(noted: Running) -> None:
    async with noted.client("adapters", "read") as client:
        made = await created(client, options={"url": "https://notes.example/secret"})
        path = f"{PROGRAMS}/{made['program']['id']}"
        changed = (await client.patch(path, json={"name": "m", "see": ["*"], "options": {}})).json()
        assert (changed["name"], changed["see"], changed["write"]) == ("m", ["*"], ["filehelper"])
        [stored] = await noted.gateway.programs.find()
        assert stored.options == {"url": "https://notes.example/secret"}
        assert (await client.patch(path, json={"enabled": False})).json()["enabled"] is False
        assert await noted.gateway.programs.find_by_token("note", made["token"]) is None
        assert (await client.delete(path)).status_code == 204
        assert (await client.get(path)).status_code == 404


@pytest.mark.parametrize(
    ("fields", "status"),
    [
        ({"adapter": "other"}, 422),
        ({"account": 7}, 404),
        ({"options": {"surprise": 1}}, 422),
        ({"see": ["Boss"]}, 422),
        ({"name": ""}, 400),
        ({"surprise": 1}, 400),
    ],
)
async def test_an_invalid_program_is_refused(noted: Running, fields: dict[str, Any], status: int) -> None:
    async with noted.client("admin") as client:
        body = {"name": "n", "adapter": "note", "account": 1, **fields}
        assert (await client.post(PROGRAMS, json=body)).status_code == status


async def test_a_program_gets_no_right_that_the_key_does_not_have(noted: Running) -> None:
    async with noted.client("admin") as owner:
        wide = (await created(owner, see=["*"], write=["*"]))["program"]["id"]
    async with noted.client("adapters") as client:
        body = {"name": "n", "adapter": "note", "account": 1}
        own = (await created(client))["program"]["id"]
        refusals = [
            await client.post(PROGRAMS, json={**body, "see": [12]}),
            await client.post(PROGRAMS, json={**body, "write": ["*"]}),
            await client.patch(f"{PROGRAMS}/{own}", json={"see": ["*"]}),
            await client.patch(f"{PROGRAMS}/{wide}", json={"name": "x"}),
            await client.post(f"{PROGRAMS}/{wide}/rotate"),
        ]
        assert [answer.status_code for answer in refusals] == [403] * 5
        assert (await client.post(f"{PROGRAMS}/{own}/rotate")).status_code == 201


@pytest.mark.parametrize("scope", ["manage", "login"])
async def test_an_agent_may_manage_or_log_in_only_if_the_key_may(online: Running, scope: str) -> None:
    body = {"name": "n", "adapter": "mcp", "account": 1, "options": {scope: True}}
    async with online.client("adapters", scope) as owner, online.client("adapters") as other:
        assert (await other.post(PROGRAMS, json=body)).status_code == 403
        program = (await owner.post(PROGRAMS, json=body)).json()["program"]
        plain = (await other.post(PROGRAMS, json={**body, "options": {}})).json()["program"]
        for path in (f"{PROGRAMS}/{program['id']}/rotate", f"{PROGRAMS}/{plain['id']}/rotate"):
            assert (await other.post(path)).status_code == (403 if program["id"] in path else 201)
        changed = await other.patch(f"{PROGRAMS}/{plain['id']}", json={"options": {scope: True}})
        assert changed.status_code == 403


async def test_a_key_reaches_the_programs_of_its_accounts(noted: Running) -> None:
    async with noted.client("adapters") as client:
        program = (await created(client))["program"]["id"]
    other = (await noted.port.add_account("other")).number
    async with noted.client("adapters", accounts=(other,)) as client:
        assert (await client.get(PROGRAMS)).json() == {"programs": []}
        for method, suffix in (("GET", ""), ("DELETE", ""), ("POST", "/rotate")):
            assert (await client.request(method, f"{PROGRAMS}/{program}{suffix}")).status_code == 404
        assert (await client.patch(f"{PROGRAMS}/{program}", json={"name": "x"})).status_code == 404
    async with noted.client("read") as client:
        assert (await client.get(PROGRAMS)).status_code == 403
