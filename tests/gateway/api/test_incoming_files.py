"""Rules of incoming files over the API: created, changed and deleted by an admin, below the configured root only."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from webwx.gateway.config import GatewayConfig, IncomingFilesTable

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from tests.gateway.conftest import Running, StartGateway

RULES = "/api/v1/incoming-file-rules"


@pytest.fixture
async def saving(start_gateway: StartGateway, tmp_path: Path) -> AsyncIterator[Running]:
    """A gateway with an account that is logged in, and a root for incoming files."""
    root = tmp_path / "root"
    root.mkdir()
    table = IncomingFilesTable(root=str(root), keep_free=0)
    async with start_gateway(GatewayConfig(incoming_files=table)) as running:
        await running.log_in()
        yield running


async def test_a_rule_saves_a_file_and_lists_it(saving: Running) -> None:
    async with saving.client("admin") as client:
        made = await client.post(RULES, json={"name": "scans", "folder": "phone", "chats": ["阿华"], "kinds": ["file"]})
        assert made.status_code == 201, made.text
        path = f"{RULES}/{made.json()['id']}/files"
        saving.world.file("ahua", "me", b"x", "a.txt")
        files: list[dict[str, Any]] = []
        while not files:
            files = (await client.get(path)).json()["files"]
        listed = (await client.get(RULES)).json()
    assert (files[0]["outcome"], files[0]["name"], files[0]["size"]) == ("saved", "a.txt", 1)
    assert (listed["root"], listed["rules"][0]["state"]) == (str(saving.folder / "root"), "active")
    assert (saving.folder / "root" / "phone" / "a.txt").read_bytes() == b"x"


async def test_a_rule_is_changed_disabled_and_deleted(saving: Running) -> None:
    async with saving.client("admin") as client:
        path = f"{RULES}/{(await client.post(RULES, json={'name': 'n'})).json()['id']}"
        changed = (await client.patch(path, json={"enabled": False, "folder": "other"})).json()
        assert (changed["state"], changed["folder"], changed["name"]) == ("disabled", "other", "n")
        assert (await client.delete(path)).status_code == 204
        assert [(await client.patch(path, json={})).status_code, (await client.delete(path)).status_code] == [404, 404]
        assert (await client.get(f"{path}/files")).status_code == 404
    actions = [each.action for each in await saving.gateway.records.audit()]
    assert actions == [f"incoming_file_rule.{each}" for each in ("delete", "change", "create")]


@pytest.mark.parametrize(
    ("fields", "status"),
    [
        ({"folder": "../x"}, 422),
        ({"pattern": "{nothing}"}, 422),
        ({"accounts": [7]}, 404),
        ({"accounts": []}, 400),
        ({"kinds": ["anything"]}, 400),
        ({"name": ""}, 400),
        ({"surprise": 1}, 400),
    ],
)
async def test_an_invalid_rule_is_refused(saving: Running, fields: dict[str, Any], status: int) -> None:
    async with saving.client("admin") as client:
        assert (await client.post(RULES, json={"name": "n", **fields})).status_code == status


async def test_without_a_root_no_rule_is_created(online: Running) -> None:
    async with online.client("admin") as client:
        answer = await client.post(RULES, json={"name": "n"})
        assert (answer.status_code, answer.json()["code"]) == (409, "conflict")
        assert "gateway.toml" in answer.json()["detail"]
        assert (await client.get(RULES)).json() == {"root": None, "rules": []}


async def test_only_an_admin_of_all_accounts_manages_rules(saving: Running) -> None:
    async with saving.client("admin", accounts=(1,)) as client:
        assert (await client.get(RULES)).status_code == 403
        assert (await client.post(RULES, json={"name": "n"})).status_code == 403
    async with saving.client("read", "manage", "webhooks") as client:
        assert (await client.get(RULES)).status_code == 403
