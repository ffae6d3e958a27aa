from __future__ import annotations

import pytest
from tests.sandbox.conftest import Page

from webwx.sandbox.errors import Impossible, Refused
from webwx.sandbox.options import Options
from webwx.sandbox.world import World


def test_the_newest_code_is_the_default(world: World) -> None:
    world.logins.new_code()
    newest = world.logins.new_code()
    assert world.scan("me") is newest
    assert world.confirm() is newest


def test_a_code_can_be_named(world: World) -> None:
    code, _ = world.logins.new_code(), world.logins.new_code()
    assert world.scan("ahua", code.uuid).person is world.person("阿华")


@pytest.mark.parametrize("press", ["scan", "confirm", "cancel"])
def test_without_a_code_a_phone_cannot_confirm(world: World, press: str) -> None:
    with pytest.raises(Impossible):
        getattr(world, press)()


@pytest.mark.parametrize("press", ["confirm", "cancel", "expire"])
def test_a_person_named_instead_of_a_code_is_refused_as_such(world: World, press: str) -> None:
    world.logins.new_code()
    world.scan("me")
    with pytest.raises(Impossible, match="No login code has the UUID 'me'"):
        getattr(world, press)("me")


def test_a_code_is_confirmed_only_after_a_scan(world: World) -> None:
    world.logins.new_code()
    with pytest.raises(Impossible, match="scan its code first"):
        world.confirm()


def test_a_code_expires_after_five_minutes(world: World) -> None:
    code = world.logins.new_code()
    world.wind(300)
    assert world.logins.code(code.uuid) is code
    world.wind(1)
    assert world.logins.code(code.uuid) is None
    with pytest.raises(Impossible):
        world.scan("me", code.uuid)


def test_the_exchange_needs_the_ticket_of_the_code(world: World) -> None:
    code = world.logins.new_code()
    world.scan("me")
    world.confirm()
    with pytest.raises(Refused):
        world.logins.confirmed(code.uuid, "other")
    assert world.logins.redeem(world.logins.confirmed(code.uuid, code.ticket)) is world.person("me")
    with pytest.raises(Refused):
        world.logins.confirmed(code.uuid, code.ticket)


def test_a_code_can_be_expired(world: World) -> None:
    older, newest = world.logins.new_code(), world.logins.new_code()
    assert world.expire() is newest
    assert (world.logins.code(newest.uuid), world.logins.code(older.uuid)) == (None, older)
    assert world.expire(older.uuid) is older
    with pytest.raises(Impossible, match="start a login first"):
        world.expire()


def test_a_push_needs_the_uin_and_both_cookies_of_one_earlier_login(me: Page, friend: Page, world: World) -> None:
    mine, other = (page.session for page in (me, friend))
    uin = mine.person.uin
    assert world.logins.push(uin, mine.keys.uvid, other.keys.auth_ticket) is None
    assert world.logins.push(other.person.uin, mine.keys.uvid, mine.keys.auth_ticket) is None
    assert world.logins.push(uin, "", "") is None
    code = world.logins.push(uin, mine.keys.uvid, mine.keys.auth_ticket)
    assert code is not None
    assert code.person is mine.person


@pytest.mark.parametrize("options", [Options(login_hours=1)])
def test_a_login_ends_after_its_hours(me: Page, world: World) -> None:
    person = world.person("me")
    world.wind(3599)
    assert world.logins.live(person) is not None
    parked = me.hold_check()
    assert parked.until == world.now + 1
    world.wind(1)
    assert world.logins.live(person) is None
    assert me.check(parked=parked).body == b'window.synccheck={retcode:"1100",selector:"0"}'


def test_every_issued_secret_is_recorded(me: Page, world: World) -> None:
    keys = me.session.keys
    secrets = {keys.sid, keys.skey, keys.first_skey, keys.pass_ticket, keys.data_ticket, keys.uvid, keys.auth_ticket}
    assert secrets < world.issued
    assert len(world.issued) == len(secrets) + 3, "uuid, ticket and the raw pass_ticket"


def test_no_repr_shows_a_secret(me: Page, world: World) -> None:
    session = me.session
    shown = " ".join(map(repr, (world, world.logins, session, session.keys, session.person, world.logins.new_code())))
    assert [secret for secret in world.issued if secret in shown] == []
