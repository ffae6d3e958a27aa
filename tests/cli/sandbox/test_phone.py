"""`webwx phone`."""

from __future__ import annotations

import http.server
import socket
import threading
from pathlib import Path

import pytest
from tests.cli.conftest import PATIENCE, Sandbox, Shell

from webwx.cli.sandbox import pictures


def test_the_phone_scans_and_confirms(shell: Shell) -> None:
    with shell.start("login", "--json") as process:
        while "confirm there" not in process.stderr.readline():
            pass
        assert shell.run("phone", "scan", "张三", "--json").line == {"scanned": True}
        assert shell.run("phone", "confirm", "--json").line == {"confirmed": True}
        stdout, _ = process.communicate(timeout=20)
    assert '"张三"' in stdout


def test_the_phone_cancels_and_gets_a_new_code(shell: Shell) -> None:
    with shell.start("login") as process:
        for _ in range(2):
            while "confirm there" not in process.stderr.readline():
                pass
            shell.run("phone", "scan")
            assert shell.run("phone", "cancel", "--json").line == {"cancelled": True}
        process.terminate()


def test_an_expired_code_is_replaced_by_a_new_one(shell: Shell) -> None:
    with shell.start("login") as process:
        for _ in range(2):
            while "confirm there" not in process.stderr.readline():
                pass
            assert shell.run("phone", "expire", "--json").line == {"expired": True}
        process.terminate()


def test_a_call_is_refused_the_given_number_of_times(shell: Shell, me: Shell) -> None:
    refused = shell.run("phone", "refuse", "webwxsendmsg", "1205", "--json").line
    assert refused == {"endpoint": "webwxsendmsg", "ret": 1205, "times": 1}
    assert "1205" in me.run("send", "filehelper", "x").sentence
    assert me.run("send", "filehelper", "x").code == 0


def test_friends_send_and_recall_texts(shell: Shell) -> None:
    said = shell.run("phone", "say", "阿华", "me", "--really?", "--json").line
    assert list(said) == ["message_id"]
    (chat,) = [chat for chat in shell.run("phone", "inbox", "--json").line["chats"] if chat["chat"] == "阿华"]
    assert (chat["messages"][-1]["text"], chat["unread"]) == ("--really?", 1)

    assert shell.run("phone", "recall", "阿华", "me", "--json").line == said
    (chat,) = [chat for chat in shell.run("phone", "inbox", "me", "--json").line["chats"] if chat["chat"] == "阿华"]
    assert chat["messages"][-1]["recalled"] is True


def test_friends_send_pictures(shell: Shell, tmp_path: Path) -> None:
    file = tmp_path / "holiday.png"
    file.write_bytes(pictures.png())
    sent = shell.run("phone", "picture", "李雷", "周末爬山", str(file), "--json").line
    assert list(sent) == ["message_id", "md5"]
    shown = shell.run("phone", "inbox", "张三").stdout
    assert "周末爬山 - 1 unread" in shown
    assert "李雷: [picture, 235,568 bytes]" in shown


def test_an_inbox_is_one_object(shell: Shell) -> None:
    inbox = shell.run("phone", "inbox", "lilei", "--json").line
    assert list(inbox) == ["nickname", "id", "chats"]
    assert (inbox["nickname"], inbox["id"]) == ("李雷", "lilei")


def test_wait_prints_the_message_when_the_phone_shows_it(shell: Shell, sandbox: Sandbox) -> None:
    with shell.start("phone", "wait", "me", "on my") as process:
        sandbox.say("阿华", "me", "I am coming")
        sandbox.say("阿华", "me", "I am on my way")
        stdout, _ = process.communicate(timeout=PATIENCE)
    assert (process.returncode, stdout.split("  ")[-1]) == (0, "阿华: I am on my way\n")


def test_wait_takes_a_message_that_is_there_already(shell: Shell, sandbox: Sandbox) -> None:
    sandbox.say("阿华", "me", "--done")
    newest = sandbox.say("阿华", "me", "--done again")
    line = shell.run("phone", "wait", "me", "--done", "--json").line
    assert (line["chat"], line["message_id"], line["text"]) == ("阿华", newest, "--done again")


def test_wait_ends_with_1_after_its_timeout(shell: Shell) -> None:
    done = shell.run("phone", "wait", "me", "never", "--timeout", "1")
    assert (done.code, done.sentence) == (1, "webwx: No message on 小明's phone contains the text after 1 s.")


def test_wait_without_a_text_waits_for_a_sandbox_that_is_starting(shell: Shell) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        port = str(listening.getsockname()[1])
    server = f"http://127.0.0.1:{port}"
    assert shell.run("phone", "wait", "--timeout", "0.5", WEBWX_SERVER=server).code == 1
    with (
        shell.start("phone", "wait", WEBWX_SERVER=server) as waiting,
        shell.start("sandbox", "--port", port) as started,
    ):
        stdout, _ = waiting.communicate(timeout=PATIENCE)
        started.terminate()
    assert (waiting.returncode, stdout) == (0, "The sandbox is running.\n")


def test_wait_outlives_a_connection_that_breaks_off_while_the_sandbox_starts(shell: Shell) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        port = str(listening.getsockname()[1])
        waiting = shell.start("phone", "wait", WEBWX_SERVER=f"http://127.0.0.1:{port}")
        listening.accept()[0].close()
    with waiting, shell.start("sandbox", "--port", port) as started:
        stdout, _ = waiting.communicate(timeout=PATIENCE)
        started.terminate()
    assert (waiting.returncode, stdout) == (0, "The sandbox is running.\n")


def test_the_virtual_clock_can_be_advanced(shell: Shell) -> None:
    before = shell.run("phone", "wind", "0", "--json").line["now"]
    after = shell.run("phone", "wind", "1000", "--json").line["now"]
    assert 1000 <= after - before < 1060


@pytest.mark.parametrize("address", ["url", "control"])
def test_the_sandbox_is_named_by_either_address_before_or_after_the_command(
    address: str, shell: Shell, sandbox: Sandbox
) -> None:
    server = sandbox.first_line[address]
    assert shell.run("phone", "--server", server, "inbox", "me", WEBWX_SERVER="").code == 0
    assert shell.run("phone", "inbox", "me", "--server", server, WEBWX_SERVER="").code == 0


def test_without_a_sandbox_the_error_explains_how_to_name_one(shell: Shell) -> None:
    done = shell.run("phone", "inbox", "me", WEBWX_SERVER="")
    assert done.code == 2
    assert "--server" in done.sentence


def test_a_refusal_is_shown_with_the_sentence_of_the_sandbox(shell: Shell) -> None:
    done = shell.run("phone", "say", "unknown", "me", "hello")
    assert (done.code, done.stdout) == (2, "")
    assert "unknown" in done.sentence


def test_a_server_without_phones_is_not_a_sandbox(shell: Shell) -> None:
    class Page(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.end_headers()
            self.wfile.write(b"<html>It works!</html>")

        def log_message(self, *_: object) -> None:
            pass

    with http.server.HTTPServer(("127.0.0.1", 0), Page) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        done = shell.run("phone", "inbox", "me", "--server", f"http://127.0.0.1:{server.server_port}")
        server.shutdown()
        thread.join()
    assert done.code == 1
    assert "webwx sandbox" in done.sentence


def test_an_unreachable_server_is_a_network_failure(shell: Shell) -> None:
    assert shell.run("phone", "inbox", "me", "--server", "http://127.0.0.1:1").code == 6


def test_a_chat_is_opened_closed_and_read(shell: Shell, sandbox: Sandbox) -> None:
    for verb, line, unread in (
        ("open", {"opened": True}, 0),
        ("close", {"closed": True}, 1),
        ("read", {"read": True}, 0),
    ):
        sandbox.say("zhangsan", "lilei", "在吗")
        assert shell.run("phone", verb, "lilei", "张三", "--json").line == line
        assert sandbox.chat("lilei", "zhangsan")["unread"] == unread


def test_phones_add_friends(shell: Shell, sandbox: Sandbox) -> None:
    sandbox.control("ask", **{"from": "lilei", "to": "ahua", "greeting": "是我"})
    for arguments, line in (
        (("accept", "ahua", "lilei"), {"accepted": True}),
        (("remark", "ahua", "lilei", "--雷"), {"remark": "--雷"}),
        (("remark", "ahua", "lilei"), {"remark": ""}),
        (("pin", "ahua", "lilei"), {"pinned": True}),
        (("unpin", "ahua", "lilei"), {"pinned": False}),
        (("block", "ahua"), {"blocked": True}),
        (("unblock", "ahua", "me"), {"blocked": False}),
    ):
        assert shell.run("phone", "--json", *arguments).line == line


def test_a_phone_ends_the_web_login_and_goes_offline(shell: Shell, me: Shell) -> None:
    assert shell.run("phone", "offline", "--json").line == {"offline": True}
    refused = me.run("send", "filehelper", "hello")
    assert "ret 3" in refused.sentence
    assert shell.run("phone", "say", "me", "阿华", "hello").sentence == (
        "webwx: That phone is offline; put it online first."
    )
    assert shell.run("phone", "online", "--json").line == {"offline": False}
    assert shell.run("phone", "evict", "--json").line == {"evicted": True}
    assert shell.run("phone", "log-out").sentence == "webwx: 小明 has no web login."
