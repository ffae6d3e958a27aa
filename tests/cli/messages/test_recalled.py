"""`webwx recalled`, `forward --recalled` and `listen --keep`, each command in its own process."""

from __future__ import annotations

import base64
import json
import time
from typing import TYPE_CHECKING, Any

import pytest
from tests.cli.conftest import running_sandbox

from webwx.cli.sandbox import pictures

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.cli.conftest import Sandbox, Shell
    from tests.forks import Forks


@pytest.fixture(scope="module")
def sandbox(forks: Forks) -> Iterator[Sandbox]:
    """A sandbox whose pictures are delivered without keys."""
    with running_sandbox(forks, "--switch", "picture_content=hash") as sandbox:
        yield sandbox


def send_picture(sandbox: Sandbox, to: str = "me") -> dict[str, Any]:
    content = base64.b64encode(pictures.jpeg()).decode()
    return sandbox.control("picture", **{"from": "阿华", "to": to, "name": "a.jpg", "content": content})


def recall(sandbox: Sandbox, message_id: str, to: str = "me") -> None:
    sandbox.control("recall", **{"from": "阿华", "to": to, "message_id": message_id})


def send_files(me: Shell) -> list[Path]:
    journal = me.settings.journal_path
    return list(journal.with_name(f"{journal.name}.kept").glob("[!.]*"))


def listen_and_keep(me: Shell, sandbox: Sandbox, to: str, *options: str, keep: str = "") -> dict[str, Any]:
    """Run `listen` while a picture arrives and is archived; then recall the picture and wait for the recall."""
    with me.start("listen", "--json", *options, WEBWX_KEEP=keep) as process:
        sent = send_picture(sandbox, to)
        picture: dict[str, Any] = json.loads(process.stdout.readline())
        deadline = time.monotonic() + 20
        while not send_files(me):  # The picture is being downloaded.
            assert process.poll() is None
            assert time.monotonic() < deadline
            time.sleep(0.02)
        recall(sandbox, sent["message_id"], to)
        json.loads(process.stdout.readline())
        process.terminate()
        assert process.wait(20) == 0
    return picture | {"md5": sent["md5"]}


@pytest.mark.parametrize(
    ("options", "keep"),
    [(["--keep"], ""), ([], "all"), ([], "unknown, 周末爬山")],
    ids=["option", "all", "chats"],
)
def test_other_processes_list_and_forward_an_archived_picture_without_keys(
    options: list[str], keep: str, me: Shell, sandbox: Sandbox
) -> None:
    picture = listen_and_keep(me, sandbox, "周末爬山", *options, keep=keep)

    [line] = me.run("recalled", "--json").lines
    assert (line["type"], line["way"]) == ("message.recalled", "by_upload")
    assert line["original"]["message_id"] == picture["message_id"]
    assert me.run("recalled").stdout.endswith("  阿华 in 周末爬山: [picture]  [can be forwarded, from the archive]\n")
    for words in ([str(picture["number"]), "filehelper"], [picture["message_id"], "filehelper"], ["filehelper"]):
        done = me.run("forward", "--recalled", *words, "--json")
        assert (done.code, done.line["way"]) == (0, "by_upload")
        assert sandbox.chat("me", "filehelper")["messages"][-1]["md5"] == picture["md5"]


def test_a_picture_that_is_not_archived_cannot_be_forwarded(me: Shell, sandbox: Sandbox) -> None:
    sent = send_picture(sandbox)
    recall(sandbox, sent["message_id"])
    assert me.run("listen", "--count", "2").code == 0

    assert me.run("recalled").stdout.endswith("  阿华: [picture]  [cannot be forwarded]\n")
    done = me.run("forward", "--recalled", sent["message_id"], "filehelper")
    assert (done.code, done.stdout) == (2, "")
    assert "keep" in done.sentence


def test_the_media_alone_can_be_purged(me: Shell, sandbox: Sandbox) -> None:
    listen_and_keep(me, sandbox, "me", "--keep")
    stats = me.run("journal", "stats", "--json").line
    assert (stats["kept"], stats["kept_size"]) == (1, len(pictures.jpeg()))

    assert me.run("journal", "purge", "--media", "--before", "1d", "--json").line == {"purged": 0}
    assert me.run("journal", "purge", "--media", "--json").line == {"purged": 1}
    assert send_files(me) == []
    assert me.run("recalled", "--json").line["way"] == "none"
    assert me.run("journal", "purge", "--media", "--chat", "阿华").code == 2


def test_a_recalled_text_is_listed_and_forwarded(me: Shell, sandbox: Sandbox) -> None:
    message_id = sandbox.say("阿华", "me", "a slip")
    recall(sandbox, message_id)
    sandbox.say("阿华", "me", "not recalled")
    kept = me.run("listen", "--count", "3", "--json").lines[2]

    assert me.run("recalled").stdout.endswith("  阿华: a slip  [can be forwarded]\n")
    assert me.run("recalled", "阿华", "--limit", "1", "--json").line["original"]["text"] == "a slip"
    assert me.run("recalled", "张三", "--json").lines == []
    assert me.run("forward", "--recalled", "filehelper").code == 0
    assert sandbox.chat("me", "filehelper")["messages"][-1]["text"] == "a slip"
    for which in (str(kept["number"]), "no such"):
        done = me.run("forward", "--recalled", which, "filehelper")
        assert (done.code, done.stdout) == (2, "")
        assert "'webwx recalled' lists" in done.sentence


def test_a_recall_without_its_message_is_listed_with_the_text_of_the_notice(me: Shell, sandbox: Sandbox) -> None:
    done = me.run("forward", "--recalled", "filehelper")
    assert (done.code, done.sentence) == (2, "webwx: The journal has no recalled message.")
    me.run("send", "阿华", "mine")
    assert me.run("recall").code == 0  # The message was never received here, so its content is unknown.
    me.run("listen", "--count", "1")

    assert "(content unknown)" in me.run("recalled").stdout
    done = me.run("forward", "--recalled", "filehelper")
    assert (done.code, done.stdout) == (2, "")
    assert "was never received here" in done.sentence
