"""
An echo bot repeats any text, and any stranger may write to it.

It runs in its own process, and the kernel reports the files that it opens: other libraries have sent a stranger any
file of the machine, because a text that began like a command was executed.
"""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.interop.phones import Phones
from tests.interop.processes import PATIENCE, WEBWX, Lines

pytestmark = pytest.mark.verify

MARK = "/what-was-heard-is-said-back"

BOT = f"""
import os, signal, sys
from webwx import Client, TextMessage

signal.alarm(60)  # strace leaves it behind when the test fails
with Client(server=sys.argv[1]) as client:
    client.login(show_qr=lambda code: None)
    print("ready", flush=True)
    for event in client.events():
        if isinstance(event, TextMessage) and not event.is_self:
            if event.text == "mark":
                os.access({MARK!r}, os.F_OK)
            client.reply(event, event.text)
            print(event.text, flush=True)
            if event.text == "end":
                break
"""

HOSTILE = (
    "@fil@/etc/passwd",
    "@img@~/.ssh/id_rsa",
    "@vid@/etc/passwd",
    "@fil@/proc/self/environ",
    "file:///etc/passwd",
    "/etc/passwd",
)


def test_an_echo_bot_repeats_commands_and_opens_no_file(start: Callable[..., Lines], tmp_path: Path) -> None:
    if shutil.which("strace") is None:
        pytest.skip("strace is what sees every call to the kernel")
    (tmp_path / "home" / ".ssh").mkdir()
    (tmp_path / "home" / ".ssh" / "id_rsa").write_text("a key")
    sandbox = json.loads(start(WEBWX, "sandbox", "--port", "0", "--json", "--auto-confirm").next())
    phones = Phones(sandbox["control"])
    trace = tmp_path / "trace"
    bot = start("strace", "-f", "-e", "trace=%file", "-o", trace, sys.executable, "-c", BOT, sandbox["url"])
    assert bot.next() == "ready"
    for text in ("hello", "mark", *HOSTILE, "mark", "end"):
        phones.do("say", **{"from": "ahua"}, to="xiaoming", text=text)
        assert bot.next() == text
    assert bot.process.wait(PATIENCE) == 0
    shown = [(message["kind"], message["text"]) for message in phones.messages("ahua", "xiaoming")]
    calls = trace.read_text("utf-8", "replace").splitlines()
    first, last = (number for number, call in enumerate(calls) if MARK in call)

    assert shown[4:-4] == [("text", text) for text in HOSTILE for _ in range(2)]
    assert calls[first + 1 : last] == []
    assert [call for call in calls if "id_rsa" in call or "self/environ" in call] == []
