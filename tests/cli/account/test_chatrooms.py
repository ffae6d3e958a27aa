"""`webwx chatroom`."""

from __future__ import annotations

from typing import Any

from tests.cli.conftest import Sandbox, Shell


def names(line: dict[str, Any]) -> list[str]:
    return [member["nickname"] for member in line["members"]]


def test_a_chatroom_is_created_changed_and_left(me: Shell, sandbox: Sandbox) -> None:
    created = me.run("chatroom", "create", "阿华", "Boss", "--name", "电影", "--json").line
    assert names(created["chatroom"]) == ["小明", "阿华", "李雷"]
    assert (len(created["added"]), created["refused"]) == (2, [])

    added = me.run("chatroom", "add", "电影", "张三")
    assert added.stdout.startswith("Now: 电影 - chatroom, 4 members - @@")
    assert me.run("send", "电影", "八点见").code == 0

    assert names(me.run("chatroom", "remove", "电影", "张三", "--json").line) == ["小明", "阿华", "李雷"]
    assert me.run("chatroom", "invite", "电影", "张三").stdout.rstrip().endswith("; invited: 张三")
    assert sandbox.chat("zhangsan", "xiaoming")["messages"][-1]["kind"] == "link"

    assert me.run("chatroom", "rename", "电影", "--戏剧", "--json").line["nickname"] == "--戏剧"
    assert "--戏剧" in [room["nickname"] for room in me.run("chatroom", "list", "--json").lines]
    assert me.run("chatroom", "leave", "--json", "--", "--戏剧").line == {"left": True}
    assert "--戏剧" not in [room["nickname"] for room in me.run("chatroom", "list", "--json").lines]


def test_members_are_shown_by_the_users_remarks(me: Shell) -> None:
    lines = me.run("chatroom", "members", "周末爬山").stdout.splitlines()
    assert [line.partition(" - ")[0] for line in lines] == ["小明", "阿华", "张三", "Boss (李雷)"]


def test_members_cannot_be_added_to_a_person(me: Shell) -> None:
    done = me.run("chatroom", "add", "阿华", "张三")
    assert (done.code, done.stdout) == (2, "")
    assert "not a chatroom" in done.sentence


def test_a_chatroom_needs_two_other_members(me: Shell) -> None:
    assert me.run("chatroom", "create", "阿华").code == 2
