"""`webwx serve backup` while a gateway runs under sends, and a gateway that starts with the copy."""

from __future__ import annotations

import json
import shutil
import threading
import time
from typing import TYPE_CHECKING

from tests.cli.conftest import PATIENCE
from tests.cli.gateway.test_serve import call, new_key, serving
from tests.cli.messages.test_recalled import send_picture

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.cli.conftest import Sandbox, Shell


def test_a_copy_under_sends_is_restored_with_all_that_was_there(me: Shell, sandbox: Sandbox, tmp_path: Path) -> None:
    me.environment["WEBWX_KEEP"] = "all"
    key, copy = new_key(me, "admin"), tmp_path / "copy"
    sent: list[str] = []
    is_over = threading.Event()

    def send_on(url: str) -> None:
        while not is_over.is_set():
            text = f"send {len(sent)}"
            status, _ = call(f"{url}/api/v1/notify", key, text.encode())
            assert status == 201
            sent.append(text)

    with serving(me) as (_, first_line):
        url = f"{first_line['url']}/api/v1"
        status, _ = call(f"{url}/receivers", key, b'{"name": "phone", "kind": "ntfy", "account": 1}')
        assert status == 201
        hook = b'{"name": "n8n", "url": "http://127.0.0.1:65000/", "allow_private": true, "types": ["friend.*"]}'
        status, _ = call(f"{url}/webhooks", key, hook)
        assert status == 201
        send_picture(sandbox)
        sandbox.say("阿华", "me", "before the copy")
        wait_for(url, key, "before the copy")
        wait_until(lambda: archived(me.settings.home))
        sending = threading.Thread(target=send_on, args=(first_line["url"],))
        sending.start()
        wait_until(lambda: len(sent) >= 5)
        before = list(sent)
        backed_up = me.run("serve", "backup", str(copy), "--json")
        after = len(sent)
        is_over.set()
        sending.join()
        assert backed_up.code == 0
        assert after > len(before), "sends went on during the copy"
    home = me.settings.home
    shutil.move(home, tmp_path / "old")
    shutil.copytree(copy, home)

    with serving(me) as (_, first_line):
        url = f"{first_line['url']}/api/v1"
        sandbox.say("阿华", "me", "after the restore")
        wait_for(url, key, "after the restore")
        _, accounts = call(f"{url}/accounts", key)
        assert [account["state"] for account in accounts["accounts"]] == ["online"]
        assert len(call(f"{url}/receivers", key)[1]["receivers"]) == 1
        assert len(call(f"{url}/webhooks", key)[1]["webhooks"]) == 1
        _, page = call(f"{url}/accounts/1/messages?limit=500", key)
        texts = {(entry["event"]["data"] if entry["event"] else entry["send"]).get("text") for entry in page["entries"]}
        assert {*before, "before the copy", "after the restore"} <= texts
        assert call(f"{url}/notify", key, b"again")[0] == 201
    assert archived(home) == archived(tmp_path / "old") != []


def archived(home: Path) -> list[bytes]:
    """Return the contents of the archived media in a folder."""
    return [path.read_bytes() for path in sorted(home.rglob("*.kept/[!.]*"))]


def wait_until(is_so: Callable[[], object]) -> None:
    """Wait until something is so."""
    deadline = time.monotonic() + PATIENCE
    while not is_so():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def wait_for(url: str, key: str, text: str) -> None:
    """Wait until a text has arrived in the gateway."""
    cursor = ""
    while True:
        _, page = call(f"{url}/events?wait=20&after={cursor}", key)
        if text in json.dumps(page["events"], ensure_ascii=False):
            return
        cursor = page["next"]
