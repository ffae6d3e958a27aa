"""`webwx sandbox --state` and `webwx phone save`."""

from __future__ import annotations

import asyncio
import json
import stat
from typing import TYPE_CHECKING

import pytest

from webwx.cli.sandbox.saved_world import kept
from webwx.errors import StorageError
from webwx.protocol.contacts import SEARCHCONTACT, SearchContactRequest
from webwx.protocol.hosts import single
from webwx.protocol.login import Credentials
from webwx.sandbox.core import SandboxCore
from webwx.sandbox.state import load
from webwx.sandbox.world import default_world

if TYPE_CHECKING:
    from pathlib import Path

    from tests.cli.conftest import Sandbox, Shell
    from tests.secret_scanner import SecretScanner

PATIENCE = 20.0


def test_a_saved_world_continues_with_its_logins(shell: Shell, tmp_path: Path) -> None:
    state = tmp_path / "home.state"
    kept = ("sandbox", "--port", "0", "--json", "--auto-confirm", "--state", str(state))
    with shell.start(*kept) as process:
        url = json.loads(process.stdout.readline())["url"]
        assert shell.run("login", "--server", url).code == 0
        shell.run("phone", "say", "阿华", "me", "Remember me.", "--server", url)
        second = shell.run(*kept)
        process.terminate()
        process.wait(PATIENCE)
    assert (second.code, second.error["message"]) == (
        1, f"Another sandbox uses {state}; end it first, or pass another file.",
    )  # fmt: skip
    assert stat.S_IMODE(state.stat().st_mode) == 0o600
    with shell.start(
        "sandbox", "--port", url.rpartition(":")[2], "--json", "--state", str(state), "--world", "big"
    ) as process:
        assert (
            process.stderr.readline()
            == f"{state} continues with its saved world; --world big applies only to a new file.\n"
        )
        process.stdout.readline()
        received = shell.run("listen", "--json", "--count", "1", "--server", url)
        process.terminate()
    assert received.line["text"] == "Remember me."


def test_a_copy_can_be_saved_at_any_time_and_is_private(shell: Shell, sandbox: Sandbox, tmp_path: Path) -> None:
    sandbox.say("阿华", "me", "copy me")
    copy = tmp_path / "copy.state"
    done = shell.run("phone", "save", str(copy), "--json")
    assert done.line == {"file": str(copy), "size": copy.stat().st_size}
    assert stat.S_IMODE(copy.stat().st_mode) == 0o600
    assert load(copy.read_bytes()).inbox("me")["ahua"].messages[-1].text == "copy me"


def test_a_file_of_another_format_is_refused_and_not_changed(shell: Shell, tmp_path: Path) -> None:
    path = tmp_path / "notes.txt"
    path.write_text("notes", "utf-8")
    done = shell.run("sandbox", "--port", "0", "--state", str(path))
    assert (done.code, done.stdout) == (2, "")
    assert done.sentence == "webwx: notes.txt: This is not a saved sandbox."
    assert path.read_text("utf-8") == "notes"


async def test_changes_are_saved_soon_and_not_only_at_the_end(tmp_path: Path) -> None:
    world, path = default_world(), tmp_path / "home.state"
    async with kept(world, path, pytest.fail), asyncio.timeout(PATIENCE):
        await asyncio.sleep(0)
        world.say("ahua", "me", "soon")
        while "ahua" not in load(path.read_bytes()).inbox("me"):  # noqa: ASYNC110 - it is the disk's
            await asyncio.sleep(0.05)
        world.say("ahua", "me", "at the end")
    assert [message.text for message in load(path.read_bytes()).inbox("me")["ahua"].messages] == ["soon", "at the end"]


async def test_a_name_that_a_login_has_received_is_saved(tmp_path: Path, secret_scanner: SecretScanner) -> None:
    world, path = default_world(), tmp_path / "home.state"
    secret_scanner.watch(world.issued)
    session = world.log_in(world.person("me"))
    keys = Credentials(uin=session.person.uin, sid=session.keys.sid, skey=session.keys.skey, device_id="e1")
    request = SearchContactRequest(credentials=keys, key_word="张三")
    async with kept(world, path, pytest.fail), asyncio.timeout(PATIENCE):
        await asyncio.sleep(0)
        SandboxCore(world).answer(SEARCHCONTACT.encode_request(request, single("http://127.0.0.1:8790")))
        while "zhangsan" not in load(path.read_bytes()).logins.sessions[0].names.known:  # noqa: ASYNC110 - as above
            await asyncio.sleep(0.05)


async def test_a_disk_that_cannot_be_written_is_an_error_at_once(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("", "utf-8")
    with pytest.raises(StorageError):
        async with kept(default_world(), tmp_path / "file" / "home.state", pytest.fail):
            pytest.fail("It began all the same.")


async def test_a_later_disk_error_is_reported_and_the_world_is_saved_afterwards(tmp_path: Path) -> None:
    world, path, reports = default_world(), tmp_path / "home.state", list[str]()
    async with kept(world, path, reports.append), asyncio.timeout(PATIENCE):
        await asyncio.sleep(0)
        path.unlink()
        path.mkdir()
        world.say("ahua", "me", "in spite of all")
        while not reports:  # noqa: ASYNC110 - as above
            await asyncio.sleep(0.05)
        path.rmdir()
    assert reports[0].startswith(f"{path} cannot be written: ")
    assert load(path.read_bytes()).inbox("me")["ahua"].messages[-1].text == "in spite of all"


@pytest.mark.verify
def test_listen_gets_every_message_once_across_restarts_of_the_sandbox(shell: Shell, tmp_path: Path) -> None:
    kept = ("--json", "--auto-confirm", "--state", str(tmp_path / "home.state"))
    with shell.start("sandbox", "--port", "0", *kept) as process:
        url = json.loads(process.stdout.readline())["url"]
        shell.run("login", "--server", url)
        listener = shell.start("listen", "--json", "--count", "3", "--server", url)
        shell.run("phone", "say", "阿华", "me", "one", "--server", url)
        received = [json.loads(listener.stdout.readline())["text"]]
        process.terminate()
        process.wait(PATIENCE)
    for words in ("two", "three"):
        with shell.start("sandbox", "--port", url.rpartition(":")[2], *kept) as process:
            process.stdout.readline()
            shell.run("phone", "say", "阿华", "me", words, "--server", url)
            received.append(json.loads(listener.stdout.readline())["text"])
            process.kill() if words == "two" else process.terminate()
            process.wait(PATIENCE)
    rest, _ = listener.communicate(timeout=PATIENCE)
    assert (listener.returncode, received, rest) == (0, ["one", "two", "three"], "")
