"""What is in the audit log, and with which key it was done."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.gateway.conftest import Running


async def test_accounts_and_logins_are_in_the_audit_log_with_the_key(online: Running) -> None:
    key = await online.key("admin")
    async with online.anonymous(headers={"Authorization": f"Bearer {key}"}) as client:
        await client.post("/api/v1/accounts", json={"name": "second"})
        await client.post("/api/v1/accounts/2/login")
        await client.delete("/api/v1/accounts/2")
        await client.post("/api/v1/accounts/1/logout")
        entries = (await client.get("/api/v1/audit")).json()["entries"]

    assert [(entry["action"], entry["target"]) for entry in reversed(entries)] == [
        ("account.add", "2"), ("login.begin", "2"), ("account.remove", "2"), ("login.end", "1"),
    ]  # fmt: skip
    assert {entry["actor"] for entry in entries} == {key.split("_")[1]}
