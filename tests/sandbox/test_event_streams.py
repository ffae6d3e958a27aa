from __future__ import annotations

from tests.sandbox.conftest import Page

from webwx.sandbox.world import World


def test_a_change_for_someone_without_a_web_login_is_not_kept_for_the_next_one(world: World, me: Page) -> None:
    world.say("ahua", "lilei", "在吗")
    assert me.fetch().add_msg_list == []
    world.log_in(world.person("lilei"))
    session = world.logins.live(world.person("lilei"))
    assert session is not None
    assert session.stream.changes == ()


def test_subscribers_get_the_accounts_whose_polls_may_wake(me: Page, world: World) -> None:
    received = list[str]()
    unsubscribe = world.subscribe(received.append)
    world.say("ahua", "me", "在吗")
    world.say("ahua", "lilei", "在吗")
    world.wind(1)
    assert received == ["xiaoming", ""]
    unsubscribe()
    world.wind(1)
    assert received == ["xiaoming", ""]
