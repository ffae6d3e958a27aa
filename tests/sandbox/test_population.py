from __future__ import annotations

import pytest

from webwx.sandbox.errors import Impossible
from webwx.sandbox.world import World


def test_people_are_found_by_id_nickname_or_me(world: World) -> None:
    assert world.person("me") is world.person("小明") is world.person("xiaoming")
    with pytest.raises(Impossible, match="no person 'unknown'"):
        world.person("unknown")


def test_a_person_is_found_by_the_new_nickname_only(world: World) -> None:
    world.change_profile("ahua", nickname="华姐")
    assert world.person("华姐").id == "ahua"
    with pytest.raises(Impossible, match="no person '阿华'"):
        world.person("阿华")


def test_in_a_large_world_an_error_names_only_a_few_people(world: World) -> None:
    for number in range(1000):
        world.add_person(f"路人{number}")
    with pytest.raises(Impossible, match=r"the people are xiaoming, .*, person20 and 985 others\.$"):
        world.person("unknown")


@pytest.mark.parametrize("id_", ["ahua", "me", "filehelper", "hiking"])
def test_ids_are_unique(world: World, id_: str) -> None:
    with pytest.raises(Impossible, match="is taken"):
        world.add_person("另一个", id_)
    with pytest.raises(Impossible, match="is taken"):
        world.add_chatroom("另一个群", ["me"], id_)


def test_ids_are_generated_by_default(world: World) -> None:
    assert world.add_person("新").id == "person6"
    assert world.add_chatroom("新群", ["me", "新"]).id == "room2"
