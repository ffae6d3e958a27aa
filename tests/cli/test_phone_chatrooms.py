"""`webwx phone`, for chatrooms."""

from __future__ import annotations

from typing import Any


def test_phones_open_a_chatroom_and_change_it(shell: Any, sandbox: Any) -> None:
    room = shell.run("phone", "create", "ahua", "电影", "me", "张三", "--json").line["chat"]
    for arguments, line in (
        (("invite", "ahua", "电影", "李雷"), {"invited": ["李雷"]}),
        (("remove", "ahua", "电影", "张三"), {"removed": ["张三"]}),
        (("rename", "me", "电影", "--戏剧"), {"renamed": True}),
        (("leave", "lilei", room), {"left": True}),
        (("join", "lilei", room, "ahua"), {"joined": True}),
    ):
        assert shell.run("phone", "--json", *arguments).line == line
    assert sandbox.chat("ahua", room)["chat"] == "--戏剧"
    assert shell.run("phone", "remove", "me", room, "阿华").sentence == (
        "webwx: Only the owner of a chatroom can put people out."
    )
