"""`webwx send`, `read`, `recall`, `forward` and `listen`, each command in its own process."""

from __future__ import annotations

import asyncio
import base64
import fcntl
import hashlib
import json
import shutil
import signal
import subprocess
import sys
import termios
from pathlib import Path
from typing import Any

import msgspec
import pytest
from tests.cli.conftest import Sandbox, Shell

from webwx.cli.sandbox import pictures
from webwx.model.events import (
    Item,
)
from webwx.storage.login import LoginFile

WEBWX = Path(sys.executable).with_name("webwx")

TEXT = "你好 👋 <b>&amp;</b> \\n \"quoted\" 'too'"


def last_message(sandbox: Sandbox, who: str, chat_id: str) -> dict[str, Any]:
    """Return the newest message of a chat on a person's phone."""
    return sandbox.chat(who, chat_id)["messages"][-1]  # type: ignore[no-any-return]


# -- send ------------------------------------------------------------------------------------------------------------


def test_the_receipt_is_one_line_with_stable_keys(me: Shell, sandbox: Sandbox) -> None:
    done = me.run("send", "filehelper", "hello", "--json")
    assert (done.code, done.stderr) == (0, "")
    assert list(done.line) == ["message_id", "client_id", "chat", "time", "way"]
    assert done.line["chat"] == "filehelper"
    assert last_message(sandbox, "me", "filehelper")["message_id"] == done.line["message_id"]


@pytest.mark.parametrize("to", ["阿华", "Boss", "李雷", "周末爬山"])
def test_a_friend_is_named_by_remark_or_nickname_and_a_chatroom_by_its_name(
    to: str, me: Shell, sandbox: Sandbox
) -> None:
    assert me.run("send", to, TEXT).code == 0
    chat_id = {"阿华": "ahua", "Boss": "lilei", "李雷": "lilei", "周末爬山": "hiking"}[to]
    assert last_message(sandbox, "me", chat_id)["text"] == TEXT


def test_a_friend_is_named_by_id(me: Shell, sandbox: Sandbox) -> None:
    (friend,) = [contact for contact in me.run("contacts", "--json").lines if contact["nickname"] == "张三"]
    assert me.run("send", friend["id"], "by id", "--json").line["chat"] == friend["id"]
    assert last_message(sandbox, "me", "zhangsan")["text"] == "by id"


@pytest.mark.parametrize(
    "text", ["/etc/passwd", "@/etc/passwd", "--image=/etc/passwd", "-5", "$(id)", "`id`", "@img@/etc/passwd", "*"]
)
def test_a_text_that_looks_like_an_option_is_sent_as_text(text: str, me: Shell, sandbox: Sandbox) -> None:
    assert me.run("send", "filehelper", text).code == 0
    shown = last_message(sandbox, "me", "filehelper")
    assert (shown["kind"], shown["text"]) == ("text", text)


@pytest.mark.parametrize(
    ("piped", "text"), [("from a pipe\n", "from a pipe"), ("two\nlines\n\n", "two\nlines\n"), ("你好", "你好")]
)
def test_without_words_the_text_is_read_from_stdin(piped: str, text: str, me: Shell, sandbox: Sandbox) -> None:
    assert me.run("send", "--json", stdin=piped).line["chat"] == "filehelper"
    assert last_message(sandbox, "me", "filehelper")["text"] == text


def test_a_hyphen_as_text_reads_the_text_from_stdin_and_says_so(me: Shell, sandbox: Sandbox) -> None:
    done = me.run("send", "阿华", "-", stdin="from a pipe\n")
    assert (done.code, done.sentence) == (0, "The text is read from stdin; '-- -' sends a hyphen.")
    assert last_message(sandbox, "me", "ahua")["text"] == "from a pipe"
    assert me.run("send", "阿华", "--", "-", stdin="from a pipe\n").stderr == ""
    assert last_message(sandbox, "me", "ahua")["text"] == "-"


def test_a_text_that_names_a_file_is_sent_with_a_hint(me: Shell, sandbox: Sandbox, tmp_path: Path) -> None:
    (photo := tmp_path / "photo.jpg").write_bytes(pictures.jpeg())
    done = me.run("send", "阿华", str(photo))
    assert (done.code, last_message(sandbox, "me", "ahua")["text"]) == (0, str(photo))
    assert done.sentence == f"The name '{photo}' was sent as text; --file sends the file, --image a picture."
    assert me.run("send", "阿华", str(photo), "--json").stderr == ""
    assert me.run("send", "阿华", "long" * 1000).stderr == ""
    alone = me.run("send", str(photo))
    assert (alone.code, "pass --file before it" in alone.sentence) == (2, True)


@pytest.mark.parametrize(
    ("arguments", "piped", "what"),
    [
        (["filehelper", b"caf\xe9"], b"", "TEXT"),
        ([], b"caf\xe9", "stdin"),
        (["--file", __file__, "--name", b"caf\xe9"], b"", "NAME"),
    ],
)
def test_a_text_that_is_not_utf8_is_refused_and_stores_no_send(
    arguments: list[str | bytes], piped: bytes, what: str, me: Shell
) -> None:
    done = me.run("send", *arguments, stdin=piped)
    assert (done.code, done.stdout) == (2, "")
    assert done.sentence.startswith(f"webwx: {what} is not valid UTF-8, so nothing was sent")
    assert me.run("outbox", "--json").lines == []


@pytest.mark.parametrize("text", ["", " ", "\n\t \u3000\n"])
def test_a_blank_text_is_refused_and_stores_no_send(text: str, me: Shell) -> None:
    for done in (me.run("send", "filehelper", text), me.run("send", stdin=text)):
        assert (done.code, done.sentence) == (2, "webwx: The text is empty; pass a text to send.")
    assert me.run("outbox", "--json").lines == []


@pytest.mark.parametrize("to", [[], ["filehelper"], ["阿华"]])
def test_a_picture_without_a_recipient_is_sent_to_filehelper(
    to: list[str], me: Shell, sandbox: Sandbox, tmp_path: Path
) -> None:
    file = tmp_path / "holiday.png"
    file.write_bytes(pictures.png())
    assert me.run("send", *to, "--image", str(file)).code == 0
    shown = last_message(sandbox, "me", "ahua" if to == ["阿华"] else "filehelper")
    assert (shown["kind"], shown["size"]) == ("image", len(pictures.png()))


@pytest.mark.parametrize("to", [[], ["阿华"]])
@pytest.mark.parametrize(
    ("option", "kind", "content", "name", "shown"),
    [
        ("--file", "file", b"CREATE \xff\n", "backup.sql", "backup.sql"),
        ("--file", "file", b"CREATE \xff\n", None, "file"),
        ("--image", "image", pictures.png(), None, ""),
        ("--video", "video", b"\0\0\0\x18ftypmp42", None, ""),
        ("--sticker", "sticker", b"GIF89a", None, ""),
    ],
)
def test_a_dash_reads_the_file_from_stdin(
    to: list[str], option: str, kind: str, content: bytes, name: str | None, shown: str, me: Shell, sandbox: Sandbox
) -> None:
    named = [] if name is None else ["--name", name]
    assert me.run("send", *to, option, "-", *named, stdin=content).code == 0
    sent = last_message(sandbox, "me", "ahua" if to else "filehelper")
    assert (sent["kind"], sent["md5"]) == (kind, hashlib.md5(content).hexdigest())
    assert shown in sent["text"]


def test_an_empty_stdin_is_an_empty_file(me: Shell) -> None:
    done = me.run("send", "--file", "-")
    assert (done.code, done.sentence) == (2, "webwx: The file has no bytes.")


def test_a_file_named_dash_is_given_with_its_folder(me: Shell, sandbox: Sandbox, tmp_path: Path) -> None:
    (tmp_path / "-").write_bytes(b"dash")
    with me.start("send", "--file", "./-", "--json", folder=tmp_path) as process:
        assert process.wait(20) == 0
    assert last_message(sandbox, "me", "filehelper")["md5"] == hashlib.md5(b"dash").hexdigest()


def test_a_name_needs_a_file(me: Shell) -> None:
    done = me.run("send", "filehelper", "text", "--name", "x")
    assert (done.code, done.stdout) == (2, "")
    assert "--name needs --file" in done.sentence


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_command_that_waits_for_stdin_ends_by_a_signal(number: signal.Signals, code: int, me: Shell) -> None:
    with me.start("send", "--file", "-", stdin=subprocess.PIPE) as process:
        process.stdin.write("not all of it")
        process.stdin.flush()
        while int.from_bytes(fcntl.ioctl(process.stdin, termios.FIONREAD, bytes(4)), sys.byteorder):
            pass  # The command has not read it yet.
        process.send_signal(number)
        assert process.wait(20) == code


@pytest.mark.parametrize("words", [["阿华"], ["阿华", "two", "three"], ["阿华", "text", "--image", "a.png"]])
def test_another_image_format_is_refused_with_the_valid_ones(words: list[str], me: Shell) -> None:
    done = me.run("send", *words)
    assert (done.code, done.stdout) == (2, "")
    for form in ("TO and TEXT", "[TO] and --image", "stdin"):
        assert form in done.sentence


# This server is not reachable: code 2 instead of 6 proves that the input was refused before any request.
NOWHERE = "http://127.0.0.1:1"


@pytest.fixture
def offline(me: Shell) -> Any:
    """A shell with a login whose server is no longer reachable."""
    settings = me.settings.login_path
    saved = settings.read_text().replace(me.environment["WEBWX_SERVER"], NOWHERE)
    nowhere = settings.with_name("127.0.0.1-1.json")
    nowhere.write_text(saved)
    nowhere.chmod(0o600)
    nowhere.with_suffix(".contacts.json").write_text(settings.with_suffix(".contacts.json").read_text())
    me.environment["WEBWX_SERVER"] = NOWHERE
    return me


@pytest.mark.parametrize(
    "arguments",
    [
        ["send", "unknown", "hello"],
        ["send", "filehelper", ""],
        ["send", "filehelper", "x" * 16_001],
        ["send", "--image", "no-such-file.png"],
        ["send", "--image", __file__],
        ["read", "unknown"],
    ],
    ids=lambda arguments: " ".join(arguments)[:40],
)
def test_bad_input_is_refused_before_any_request(arguments: list[str], offline: Any) -> None:
    done = offline.run(*arguments)
    assert (done.code, done.stdout) == (2, "")
    assert done.sentence.startswith("webwx: ")


def test_an_unreachable_server_is_a_network_failure(offline: Any) -> None:
    done = offline.run("send", "filehelper", "hello")
    assert (done.code, done.stdout) == (6, "")
    assert "nothing was sent" in done.sentence


def test_two_contacts_of_one_name_are_listed_with_their_ids(offline: Any) -> None:
    beside = offline.settings.login_path.with_name("127.0.0.1-1.contacts.json")
    beside.write_text('[{"id": "@a", "nickname": "小红"}, {"id": "@b", "nickname": "小红"}]')
    done = offline.run("send", "小红", "hello")
    assert done.code == 2
    assert "@a" in done.sentence
    assert "@b" in done.sentence


def test_without_a_login_nothing_is_sent(shell: Shell) -> None:
    done = shell.run("send", "filehelper", "hello")
    assert (done.code, done.stdout) == (4, "")
    assert "webwx login" in done.sentence


# -- read ------------------------------------------------------------------------------------------------------------


def test_a_chat_is_marked_as_read_on_the_server(me: Shell, sandbox: Sandbox) -> None:
    for text in ("one", "two", "three"):
        sandbox.say("阿华", "me", text)
    assert sandbox.chat("me", "ahua")["unread"] >= 3
    done = me.run("read", "阿华", "--json")
    assert (done.code, done.line["read"]) == (0, True)
    assert sandbox.chat("me", "ahua")["unread"] == 0


# -- recall ----------------------------------------------------------------------------------------------------------


def test_a_receipt_on_stdin_is_recalled_by_another_process(me: Shell, sandbox: Sandbox) -> None:
    first = me.run("send", "阿华", "the first", "--json")
    me.run("send", "阿华", "the second")
    done = me.run("recall", "--json", stdin=first.stdout)
    assert done.line == {"recalled": True, "message_id": first.line["message_id"], "chat": first.line["chat"]}
    recalled = {m["message_id"]: m["recalled"] for m in sandbox.chat("阿华", "xiaoming")["messages"][-2:]}
    assert list(recalled.values()) == [True, False]


def test_without_a_receipt_the_last_message_is_recalled_once(me: Shell, sandbox: Sandbox) -> None:
    me.run("send", "阿华", "meant so")
    me.run("send", "阿华", "a slip")
    assert me.run("recall").stdout == "Recalled; 阿华 sees that a message was recalled, but not its content.\n"
    done = me.run("recall")
    assert (done.code, done.stdout) == (2, "")
    meant, slip = sandbox.chat("阿华", "xiaoming")["messages"][-2:]
    assert (meant["recalled"], slip["recalled"]) == (False, True)


def test_a_send_is_recalled_by_its_number_or_its_message_s_id(me: Shell, sandbox: Sandbox) -> None:
    sent = [me.run("send", "阿华", text, "--json").line for text in ("one", "two", "three")]
    number = next(send["number"] for send in me.run("outbox", "--json").lines if send["text"] == "one")
    assert me.run("recall", str(number), "--json").line["message_id"] == sent[0]["message_id"]
    assert me.run("recall", sent[1]["message_id"], "--json").line["message_id"] == sent[1]["message_id"]
    assert [m["recalled"] for m in sandbox.chat("阿华", "xiaoming")["messages"][-3:]] == [True, True, False]


def test_a_second_recall_of_a_message_succeeds(me: Shell) -> None:
    me.run("send", "阿华", "a slip")
    [number] = [send["number"] for send in me.run("outbox", "--json").lines]
    done = [me.run("recall", str(number)) for _ in range(2)]
    assert [(0, done[0].stdout)] * 2 == [(each.code, each.stdout) for each in done]


@pytest.mark.parametrize("which", ["999999", "#x", "1" * 30])
def test_a_message_that_was_not_sent_from_here_cannot_be_recalled(which: str, me: Shell) -> None:
    done = me.run("recall", which)
    assert (done.code, done.stdout) == (2, "")
    assert "'webwx outbox' lists" in done.sentence


def test_a_message_sent_from_the_phone_is_recalled_by_its_event(me: Shell, sandbox: Sandbox) -> None:
    for text in ("one", "two", "three"):
        sandbox.say("me", "阿华", text)
    events = me.run("listen", "--json", "--count", "3")
    piped, numbered, named = events.lines
    assert me.run("recall", "--json", stdin=events.stdout.splitlines()[0]).line["message_id"] == piped["message_id"]
    assert me.run("recall", "--event", str(numbered["number"])).code == 0
    assert me.run("recall", named["message_id"]).code == 0
    assert [m["recalled"] for m in sandbox.chat("阿华", "xiaoming")["messages"][-3:]] == [True, True, True]


def test_the_message_of_another_person_cannot_be_recalled(me: Shell, sandbox: Sandbox) -> None:
    sandbox.say("阿华", "me", "mine")
    event = me.run("listen", "--json", "--count", "1").line
    done = me.run("recall", "--event", str(event["number"]))
    assert (done.code, done.stdout) == (2, "")
    assert "Only a message of this account can be recalled." in done.sentence


def test_a_recall_takes_a_number_of_the_outbox_or_of_the_history(me: Shell) -> None:
    done = me.run("recall", "1", "--event", "2")
    assert (done.code, "not both" in done.stderr) == (2, True)


def test_a_recall_after_two_minutes_is_refused(me: Shell, sandbox: Sandbox) -> None:
    me.run("send", "阿华", "for ever")
    sandbox.control("wind", seconds=121)
    done = me.run("recall")
    assert (done.code, done.stdout) == (5, "")
    assert last_message(sandbox, "阿华", "xiaoming")["recalled"] is False


@pytest.mark.parametrize(("arguments", "piped"), [(["-"], "hello\n"), (["-"], ""), ([], '{"hello": 1}\n')])
def test_an_invalid_receipt_is_refused(arguments: list[str], piped: str, me: Shell) -> None:
    me.run("send", "阿华", "stays")
    done = me.run("recall", *arguments, stdin=piped)
    assert done.code == 2
    assert "webwx send --json" in done.sentence


def test_a_receipt_on_stdin_can_be_asked_for_by_a_hyphen(me: Shell) -> None:
    sent = me.run("send", "阿华", "one", "--json")
    me.run("send", "阿华", "two")
    assert me.run("recall", "-", "--json", stdin=sent.stdout).line["message_id"] == sent.line["message_id"]


def test_an_empty_stdin_recalls_nothing(me: Shell, sandbox: Sandbox) -> None:
    me.run("send", "阿华", "stays")
    command = f"{WEBWX} send unknown-contact 'a slip' --json | {WEBWX} recall"
    piped = subprocess.run(["sh", "-c", command], env=me.environment, capture_output=True, text=True, check=False)
    from_file = me.run("recall", stdin="")
    assert (piped.returncode, from_file.code) == (2, 2)
    for said in (piped.stderr, from_file.sentence):
        assert "stdin is empty, so nothing was recalled" in said
    assert last_message(sandbox, "阿华", "xiaoming")["recalled"] is False


def test_a_recall_says_that_it_waits_for_a_silent_pipe(me: Shell) -> None:
    sent = me.run("send", "阿华", "a slip", "--json")
    with me.start("recall", "--json", stdin=subprocess.PIPE) as recaller:
        assert "Waiting for a receipt" in recaller.stderr.readline()
        recaller.stdin.write(sent.stdout)
        recaller.stdin.close()
        assert json.loads(recaller.stdout.readline())["message_id"] == sent.line["message_id"]


def test_stdin_that_holds_no_json_is_not_used_by_recall(me: Shell, tmp_path: Path) -> None:
    sent = me.run("send", "阿华", "a slip", "--json").line
    assert me.run("recall", "--json", stdin="echo the next line of a script\n").line["message_id"] == sent["message_id"]
    me.run("send", "阿华", "another slip")
    (script := tmp_path / "script").write_text("echo the next line\n")
    command = f"({WEBWX} recall > /dev/null; cat) < {script}"
    done = subprocess.run(["sh", "-c", command], env=me.environment, capture_output=True, text=True, check=True)
    assert done.stdout == "echo the next line\n"


# -- forward ---------------------------------------------------------------------------------------------------------


def test_a_recalled_picture_is_forwarded_by_its_line_of_listen(me: Shell, sandbox: Sandbox) -> None:
    content = base64.b64encode(pictures.jpeg()).decode()
    sent = sandbox.control("picture", **{"from": "阿华", "to": "me", "name": "a.jpg", "content": content})
    listened = me.run("listen", "--json", "--count", "1")
    assert listened.line["type"] == "message.image"
    sandbox.control("recall", **{"from": "阿华", "to": "me", "message_id": sent["message_id"]})

    done = me.run("forward", "filehelper", "--json", stdin=listened.stdout)
    assert list(done.line) == ["message_id", "client_id", "chat", "time", "way"]
    shown = last_message(sandbox, "me", "filehelper")
    assert (shown["message_id"], shown["md5"]) == (done.line["message_id"], sent["md5"])


def test_a_text_is_forwarded_and_can_be_recalled_like_any_other_send(me: Shell, sandbox: Sandbox) -> None:
    sandbox.say("阿华", "me", TEXT)
    line = me.run("listen", "--json", "--count", "1").stdout
    assert me.run("forward", "张三", stdin=line).code == 0
    assert last_message(sandbox, "me", "zhangsan")["text"] == TEXT
    assert me.run("recall").code == 0
    assert last_message(sandbox, "me", "zhangsan")["recalled"] is True


def test_a_message_is_forwarded_by_its_number_and_by_its_id(me: Shell, sandbox: Sandbox) -> None:
    message_id = sandbox.say("阿华", "me", TEXT)
    number = me.run("listen", "--json", "--count", "1").line["number"]
    for which in (str(number), f"#{number}", message_id):
        assert me.run("forward", which, "张三").code == 0
    assert [message["text"] for message in sandbox.chat("me", "zhangsan")["messages"][-3:]] == [TEXT] * 3


def test_a_recalled_picture_is_forwarded_by_the_number_of_the_notice(me: Shell, sandbox: Sandbox) -> None:
    content = base64.b64encode(pictures.jpeg()).decode()
    sent = sandbox.control("picture", **{"from": "阿华", "to": "me", "name": "a.jpg", "content": content})
    sandbox.control("recall", **{"from": "阿华", "to": "me", "message_id": sent["message_id"]})
    notice = me.run("listen", "--json", "--count", "2").lines[1]
    assert me.run("forward", str(notice["number"]), "filehelper").code == 0
    assert last_message(sandbox, "me", "filehelper")["md5"] == sent["md5"]


@pytest.mark.parametrize("words", [["999999", "filehelper"], ["#x", "filehelper"], ["1" * 30, "filehelper"], []])
def test_a_message_that_is_not_in_the_journal_cannot_be_forwarded(words: list[str], me: Shell) -> None:
    done = me.run("forward", *words)
    assert (done.code, done.stdout) == (2, "")


@pytest.mark.parametrize("piped", ["", "hello\n", '{"type": "no_such_event"}\n'])
def test_input_that_is_not_a_message_cannot_be_forwarded(piped: str, me: Shell) -> None:
    done = me.run("forward", "filehelper", stdin=piped)
    assert done.code == 2
    assert "webwx listen --json" in done.sentence


# -- listen ----------------------------------------------------------------------------------------------------------


def test_the_messages_of_a_batch_are_printed_one_by_one_and_each_once(me: Shell, sandbox: Sandbox) -> None:
    texts = [f"number {at}" for at in range(5)]
    for text in texts:
        sandbox.say("阿华", "me", text)
    printed = [me.run("listen", "--json", "--count", "1").line["text"] for _ in texts]
    assert printed == texts

    sandbox.say("阿华", "me", "the sixth")
    assert me.run("listen", "--json", "--count", "1").line["text"] == "the sixth"


BEYOND_A_DOUBLE = ("9007199254740993", "9223372036854775807")


@pytest.fixture
def printed(me: Shell) -> str:
    """The lines that `listen --json` prints for messages with ids above the range of a double, delivered as numbers."""
    store = LoginFile(me.settings.login_path)
    raws = [b'{"MsgId":%s,"MsgType":1,"FromUserName":"@a","Content":"x"}' % each.encode() for each in BEYOND_A_DOUBLE]
    items = tuple(Item(kind="message", raw=msgspec.Raw(raw)) for raw in raws)
    asyncio.run(store.update(lambda saved: msgspec.structs.replace(saved, pending=items)))
    return str(me.run("listen", "--json", "--count", "2").stdout)


def test_a_reader_with_double_precision_gets_every_digit_of_an_id(printed: str) -> None:
    lines = [json.loads(line, parse_int=float) for line in printed.splitlines()]
    assert [line["message_id"] for line in lines] == list(BEYOND_A_DOUBLE)


@pytest.mark.verify
def test_javascript_gets_every_digit_of_an_id(printed: str) -> None:
    if shutil.which("node") is None:
        pytest.skip("there is no JavaScript here")
    script = "for (const line of require('fs').readFileSync(0, 'utf8').trim().split('\\n'))"
    script += " console.log(typeof JSON.parse(line).message_id, JSON.parse(line).message_id)"
    done = subprocess.run(["node", "-e", script], input=printed, capture_output=True, text=True, check=True)
    assert done.stdout.splitlines() == [f"string {each}" for each in BEYOND_A_DOUBLE]


def test_listen_ends_with_1_if_too_few_events_arrive_in_time(me: Shell, sandbox: Sandbox) -> None:
    sandbox.say("阿华", "me", "the only one")
    assert me.run("listen", "--count", "1", "--timeout", "60").code == 0
    done = me.run("listen", "--count", "1", "--timeout", "0.01")
    assert (done.code, done.sentence) == (1, "webwx: 0 of 1 events arrived within 0.01 s.")


def test_listen_without_a_count_ends_with_0_after_its_timeout(me: Shell) -> None:
    done = me.run("listen", "--timeout", "0.01")
    assert (done.code, done.stdout) == (0, "")


def test_a_second_listen_ends_with_3_and_names_the_first(me: Shell, sandbox: Sandbox) -> None:
    with me.start("listen", "--json") as first:
        sandbox.say("ahua", "me", "one")
        assert "one" in first.stdout.readline()
        second = me.run("listen", "--json", "--count", "1")
        beside = me.run("send", "filehelper", "beside it")
        first.terminate()

    assert (second.code, second.stdout) == (3, "")
    assert second.error["message"] == f"Another process (pid {first.pid}) is syncing this login; end it first."
    assert beside.code == 0


def test_each_consumer_has_its_own_cursor(me: Shell, sandbox: Sandbox) -> None:
    sandbox.say("阿华", "me", "before it began")
    assert me.run("listen", "--json", "--count", "1").line["text"] == "before it began"
    with me.start("listen", "--json", "--consumer", "archive") as archiving:
        sandbox.say("阿华", "me", "to both")
        assert json.loads(archiving.stdout.readline())["text"] == "to both"
        archiving.terminate()
    assert me.run("listen", "--json", "--count", "1").line["text"] == "to both"


def test_only_events_that_were_not_printed_are_delivered_again(me: Shell, sandbox: Sandbox) -> None:
    for text in ("one", "two", "three"):
        sandbox.say("阿华", "me", text)
    with me.start("listen", "--json") as process:
        printed = [json.loads(process.stdout.readline())["text"] for _ in range(3)]
        while me.run("history", "--json", "--limit", "1").line["text"] != "three":
            pass
        process.kill()
    assert printed == ["one", "two", "three"]
    sandbox.say("阿华", "me", "four")
    again = me.run("listen", "--json", "--count", "1").line
    # An acknowledgement shortly before the end may be lost; then the event is marked as redelivered.
    assert again["text"] == "four" or again["redelivered"]


def test_an_outage_is_one_line_at_its_begin_and_one_at_its_end(me: Shell, sandbox: Sandbox) -> None:
    with me.start("listen", "--json") as process:
        sandbox.say("ahua", "me", "one")
        process.stdout.readline()
        sandbox.control("faults", fault="status", endpoint="synccheck", times=3)
        sandbox.say("ahua", "me", "two")
        lost = process.stderr.readline()
        sandbox.say("ahua", "me", "three")
        restored = process.stderr.readline()
        process.terminate()
        _, rest = process.communicate(timeout=20)
    assert lost.startswith("The connection is lost; the client retries: synccheck")
    assert restored == "The connection is restored.\n"
    assert rest == ""


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("listen",), "Waiting for messages; press Ctrl-C to stop."),
        (("receive", "--follow"), "Waiting for files and other media; press Ctrl-C to stop."),
        (("receive",), "Looking for received files and other media; pass --follow to wait for new ones."),
    ],
)
def test_on_a_terminal_a_command_shows_what_it_waits_for(me: Shell, arguments: tuple[str, ...], sentence: str) -> None:
    with me.terminal(*arguments) as terminal:
        terminal.wait_for(sentence)


def test_a_send_between_two_listens_loses_nothing(me: Shell, sandbox: Sandbox) -> None:
    for text in ("one", "two"):
        sandbox.say("阿华", "me", text)
    assert me.run("listen", "--json", "--count", "1").line["text"] == "one"
    me.run("send", "filehelper", "meanwhile")
    me.run("status")
    assert me.run("listen", "--json", "--count", "1").line["text"] == "two"


def test_a_line_has_the_delivered_content(me: Shell, sandbox: Sandbox) -> None:
    sandbox.say("阿华", "周末爬山", "a < b")
    line = me.run("listen", "--json", "--count", "1").line
    assert (line["type"], line["text"], line["is_self"]) == ("message.text", "a < b", False)
    assert line["content"].endswith(":<br/>a &lt; b")


def test_recalls_are_printed_and_phone_activity_only_with_all(me: Shell, sandbox: Sandbox) -> None:
    message_id = sandbox.say("阿华", "me", "a slip")
    sandbox.control("recall", **{"from": "阿华", "to": "me", "message_id": message_id})
    quiet = me.run("listen", "--json", "--count", "2").lines
    assert [line["type"] for line in quiet] == ["message.text", "message.recalled"]
    assert quiet[1]["message_id"] == message_id


def test_only_events_of_the_given_types_are_printed_and_counted(me: Shell, sandbox: Sandbox) -> None:
    message_id = sandbox.say("阿华", "me", "a slip")
    sandbox.control("recall", **{"from": "阿华", "to": "me", "message_id": message_id})
    recalls = me.run("listen", "--json", "--type", "message.recalled", "--count", "1").lines
    assert [line["type"] for line in recalls] == ["message.recalled"]
    assert me.run("listen", "--consumer", "phone", "--type", "phone.*", "--timeout", "0").code == 0


def test_a_type_that_no_event_has_is_refused_with_the_probable_one(me: Shell) -> None:
    refused = me.run("listen", "--type", "message.txt", "--count", "1")
    assert refused.code == 2
    assert "Did you mean 'message.text'?" in refused.sentence


def test_with_all_phone_activity_is_printed(me: Shell) -> None:
    # The login announced itself to the phone, which answered with the recent chats.
    assert me.run("listen", "--json", "--all", "--count", "1").line["type"] == "phone.activity"


def test_a_reader_that_closes_the_pipe_ends_listen_and_loses_nothing(me: Shell, sandbox: Sandbox) -> None:
    with me.start("listen", "--json") as process:
        sandbox.say("阿华", "me", "one")
        assert json.loads(process.stdout.readline())["text"] == "one"
        process.stdout.close()
        assert process.wait(20) == 0
        assert process.stderr.read() == ""
    sandbox.say("阿华", "me", "two")
    assert me.run("listen", "--json", "--count", "1").line["text"] == "two"


@pytest.mark.parametrize(
    ("arguments", "redirection"),
    [
        ("listen --count 1", ">&-"),
        ("listen --count 1 --json", ">&-"),
        ("listen --count 1", ">/dev/full"),
        ("receive --to {folder}", ">&-"),
    ],
)
def test_without_stdout_listen_fails_and_acknowledges_nothing(
    arguments: str, redirection: str, me: Shell, sandbox: Sandbox, tmp_path: Path
) -> None:
    sandbox.say("阿华", "me", "one")
    command = f"exec {WEBWX} {arguments.format(folder=tmp_path / 'inbox')} {redirection}"
    (tmp_path / "inbox").mkdir()
    done = subprocess.run(command, shell=True, env=me.environment, capture_output=True, timeout=20, check=False)
    assert (done.returncode, done.stdout, done.stderr.count(b"\n")) == (1, b"", 1)
    assert b"Traceback" not in done.stderr
    assert ("/dev/full" in redirection) != (b"stdout is closed, so nothing was done" in done.stderr)
    assert me.run("listen", "--json", "--count", "1").line["text"] == "one"


def test_without_stdout_send_fails_before_it_sends(me: Shell, sandbox: Sandbox) -> None:
    command = f"exec {WEBWX} send filehelper unheard >&-"
    assert subprocess.run(command, shell=True, env=me.environment, timeout=20, check=False).returncode == 1
    assert me.run("outbox", "--json").lines == []


def test_commands_work_in_a_pipeline(me: Shell, sandbox: Sandbox) -> None:
    with (
        me.start("send", "阿华", "a slip", "--json") as sender,
        me.start("recall", "--json", stdin=sender.stdout) as recaller,
    ):
        assert json.loads(recaller.communicate(timeout=20)[0])["recalled"] is True
    assert last_message(sandbox, "阿华", "xiaoming")["recalled"] is True


def test_the_end_of_the_login_ends_listen(me: Shell, sandbox: Sandbox) -> None:
    with me.start("listen", "--json") as process:
        sandbox.say("阿华", "me", "one")
        process.stdout.readline()
        sandbox.control("log-out", who="me")
        stdout, stderr = process.communicate(timeout=20)
    assert (process.returncode, stdout) == (4, "")
    assert "webwx login" in stderr
    assert stderr.count("\n") == 1


def test_listen_prints_a_message_for_a_person_on_a_terminal(me: Shell, sandbox: Sandbox) -> None:
    sandbox.say("阿华", "me", "在吗\n在吗")
    with me.terminal("listen", "--count", "1") as terminal:
        terminal.wait_for("阿华")
        terminal.wait_for("\n" + " " * 21 + "在吗")
