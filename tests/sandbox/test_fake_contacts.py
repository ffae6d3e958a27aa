from __future__ import annotations

import random

import pytest

from webwx.sandbox.errors import Impossible
from webwx.sandbox.fake_contacts import FakeContacts, add_fake_contacts
from webwx.sandbox.world import World


def generated(seed: int = 1, **sizes: int) -> World:
    world = World(rng=random.Random(1))
    world.add_person("小明", "xiaoming")
    add_fake_contacts(world, FakeContacts(**sizes), random.Random(seed))
    return world


def contacts_of(
    world: World,
) -> tuple[list[tuple[str, int, str, str]], list[tuple[str, list[str], dict[str, str]]]]:
    people = [(person.nickname, person.sex, person.city, person.alias) for person in world.people.values()]
    return people, [
        (room.name, [member.id for member in room.members], room.names) for room in world.chatrooms.values()
    ]


def test_generated_people_are_friends_of_me_only() -> None:
    me, *others = generated(people=30).people.values()
    assert set(me.friends) == {person.id for person in others}
    assert all(list(person.friends) == ["xiaoming"] for person in others)


def test_every_chatroom_has_me_and_the_right_number_of_members() -> None:
    world = generated(people=30, chatrooms=5, members=12)
    assert [len(room.members) for room in world.chatrooms.values()] == [12] * 5
    assert len(world.person("me").rooms) == 5


def test_the_same_seed_makes_the_same_contacts_and_another_makes_others() -> None:
    sizes = {"people": 30, "chatrooms": 3, "members": 9}
    assert contacts_of(generated(**sizes)) == contacts_of(generated(**sizes)) != contacts_of(generated(2, **sizes))


@pytest.mark.parametrize("members", [1, 5])
def test_a_chatroom_needs_enough_people(members: int) -> None:
    with pytest.raises(Impossible, match=r"crowd\.members: a chatroom of these people has 2 to 4 members"):
        generated(people=3, chatrooms=1, members=members)
