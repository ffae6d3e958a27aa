"""A served gateway that is killed under keyed sends: nothing is lost, and nothing is sent twice."""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import pytest
from tests.interop.test_gateway_api import started

pytestmark = [pytest.mark.verify, pytest.mark.timeout(600)]

WEBWX = Path(sys.executable).with_name("webwx")

KILLS = 20

SENDS = 8
"""Number of sends at the same time, before each kill."""


def send(url: str, key: str, text: str) -> int:
    """Send a text with a key of its own; return the status, 0 for no answer."""
    headers = {"Authorization": f"Bearer {key}", "Idempotency-Key": text, "Content-Type": "text/plain"}
    try:
        with urllib.request.urlopen(
            urllib.request.Request(f"{url}/api/v1/notify", text.encode(), headers), timeout=60
        ) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as refused:
        with closing(refused):
            return refused.code
    except (OSError, ValueError):
        return 0


def texts_on_phone(control: str) -> Counter[str]:
    """Count the texts of File Transfer Helper on the phone."""
    with urllib.request.urlopen(f"{control}/inbox?who=me") as answer:
        chats = json.load(answer)["chats"]
    return Counter(message["text"] for chat in chats if chat["id"] == "filehelper" for message in chat["messages"])


def test_every_keyed_send_is_made_at_most_once_and_none_is_lost(tmp_path: Path) -> None:
    rng = random.Random(1)
    environment = {**os.environ, "WEBWX_HOME": str(tmp_path)}
    (tmp_path / "gateway.toml").write_text("[limits]\nrequests_per_minute = 0\n")
    create = [WEBWX, "serve", "key", "create", "--name", "test", "--scopes", "send", "--json"]
    texts = [f"{kill}-{number}" for kill in range(KILLS) for number in range(SENDS)]
    sent: set[str] = set()
    with started("sandbox", "--auto-confirm", environment=environment) as sandbox:
        environment["WEBWX_SERVER"] = sandbox["url"]
        subprocess.run([WEBWX, "login"], env=environment, capture_output=True, check=True)
        key = json.loads(subprocess.run(create, env=environment, capture_output=True, check=True).stdout)["key"]
        for kill in range(KILLS):
            command = [WEBWX, "serve", "--port", "0", "--json"]
            with (
                subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True) as gateway,
                ThreadPoolExecutor(SENDS) as pool,
            ):
                assert gateway.stdout is not None
                url = json.loads(gateway.stdout.readline())["url"]
                chosen = texts[kill * SENDS : (kill + 1) * SENDS]
                statuses = [pool.submit(send, url, key, text) for text in chosen]
                time.sleep(rng.uniform(0, 0.1))  # The kill may happen at any moment of the sends.
                gateway.kill()
                sent |= {text for text, status in zip(chosen, statuses, strict=True) if status.result() == 201}
        with started("serve", environment=environment) as last:
            again = {text: send(last["url"], key, text) for text in texts}
        found = texts_on_phone(sandbox["control"])

    assert set(again.values()) <= {201, 409}
    assert max(found.values()) == 1
    assert all(found[text] == 1 for text in sent)
    assert all(found[text] == 1 for text, status in again.items() if status == 201)
    assert all(again[text] == 201 for text in sent)
