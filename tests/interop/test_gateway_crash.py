"""A served gateway that is killed under keyed sends: nothing is lost, and nothing is sent twice."""

from __future__ import annotations

import base64
import hashlib
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
from typing import Any

import pytest
from tests.interop.served_gateway import started

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
    create = [str(WEBWX), "serve", "key", "create", "--name", "test", "--scopes", "send", "--json"]
    texts = [f"{kill}-{number}" for kill in range(KILLS) for number in range(SENDS)]
    sent: set[str] = set()
    with started("sandbox", "--auto-confirm", environment=environment) as sandbox:
        environment["WEBWX_SERVER"] = sandbox["url"]
        subprocess.run([str(WEBWX), "login"], env=environment, capture_output=True, check=True)
        key = json.loads(subprocess.run(create, env=environment, capture_output=True, check=True).stdout)["key"]
        for kill in range(KILLS):
            command = [str(WEBWX), "serve", "--port", "0", "--json"]
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


def call(method: str, url: str, key: str, body: dict[str, object] | None = None, **headers: str) -> dict[str, Any]:
    """Make a request with a JSON body; return the JSON of the answer, or nothing if there was none."""
    given = {"Authorization": f"Bearer {key}", "Content-Type": "application/json", **headers}
    data = None if body is None else json.dumps(body).encode()
    try:
        with urllib.request.urlopen(urllib.request.Request(url, data, given, method=method), timeout=60) as answer:
            found: dict[str, Any] = json.load(answer)
            return found
    except (OSError, ValueError):
        return {}


def content_of(name: str) -> bytes:
    """Return the content of a file, which no other one has."""
    return name.encode() * 20_000


def files_on_phone(control: str) -> Counter[str]:
    """Count the files of File Transfer Helper on the phone by their digests."""
    with urllib.request.urlopen(f"{control}/inbox?who=me") as answer:
        chats = json.load(answer)["chats"]
    return Counter(message["md5"] for chat in chats if chat["id"] == "filehelper" for message in chat["messages"])


def send_file(url: str, key: str, name: str) -> bool:
    """Leave a file to the background; return whether the gateway has promised to send it."""
    content = base64.b64encode(content_of(name)).decode()
    body: dict[str, object] = {"to": "filehelper", "file": {"data": content, "name": name}}
    place = f"{url}/api/v1/accounts/1/messages"
    return bool(call("POST", place, key, body, **{"Idempotency-Key": name, "Prefer": "respond-async"}))


def until_idle(url: str, key: str) -> dict[str, str]:
    """Wait until nothing waits for the account, and return the state of each send by its file's name."""
    while call("GET", f"{url}/api/v1/accounts/1", key)["queued"]:
        time.sleep(0.05)
    sends = call("GET", f"{url}/api/v1/accounts/1/sends?limit=1000", key)["sends"]
    return {send["text"]: send["state"] for send in sends}


FILE_KILLS = 8

FILES = 4
"""Number of files that are left to the background before each kill."""


def test_every_promised_file_is_sent_at_most_once_and_none_is_lost(tmp_path: Path) -> None:
    rng = random.Random(2)
    environment = {**os.environ, "WEBWX_HOME": str(tmp_path)}
    (tmp_path / "gateway.toml").write_text("[limits]\nrequests_per_minute = 0\n")
    create = [str(WEBWX), "serve", "key", "create", "--name", "test", "--scopes", "send,read", "--json"]
    promised: set[str] = set()
    with started("sandbox", "--auto-confirm", environment=environment) as sandbox:
        environment["WEBWX_SERVER"] = sandbox["url"]
        subprocess.run([str(WEBWX), "login"], env=environment, capture_output=True, check=True)
        key = json.loads(subprocess.run(create, env=environment, capture_output=True, check=True).stdout)["key"]
        for kill in range(FILE_KILLS):
            command = [str(WEBWX), "serve", "--port", "0", "--json"]
            with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True) as gateway:
                assert gateway.stdout is not None
                url = json.loads(gateway.stdout.readline())["url"]
                names = [f"{kill}-{number}.txt" for number in range(FILES)]
                promised |= {name for name in names if send_file(url, key, name)}
                time.sleep(rng.uniform(0, 0.1))  # The kill may happen at any moment of the sends.
                gateway.kill()
        with started("serve", environment=environment) as last:
            states = until_idle(last["url"], key)
        found = files_on_phone(sandbox["control"])

    assert len(promised) >= FILE_KILLS
    assert {states[name] for name in promised} <= {"sent", "unknown"}
    assert max(found.values()) == 1
    digests = {name: hashlib.md5(content_of(name)).hexdigest() for name in promised}
    assert all(found[digests[name]] == 1 for name in promised if states[name] == "sent")
    assert list((tmp_path / "gateway-sends").glob("*/*")) == []
