from __future__ import annotations

from typing import TYPE_CHECKING

from webwx.testing.messages import PhoneMessage

if TYPE_CHECKING:
    from webwx.sandbox.world import World


def test_a_message_is_shown_as_its_viewer_sees_it(webwx_world: World) -> None:
    ahua, me = webwx_world.person("ahua"), webwx_world.person("me")
    said = webwx_world.say("ahua", "me", "hello")
    assert str(PhoneMessage.of(said, ahua)) == "me: hello"
    assert str(PhoneMessage.of(said, me)) == "阿华: hello"
    sent = webwx_world.file("ahua", "me", b"content", "a.txt")
    shown = PhoneMessage.of(sent, me)
    assert (shown.content, shown.name, shown.kind, shown.is_own) == (b"content", "a.txt", "file", False)


def test_a_recalled_message_is_marked(webwx_world: World) -> None:
    said = webwx_world.say("ahua", "me", "hello")
    before = PhoneMessage.of(said, webwx_world.person("me"))
    webwx_world.recall("ahua", "me")
    after = PhoneMessage.of(said, webwx_world.person("me"))
    assert (before.is_recalled, after.is_recalled) == (False, True)
    assert str(after) == "阿华: hello (recalled)"
