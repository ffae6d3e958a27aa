"""`webwx contacts`."""

from __future__ import annotations

from typing import Any


def test_each_contact_is_a_line(me: Any) -> None:
    done = me.run("contacts", "--json")
    assert (done.code, done.stderr) == (0, "")
    by_name = {contact["nickname"]: contact for contact in done.lines}
    assert {"小明", "阿华", "张三", "李雷", "周末爬山", "文件传输助手"} <= set(by_name)
    assert list(by_name["李雷"]) == ["id", "nickname", "remark", "alias", "kind", "members"]
    assert (by_name["李雷"]["remark"], by_name["李雷"]["kind"]) == ("Boss", "friend")
    assert len(by_name["周末爬山"]["members"]) == 4
    assert by_name["文件传输助手"]["id"] == "filehelper"


def test_a_person_sees_names_first(me: Any) -> None:
    lines = me.run("contacts").stdout.splitlines()
    assert any(line.startswith("Boss (李雷) - friend - @") for line in lines)
    assert any(line.startswith("周末爬山 - chatroom, 4 members - @@") for line in lines)


def test_without_a_login_it_says_how_to_get_one(shell: Any) -> None:
    done = shell.run("contacts")
    assert (done.code, done.stdout) == (4, "")
    assert "webwx login" in done.sentence
