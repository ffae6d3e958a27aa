"""Chats that an adapter reaches: File Transfer Helper at first, then those that its owner has listed."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
import pytest

from webwx.errors import InvalidRequest
from webwx.gateway.adapters.permissions import ChatNotAllowed, ChatPermissions, allowed_chats, check_permissions

if TYPE_CHECKING:
    from tests.gateway.conftest import Running

    from webwx.client.client import AsyncClient


@pytest.fixture
def client(online: Running) -> AsyncClient:
    return online.port.account(1).client


async def number(client: AsyncClient, name: str) -> int:
    return (await client.who(name)).number


async def id_of(client: AsyncClient, name: str) -> str:
    return (await client.find_contact(name)).id


async def test_an_adapter_reaches_only_file_transfer_helper_by_default(client: AsyncClient) -> None:
    allowed = await allowed_chats(ChatPermissions(), client)
    boss = await id_of(client, "Boss")
    assert [chat.name for chat in allowed.chats] == ["文件传输助手"]
    assert allowed.sees("filehelper")
    assert allowed.writes("filehelper")
    assert not allowed.sees(boss)
    assert not allowed.writes(boss)
    assert not allowed.sees(None)
    assert not allowed.sees_every_chat
    allowed.require_recall("filehelper")
    allowed.require_forward("filehelper", "filehelper")
    with pytest.raises(ChatNotAllowed):
        allowed.require_see(boss)
    with pytest.raises(ChatNotAllowed):
        allowed.require_write(boss)
    with pytest.raises(ChatNotAllowed):
        allowed.require_recall(boss)
    with pytest.raises(ChatNotAllowed):
        allowed.require_forward(boss, "filehelper")
    with pytest.raises(ChatNotAllowed):
        allowed.require_forward("filehelper", boss)
    with pytest.raises(ChatNotAllowed):
        allowed.resolve("Boss")


async def test_the_answer_for_a_contact_is_that_for_an_unknown_name(client: AsyncClient) -> None:
    allowed = await allowed_chats(ChatPermissions(), client)
    texts = set()
    for which in ("Boss", "Unknown", await number(client, "Boss"), 999_999):
        with pytest.raises(ChatNotAllowed) as refused:
            allowed.resolve(which)
        texts.add(str(refused.value))
    assert len(texts) == 1


async def test_each_list_is_extended_by_itself(client: AsyncClient) -> None:
    boss, hua = await number(client, "Boss"), await number(client, "阿华")
    permissions = ChatPermissions(see=("filehelper", boss), write=("filehelper", hua))
    allowed = await allowed_chats(permissions, client)
    boss_id, hua_id = await id_of(client, "Boss"), await id_of(client, "阿华")
    assert (allowed.sees(boss_id), allowed.writes(boss_id)) == (True, False)
    assert (allowed.sees(hua_id), allowed.writes(hua_id)) == (False, True)
    assert [chat.name for chat in allowed.chats] == ["文件传输助手", "Boss"]
    allowed.require_forward(boss_id, hua_id)
    with pytest.raises(ChatNotAllowed, match="may be read, but not written to"):
        allowed.require_forward(boss_id, boss_id)
    with pytest.raises(ChatNotAllowed):
        allowed.require_forward(hua_id, hua_id)
    with pytest.raises(ChatNotAllowed):
        allowed.require_recall(hua_id)


async def test_a_listed_chat_is_found_by_its_number_id_and_names(client: AsyncClient) -> None:
    boss = await number(client, "Boss")
    allowed = await allowed_chats(ChatPermissions(see=("filehelper", boss)), client)
    for which in ("Boss", boss, await id_of(client, "Boss")):
        chat = allowed.resolve(which)
        assert chat is not None
        assert (chat.number, chat.name) == (boss, "Boss")
    for which in ("filehelper", "文件传输助手"):
        chat = allowed.resolve(which)
        assert chat is not None
        assert chat.ids == {"filehelper"}


async def test_the_lists_stay_valid_after_another_login_and_a_merge(online: Running, client: AsyncClient) -> None:
    hua = await number(client, "阿华")
    earlier = await id_of(client, "阿华")
    online.world.log_out("me")
    while (await online.port.account(1).check()).state != "logged_out":
        pass
    await online.log_in()
    client = online.port.account(1).client
    permissions = ChatPermissions(see=(hua,))
    now = await id_of(client, "阿华")
    assert now != earlier
    allowed = await allowed_chats(permissions, client)
    assert allowed.sees(earlier)
    assert allowed.sees(now)
    parted = (await client.split_identity(hua, earlier)).number
    assert not (await allowed_chats(permissions, client)).sees(earlier)
    await client.merge_identities(parted, hua)
    assert (await allowed_chats(permissions, client)).sees(now)


async def test_all_chats_can_be_allowed(client: AsyncClient) -> None:
    boss = await id_of(client, "Boss")
    allowed = await allowed_chats(ChatPermissions(see=("*",)), client)
    assert allowed.sees_every_chat
    assert allowed.sees(boss)
    assert allowed.sees(None)
    assert not allowed.writes(boss)
    assert allowed.resolve("Boss") is None
    with pytest.raises(ChatNotAllowed):
        allowed.require_write(boss)


async def test_a_chat_of_two_names_is_refused_with_the_numbers_of_the_listed_ones(client: AsyncClient) -> None:
    boss, hua = await number(client, "Boss"), await number(client, "阿华")
    await client.set_remark("阿华", "Boss")
    allowed = await allowed_chats(ChatPermissions(see=(boss, hua)), client)
    with pytest.raises(ChatNotAllowed, match=f"{boss}.*{hua}|{hua}.*{boss}"):
        allowed.resolve("Boss")


async def test_a_number_of_no_contact_allows_nothing(client: AsyncClient) -> None:
    allowed = await allowed_chats(ChatPermissions(see=(999_999,), write=(999_999,)), client)
    assert allowed.chats == []
    assert not allowed.sees("filehelper")


def test_permissions_are_stored_as_json_and_wrong_entries_are_refused() -> None:
    permissions = ChatPermissions(see=("filehelper", 10_000), write=("*",))
    assert msgspec.json.decode(msgspec.json.encode(permissions), type=ChatPermissions) == permissions
    check_permissions(permissions)
    for wrong in ("Boss", "", 0, -1):
        with pytest.raises(InvalidRequest):
            check_permissions(ChatPermissions(see=(wrong,)))


async def test_reprs_do_not_name_chats(client: AsyncClient) -> None:
    assert repr(await allowed_chats(ChatPermissions(), client)) == "AllowedChats(***)"
