"""`webwx receive` and `webwx send`: files between machines by the command line alone."""

from __future__ import annotations

import base64
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from tests.cli.conftest import Shell, log_in, running_sandbox

from webwx.cli.sandbox import pictures

if TYPE_CHECKING:
    from tests.cli.conftest import Sandbox
    from tests.forks import Forks
    from tests.secret_scanner import SecretScanner

GIF = b"GIF89a" + bytes(40)
MP4 = b"\0\0\0\x18ftypmp42" + bytes(40)


def phone(sandbox: Sandbox, verb: str, content: bytes, to: str = "me", **fields: Any) -> str:
    """Send content from 阿华's phone to 小明."""
    body = {"from": "阿华", "to": to, "content": base64.b64encode(content).decode(), **fields}
    return str(sandbox.control(verb, **body)["message_id"])


def test_waiting_files_are_saved_once(me: Shell, sandbox: Sandbox, tmp_path: Path) -> None:
    me.run("receive", "--to", str(tmp_path))
    folder = tmp_path / "in"
    folder.mkdir()
    phone(sandbox, "file", b"one", name="报告.pdf")
    phone(sandbox, "file", b"two", name="报告.pdf")
    picture = phone(sandbox, "picture", pictures.jpeg())
    sandbox.say("阿华", "me", "and a text")
    done = me.run("receive", "--to", str(folder))

    assert done.code == 0
    assert done.stdout.splitlines() == [str(folder / name) for name in ("报告.pdf", "报告 (2).pdf", f"{picture}.jpg")]
    assert [(folder / "报告.pdf").read_bytes(), (folder / "报告 (2).pdf").read_bytes()] == [b"one", b"two"]
    assert (folder / f"{picture}.jpg").read_bytes() == pictures.jpeg()
    assert done.stderr == ""
    assert me.run("receive", "--to", str(folder)).stdout == ""


def test_files_of_one_chat_are_saved_and_a_line_has_stable_keys(me: Shell, sandbox: Sandbox, tmp_path: Path) -> None:
    me.run("receive", "--to", str(tmp_path))
    folder = tmp_path / "in"
    folder.mkdir()
    phone(sandbox, "file", b"private", name="a.txt")
    message_id = phone(sandbox, "file", b"in the room", to="周末爬山", name="b.txt")
    done = me.run("receive", "--to", str(folder), "--from", "周末爬山", "--json")

    assert done.line["path"] == str(folder / "b.txt")
    assert (done.line["message_id"], done.line["type"]) == (message_id, "message.file")
    assert [each.name for each in folder.iterdir()] == ["b.txt"]


def test_a_missing_file_is_reported_and_the_others_are_saved(me: Shell, sandbox: Sandbox, tmp_path: Path) -> None:
    me.run("receive", "--to", str(tmp_path))
    folder = tmp_path / "in"
    folder.mkdir()
    phone(sandbox, "picture", pictures.jpeg())
    sandbox.control("recall", **{"from": "阿华", "to": "me"})
    phone(sandbox, "file", b"there", name="a.txt")
    done = me.run("receive", "--to", str(folder))

    assert done.code != 0
    assert done.stdout.splitlines() == [str(folder / "a.txt")]
    assert "recalled, has expired, or is not there yet" in done.stderr


@pytest.mark.verify  # A download is tried again after some seconds.
def test_an_empty_download_is_given_up_after_three_runs(me: Shell, sandbox: Sandbox, tmp_path: Path) -> None:
    phone(sandbox, "picture", pictures.jpeg())
    sandbox.control("recall", **{"from": "阿华", "to": "me"})
    for then in ("tried again the next time", "tried again the next time", "given up"):
        done = me.run("receive", "--to", str(tmp_path))
        assert (done.code, done.stdout) == (1, "")
        assert then in done.stderr
    done = me.run("receive", "--to", str(tmp_path))
    assert (done.code, done.stdout, done.stderr) == (0, "", "")


def test_a_failed_download_is_repeated_in_the_next_run_and_delays_no_other(
    me: Shell, sandbox: Sandbox, tmp_path: Path
) -> None:
    sandbox.control("faults", fault="media_cut", endpoint="webwxgetmsgimg", times=3)
    picture = phone(sandbox, "picture", pictures.jpeg())
    phone(sandbox, "file", b"there", name="a.txt")
    broken = me.run("receive", "--to", str(tmp_path))
    assert (broken.code, broken.stdout) == (6, f"{tmp_path / 'a.txt'}\n")
    assert "next time" in broken.stderr

    done = me.run("receive", "--to", str(tmp_path))
    assert (done.code, done.stdout) == (0, f"{tmp_path / f'{picture}.jpg'}\n")
    assert me.run("receive", "--to", str(tmp_path)).stdout == ""
    assert sorted(path.name for path in tmp_path.iterdir() if path.is_file()) == sorted(["a.txt", f"{picture}.jpg"])


def test_files_of_the_phone_are_saved_and_own_sends_are_not(
    tmp_path: Path, secret_scanner: SecretScanner, forks: Forks
) -> None:
    file = tmp_path / "own.txt"
    file.write_text("own")
    folder = tmp_path / "in"
    folder.mkdir()
    with running_sandbox(forks, "--echo", "on") as sandbox:
        me = Shell(tmp_path / "home", sandbox.url, secret_scanner.record, forks)
        log_in("me", me.settings, sandbox, secret_scanner)
        assert me.run("send", "--file", str(file)).code == 0
        sandbox.control("file", **{"from": "me", "to": "filehelper", "name": "phone.txt", "content": "b25l"})
        assert len(sandbox.chat("me", "filehelper")["messages"]) == 2
        done = me.run("receive", "--to", str(folder))
    assert (done.code, done.stdout) == (0, f"{folder / 'phone.txt'}\n")


def test_listen_and_receive_both_get_every_event(me: Shell, sandbox: Sandbox, tmp_path: Path) -> None:
    phone(sandbox, "file", b"one", name="a.txt")
    assert me.run("receive", "--to", str(tmp_path)).stdout == f"{tmp_path / 'a.txt'}\n"
    assert me.run("listen", "--json", "--count", "1").line["name"] == "a.txt"


def test_receive_ends_with_3_while_listen_runs(me: Shell, sandbox: Sandbox, tmp_path: Path) -> None:
    with me.start("listen", "--json") as listening:
        phone(sandbox, "file", b"one", name="a.txt")
        listening.stdout.readline()
        done = me.run("receive", "--to", str(tmp_path))
        listening.terminate()
    assert (done.code, done.stdout) == (3, "")
    assert me.run("receive", "--to", str(tmp_path)).stdout == f"{tmp_path / 'a.txt'}\n"


@pytest.mark.verify  # A download is tried again after some seconds.
def test_with_follow_a_failed_download_is_repeated(me: Shell, sandbox: Sandbox, tmp_path: Path) -> None:
    sandbox.control("faults", fault="media_cut", endpoint="webwxgetmsgimg", times=4)
    picture = phone(sandbox, "picture", pictures.jpeg())
    with me.start("receive", "--to", str(tmp_path), "--follow") as receiving:
        assert receiving.stdout.readline() == f"{tmp_path / f'{picture}.jpg'}\n"
        receiving.terminate()
        assert receiving.wait(20) == 0


@pytest.mark.verify  # A download is tried again after some seconds.
def test_a_reader_that_closes_the_pipe_is_a_normal_end(me: Shell, sandbox: Sandbox, tmp_path: Path) -> None:
    sandbox.control("faults", fault="media_late", endpoint="webwxgetmsgimg", times=1, options={"seconds": "6"})
    picture = phone(sandbox, "picture", pictures.jpeg())
    with me.start("-v", "receive", "--to", str(tmp_path)) as receiving:
        while "webwxsync -> 200" not in receiving.stderr.readline():
            pass
        receiving.stdout.close()
        assert receiving.wait(20) == 0
        receiving.stderr.read()
    assert me.run("receive", "--to", str(tmp_path)).stdout == f"{tmp_path / f'{picture}.jpg'}\n"


@pytest.mark.verify  # A download is tried again after some seconds.
def test_without_follow_sigterm_is_not_a_normal_end(me: Shell, sandbox: Sandbox, tmp_path: Path) -> None:
    sandbox.control("faults", fault="media_late", endpoint="webwxgetmsgimg", times=1, options={"seconds": "15"})
    picture = phone(sandbox, "picture", pictures.jpeg())
    with me.start("-v", "receive", "--to", str(tmp_path)) as receiving:
        while "webwxsync -> 200" not in receiving.stderr.readline():
            pass
        receiving.terminate()
        assert receiving.wait(20) == 143
        receiving.stderr.read()
    assert me.run("receive", "--to", str(tmp_path)).stdout == f"{tmp_path / f'{picture}.jpg'}\n"


def test_with_follow_files_are_saved_as_they_arrive_until_a_signal(me: Shell, sandbox: Sandbox, tmp_path: Path) -> None:
    me.run("receive", "--to", str(tmp_path))
    folder = tmp_path / "in"
    folder.mkdir()
    with me.start("receive", "--to", str(folder), "--follow") as receiving:
        for name in ("a.txt", "b.txt"):
            phone(sandbox, "file", name.encode(), name=name)
            assert receiving.stdout.readline() == f"{folder / name}\n"
        receiving.terminate()
        assert receiving.wait(20) == 0

    assert (folder / "b.txt").read_bytes() == b"b.txt"


@pytest.mark.parametrize(
    ("option", "name", "content", "kind"),
    [
        ("--file", "报告 a&b.pdf", b"%PDF", "file"),
        ("--video", "a.mp4", MP4, "video"),
        ("--sticker", "a.gif", GIF, "sticker"),
        ("--image", "a.gif", GIF, "sticker"),
    ],
)
def test_every_kind_can_be_sent(
    option: str, name: str, content: bytes, kind: str, me: Shell, sandbox: Sandbox, tmp_path: Path
) -> None:
    path = tmp_path / name
    path.write_bytes(content)
    done = me.run("send", option, str(path), "--json")
    shown = sandbox.chat("me", "filehelper")["messages"][-1]

    assert done.code == 0
    assert (shown["message_id"], shown["kind"], shown["size"]) == (done.line["message_id"], kind, len(content))
    assert shown["text"] in {"", name}


def test_two_contents_in_one_send_are_refused(me: Shell) -> None:
    done = me.run("send", "--file", "a", "--image", "b")

    assert (done.code, done.stdout) == (2, "")


def test_a_missing_folder_is_refused(me: Shell, tmp_path: Path) -> None:
    assert me.run("receive", "--to", str(tmp_path / "no")).code == 2
