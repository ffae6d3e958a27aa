"""`webwx serve webhook`: listed and deleted with and without a running gateway."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from webwx.gateway.webhooks.webhooks import StoredWebhook, Webhooks
from webwx.storage.open import open_storage

if TYPE_CHECKING:
    from tests.cli.conftest import Shell


async def created(shell: Shell, name: str, at: float) -> str:
    storage = open_storage(str(shell.settings.home))
    try:
        webhooks = Webhooks(storage.records(), lambda: at)
        made = await webhooks.create(
            StoredWebhook(id="", name=name, url="https://example.com/hook", secret="", created_at=0)
        )
        return made.webhook.id
    finally:
        await storage.close()


def test_a_webhook_is_deleted_while_no_gateway_runs(shell: Shell) -> None:
    first, second = (asyncio.run(created(shell, name, at)) for at, name in enumerate(("one", "two"), 1))
    assert [line["id"] for line in shell.run("serve", "webhook", "list", "--json").lines] == [first, second]
    done = shell.run("serve", "webhook", "delete", first)
    assert (done.code, done.stdout) == (0, f"Deleted {first}.\n")
    listed = shell.run("serve", "webhook", "list").stdout
    assert listed == f"{second}  two  https://example.com/hook  all accounts, enabled\n"
    assert "secret" not in shell.run("serve", "webhook", "list", "--json").stdout


def test_an_unknown_webhook_is_refused(shell: Shell) -> None:
    done = shell.run("serve", "webhook", "delete", "unknown")
    assert done.code == 2
    assert "'webwx serve webhook list' lists them" in done.sentence
