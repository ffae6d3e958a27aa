"""The greeter greets each arrival once."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.bot.conftest import until
from tests.examples.conftest import Stuck, at_work, dying, load, texts

from webwx.transport.loopback import Loopback

if TYPE_CHECKING:
    import pytest
    from tests.examples.conftest import OpenClient

    from webwx.sandbox.core import Sandbox
    from webwx.sandbox.people import Person
    from webwx.sandbox.world import World

ROOM = "周末爬山"


def newcomers(world: World, *names: str) -> list[Person]:
    people = [world.add_person(name) for name in names]
    for person in people:
        world.befriend("ahua", person.id)
    return people


def admit(world: World, *names: str) -> None:
    """Let new people in, together."""
    ahua = world.person("ahua")
    world.membership.admit(world.chatroom(ahua, ROOM), newcomers(world, *names), by=ahua)


def greetings(world: World) -> list[str]:
    ahua = world.person("ahua")
    return [text for text in texts(world, "ahua", world.chatroom(ahua, ROOM).id) if text.startswith("欢迎")]


async def test_several_who_come_together_get_one_greeting(open_client: OpenClient, world: World) -> None:
    async with open_client() as client, at_work(load("greeter"), client):
        admit(world, "王五", "赵六")
        admit(world, "孙七")
        await until(lambda: len(greetings(world)) == 2)
        assert [each.split("！")[0] for each in greetings(world)] == ["欢迎 王五、赵六", "欢迎 孙七"]


async def test_an_arrival_is_not_greeted_again_after_a_restart(open_client: OpenClient, world: World) -> None:
    async with open_client() as client, at_work(load("greeter"), client):
        admit(world, "王五")
        await until(lambda: len(greetings(world)) == 1)
    admit(world, "赵六")
    async with open_client() as client, at_work(load("greeter"), client):
        admit(world, "孙七")
        await until(lambda: len(greetings(world)) == 3)
    assert [name for each in greetings(world) for name in ("王五", "赵六", "孙七") if name in each] == [
        "王五", "赵六", "孙七",
    ]  # fmt: skip


async def test_a_greeting_is_not_sent_again_when_the_process_died_before_it_knew(
    open_client: OpenClient, world: World, sandbox: Sandbox
) -> None:
    stuck = Stuck(Loopback(sandbox), arrives=True)
    async with open_client(transport=stuck) as client:
        async with at_work(load("greeter"), client):
            pass
        async with dying(load("greeter"), client):
            admit(world, "王五")
            await stuck.is_stuck.wait()
    async with open_client() as client, at_work(load("greeter"), client):
        admit(world, "赵六")
        await until(lambda: "赵六" in greetings(world)[-1])
    assert [each.split("！")[0] for each in greetings(world)] == ["欢迎 王五", "欢迎 赵六"]


async def test_nobody_greets_itself(open_client: OpenClient, world: World) -> None:
    async with open_client() as client, at_work(load("greeter"), client):
        ahua = world.person("ahua")
        world.add_chatroom("新群", ["ahua", "lilei"], id="new-room")
        world.membership.admit(world.chatroom(ahua, "新群"), [world.person("me")], by=ahua)
        admit(world, "王五")
        await until(lambda: len(greetings(world)) == 1)
        assert not any("欢迎" in text for text in texts(world, "ahua", "new-room"))


async def test_the_greeting_can_be_another(
    open_client: OpenClient, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GREETER_TEXT", "欢迎你，{names}")
    async with open_client() as client, at_work(load("greeter"), client):
        admit(world, "王五")
        await until(lambda: greetings(world) == ["欢迎你，王五"])
