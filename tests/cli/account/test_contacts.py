"""`webwx contacts`, `chats`, `remark`, `pin` and `friend`."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from tests.cli.conftest import Shell, log_in, running_sandbox

from webwx.cli.columns import width

if TYPE_CHECKING:
    from tests.cli.conftest import Sandbox
    from tests.forks import Forks
    from tests.secret_scanner import SecretScanner


def test_each_contact_is_a_line(me: Shell) -> None:
    done = me.run("contacts", "--json")
    assert (done.code, done.stderr) == (0, "")
    by_name = {contact["nickname"]: contact for contact in done.lines}
    assert {"小明", "阿华", "张三", "李雷", "周末爬山", "文件传输助手"} <= set(by_name)
    assert list(by_name["李雷"]) == [
        "id", "nickname", "remark", "alias", "kind", "members", "is_pinned", "is_owner", "avatar_key", "uin", "pinyin",
        "remark_pinyin", "avatar", "signature", "region", "sex", "attr_status", "is_incomplete", "owner", "is_muted",
        "is_starred", "is_blocked", "number",
    ]  # fmt: skip
    assert len({contact["number"] for contact in done.lines}) == len(done.lines)
    assert (by_name["李雷"]["remark"], by_name["李雷"]["kind"]) == ("Boss", "friend")
    assert len(by_name["周末爬山"]["members"]) == 4
    assert by_name["文件传输助手"]["id"] == "filehelper"


def test_a_person_sees_names_first(me: Shell) -> None:
    lines = me.run("contacts").stdout.splitlines()
    assert any(re.fullmatch(r"who:\d+  Boss \(李雷\)   friend", line) for line in lines)
    assert any(re.fullmatch(r"who:\d+  周末爬山      chatroom, 4 members", line) for line in lines)


@pytest.mark.parametrize("command", ["contacts", "chats"])
def test_ids_are_a_column_that_must_be_asked_for(me: Shell, command: str) -> None:
    assert "@" not in me.run(command).stdout
    lines = me.run(command, "--ids").stdout.splitlines()
    assert len(lines) > 1
    assert len({width(line.partition(" @")[0]) for line in lines if " @" in line}) == 1


def test_a_chat_is_shown_with_its_last_message(me: Shell, sandbox: Sandbox) -> None:
    me.run("send", "阿华", "是我")
    (line,) = [line for line in me.run("chats").stdout.splitlines() if "阿华" in line]
    assert re.search(r"  \d{4}-\d\d-\d\d \d\d:\d\d  是我$", line)


def test_a_chat_without_a_stored_message_has_no_last_message(me: Shell) -> None:
    (line,) = [line for line in me.run("chats").stdout.splitlines() if "周末爬山" in line]
    assert line.endswith("chatroom, 4 members")


def test_without_a_login_the_error_names_the_command_to_log_in(shell: Shell) -> None:
    done = shell.run("contacts")
    assert (done.code, done.stdout) == (4, "")
    assert "webwx login" in done.sentence


def test_a_search_covers_every_name(me: Shell) -> None:
    found = {
        text: [c["nickname"] for c in me.run("contacts", "--json", "--search", text).lines] for text in ("bos", "华")
    }
    assert found == {"bos": ["李雷"], "华": ["阿华"]}


def test_recent_chats_are_newest_first(me: Shell, sandbox: Sandbox) -> None:
    sandbox.say("zhangsan", "me", "在吗")
    first, *others = me.run("chats", "--json").lines
    assert first["nickname"] == "张三"
    assert {"文件传输助手", "周末爬山"} <= {chat["nickname"] for chat in others}


def test_articles_of_official_accounts_are_listed(tmp_path: Path, secret_scanner: SecretScanner, forks: Forks) -> None:
    world = tmp_path / "world.toml"
    world.write_text(
        """
        people = [
            { nickname = "小明", id = "xiaoming", friends = "everybody" },
            { nickname = "晨报", id = "paper", account = "verified" },
        ]
        history = [
            { from = "paper", to = "me", articles = [{ title = "一", url = "http://a" }, { title = "二", url = "" }] },
        ]
        """
    )
    with running_sandbox(forks, "--world", str(world)) as sandbox:
        shell = Shell(tmp_path / "home", sandbox.url, secret_scanner.record, forks)
        log_in("me", shell.settings, sandbox, secret_scanner)
        assert shell.run("articles").stdout == "晨报\n  一 http://a\n  二\n"
        [published] = shell.run("articles", "--json").lines
    assert list(published) == ["account", "name", "time", "articles"]
    assert [article["url"] for article in published["articles"]] == ["http://a", ""]


def test_a_contact_is_found_by_its_new_remark(me: Shell) -> None:
    assert me.run("remark", "张三", "--老三", "--json").line["remark"] == "--老三"
    assert me.run("remark", "--老三", "").code == 2
    assert me.run("remark", "--json", "--", "--老三", "").line["remark"] == ""


def test_a_chat_is_pinned_and_unpinned(me: Shell) -> None:
    assert me.run("pin", "阿华", "--json").line["is_pinned"] is True
    assert ", pinned" in me.run("contacts", "--search", "阿华").stdout
    assert me.run("pin", "阿华", "--off").stdout.startswith("No longer pinned: 阿华")


def test_friend_requests_are_sent_and_accepted(me: Shell, sandbox: Sandbox) -> None:
    [asked] = me.run("contacts", "--json", "--search", "阿华").lines
    assert me.run("friend", "add", asked["id"], "--你好", "--json").line == {"asked": True}
    assert sandbox.chat("ahua", "xiaoming")["messages"][-1]["kind"] == "friend_request"

    sandbox.control("ask", **{"from": "lilei", "to": "me", "greeting": "是我"})
    lines = me.run("listen", "--json", "--count", "1").stdout
    assert me.run("friend", "accept", "--json", stdin=lines).line == {"accepted": True}
    assert me.run("friend", "accept", stdin=lines).code != 0


def test_accepting_something_else_than_a_friend_request_is_refused(me: Shell) -> None:
    for stdin in ("", "x", '{"type":"contact.deleted","id":"@a"}'):
        done = me.run("friend", "accept", stdin=stdin)
        assert (done.code, done.stdout) == (2, "")


def test_on_a_terminal_the_columns_have_titles(me: Shell) -> None:
    with me.terminal("contacts") as terminal:
        terminal.wait_for("周末爬山")
    assert "NUMBER  NAME          KIND" in terminal.shown


def unread(me: Shell) -> dict[str, int | None]:
    """Return the number of unread messages of each chat by its nickname, as `webwx chats` prints it."""
    return {chat["nickname"]: chat["unread"] for chat in me.run("chats", "--json").lines}


def hear(me: Shell, sandbox: Sandbox, sender: str, *said: str) -> None:
    """Write some texts as another person, and receive all that has arrived up to the last one."""
    for text in said:
        sandbox.say(sender, "me", text)
    listening = me.start("listen", "--json")
    with listening:
        while said[-1] not in listening.stdout.readline():
            pass
        listening.terminate()


def test_messages_are_unread_after_the_next_listen(me: Shell, sandbox: Sandbox) -> None:
    assert set(unread(me).values()) == {None}
    sandbox.say("zhangsan", "me", "while nothing listens")
    hear(me, sandbox, "ahua", "first", "last")
    numbers = unread(me)
    assert (numbers["阿华"], numbers["张三"], numbers["周末爬山"]) == (2, 1, 0)
    (line,) = [line for line in me.run("chats").stdout.splitlines() if "阿华" in line]
    assert re.search(r"friend +2  \d{4}-\d\d-\d\d \d\d:\d\d  last$", line)
    (line,) = [line for line in me.run("chats").stdout.splitlines() if "周末爬山" in line]
    assert line.endswith("members")


@pytest.mark.parametrize("action", ["read", "open"])
def test_a_chat_that_the_phone_has_read_has_nothing_unread(me: Shell, sandbox: Sandbox, action: str) -> None:
    hear(me, sandbox, "ahua", "before 1", "before 2")
    sandbox.control(action, who="me", chat="阿华")
    hear(me, sandbox, "zhangsan", f"after {action}")
    sandbox.control("close", who="me", chat="阿华")
    assert (unread(me)["阿华"], unread(me)["张三"]) == (0, 1)


def test_a_message_written_on_the_phone_reads_its_chat(me: Shell, sandbox: Sandbox) -> None:
    hear(me, sandbox, "ahua", "is it you?")
    sandbox.say("me", "ahua", "it is")
    hear(me, sandbox, "zhangsan", "hello from another one")
    assert (unread(me)["阿华"], unread(me)["张三"]) == (0, 1)


def test_a_send_reads_its_chat(me: Shell, sandbox: Sandbox) -> None:
    hear(me, sandbox, "ahua", "one", "two")
    me.run("send", "阿华", "an answer")
    assert unread(me)["阿华"] == 0
    hear(me, sandbox, "ahua", "three")
    assert unread(me)["阿华"] == 1


def test_a_chat_that_is_marked_as_read_has_nothing_unread(me: Shell, sandbox: Sandbox) -> None:
    hear(me, sandbox, "ahua", "to be", "marked")
    assert me.run("read", "阿华").code == 0
    assert unread(me)["阿华"] == 0


def test_a_recalled_message_is_not_unread(me: Shell, sandbox: Sandbox) -> None:
    hear(me, sandbox, "ahua", "stays", "to be recalled")
    sandbox.control("recall", **{"from": "ahua", "to": "me"})
    hear(me, sandbox, "zhangsan", "hello after a recall")
    assert unread(me)["阿华"] == 1


def test_a_terminal_shows_a_large_number_of_unread_messages_as_99_or_more(me: Shell, sandbox: Sandbox) -> None:
    hear(me, sandbox, "ahua", *[f"number {each} of many" for each in range(1, 101)])
    assert unread(me)["阿华"] == 100
    with me.terminal("chats") as terminal:
        terminal.wait_for("of many")
    assert "UNREAD" in terminal.shown
    assert "  99+  " in terminal.shown
