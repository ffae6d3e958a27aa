"""Contacts by pages, chatrooms and strangers by batches; remarks, pins, friend requests, avatars."""

from __future__ import annotations

from typing import TYPE_CHECKING

from webwx.errors import MediaUnavailable, ProtocolError
from webwx.flows.call import Flow, call
from webwx.flows.media import check_media
from webwx.model.contacts import Contact, ContactId, Listing, Lookup, is_chatroom, read_listed, take_listed
from webwx.protocol.codes import BATCH_LIMIT
from webwx.protocol.contacts import (
    ACCEPT_FRIEND,
    ADD_FRIEND,
    BATCHGETCONTACT,
    GETCONTACT,
    GETHEADIMG,
    GETICON,
    OPLOG,
    SET_PINNED,
    SET_REMARK,
    VERIFYUSER,
    AvatarRequest,
    BatchContactsRequest,
    ContactKey,
    ContactsRequest,
    OplogRequest,
    VerifyUser,
    VerifyUserRequest,
)
from webwx.protocol.media import image_type

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    import msgspec

    from webwx.model.contacts import Listed
    from webwx.model.login import Login

MAX_PAGES = 10_000
"""Maximum number of pages of the contact list: those of a large account, but not of a server without an end."""

MAX_REPEATED = 5
"""Maximum number of pages in a row without a new contact, for a server whose `Seq` never ends."""


def list_contacts(login: Login, now: float) -> Flow[Listing]:
    """
    Fetch all friends, official accounts and saved chatrooms, without members of chatrooms. They are not decoded yet.

    The listing says whether it is complete.

    Wire: webwxgetcontact
    """
    contacts = Listing()
    sizes: list[tuple[int, int]] = []
    seq, asked, known, repeated = 0, set[int](), set[int](), 0
    while seq not in asked and len(asked) < MAX_PAGES and repeated < MAX_REPEATED:
        asked.add(seq)
        request = ContactsRequest(
            skey=login.credentials.skey, pass_ticket=login.pass_ticket, r=int(now * 1000), seq=seq
        )
        reply = yield from call(GETCONTACT, request, login.hosts)
        if not isinstance(reply.member_list, list):
            contacts.lack = "a page names no contacts"
            break
        taken, before = contacts.add(take_listed(reply.member_list)), len(known)
        known.update(contacts.hashes[len(contacts.hashes) - taken :])
        repeated = 0 if len(known) > before else repeated + 1
        contacts.is_complete &= taken == len(reply.member_list)
        sizes.append((len(reply.member_list), reply.member_count))
        if not isinstance(reply.seq, int):
            contacts.lack = "a page does not say whether another follows"
            break
        if reply.seq == 0:
            break
        seq = reply.seq
    else:
        contacts.lack = "its pages have no end"
    contacts.lack = contacts.lack or _lack_by_size(sizes)
    contacts.is_complete &= not contacts.lack
    return contacts


def _lack_by_size(pages: Sequence[tuple[int, int]]) -> str:
    """
    Return why a contact list seems incomplete; empty if nothing indicates that.

    Args:
        pages: Number of contacts on each page, and its `MemberCount`.
    """
    if not pages[0][0]:
        return "the first page is empty"  # which contains the account itself in every case
    total, announced = sum(came for came, _ in pages), {count for _, count in pages}
    is_short = any(count > came for came, count in pages)
    # No public sample has several pages: the number may as well be that of all of them.
    if is_short and (announced != {total} or (0, total) in pages):
        return f"{total} contacts came, and a page has fewer than it says"
    return ""


def get_contacts(login: Login, keys: Iterable[ContactKey], now: float) -> Flow[Lookup]:
    """
    Fetch details, including the members of chatrooms. Contacts that an answer omits are requested once more.

    Wire: webwxbatchgetcontact
    """
    keys = list(keys)
    listed = yield from list_details(login, keys, now)
    read = [read_listed([item.raw], login.user_id, login.account.uin) for item in listed]
    found = {each.id: each for each in read if each is not None}
    wanted = dict.fromkeys(ContactId(key.user_name) for key in keys)
    return Lookup(found=tuple(found.values()), missing=tuple(each for each in wanted if each not in found))


def list_details(login: Login, keys: Iterable[ContactKey], now: float) -> Flow[list[Listed]]:
    """
    Fetch details without decoding them; contacts that the server omits twice are missing.

    Raises:
        ProtocolError: An answer has no list, or fewer contacts than its count.

    Wire: webwxbatchgetcontact
    """
    wanted = {key.user_name: key for key in keys}
    found: dict[str, Listed] = {}
    for _ in range(2):
        missing = [key for name, key in wanted.items() if name not in found]
        for start in range(0, len(missing), BATCH_LIMIT):
            items = yield from _get_batch(login, missing[start : start + BATCH_LIMIT], now)
            found |= {each.id: each for each in take_listed(items)}
    return [each for name, each in found.items() if name in wanted]


def get_batch(login: Login, keys: Sequence[ContactKey], now: float) -> Flow[list[Contact]]:
    """
    Fetch details of at most fifty contacts in one call; contacts that the server does not know are missing.

    Wire: webwxbatchgetcontact
    """
    return read_contacts((yield from _get_batch(login, keys, now)), login.user_id, login.account.uin)


def _get_batch(login: Login, keys: Sequence[ContactKey], now: float) -> Flow[list[msgspec.Raw]]:
    request = BatchContactsRequest(
        r=int(now * 1000), pass_ticket=login.pass_ticket, credentials=login.credentials,
        count=len(keys), list=tuple(keys),
    )  # fmt: skip
    reply = yield from call(BATCHGETCONTACT, request, login.hosts)
    if not isinstance(reply.contact_list, list) or len(reply.contact_list) < reply.count:
        raise ProtocolError(f"{BATCHGETCONTACT.name}: the answer has fewer contacts than its count.")
    return reply.contact_list


def read_contacts(items: Iterable[msgspec.Raw], own_id: str, own_uin: int = 0) -> list[Contact]:
    """Decode contacts one by one, see `contact_from_wire`; an invalid one is omitted."""
    read = [read_listed([item], own_id, own_uin) for item in items]
    return [contact for contact in read if contact is not None]


def set_remark(login: Login, contact: ContactId, remark: str) -> Flow[None]:
    """
    Set the remark of a contact; an empty one removes it.

    Wire: webwxoplog
    """
    request = OplogRequest(
        pass_ticket=login.pass_ticket, user_name=contact, cmd_id=SET_REMARK, remark_name=remark,
        credentials=login.credentials,
    )  # fmt: skip
    yield from call(OPLOG, request, login.hosts)


def set_pinned(login: Login, contact: Contact, *, is_pinned: bool) -> Flow[None]:
    """
    Pin a chat to the top of the list, or unpin it. The current remark must be sent again, or the platform erases it.

    Wire: webwxoplog
    """
    request = OplogRequest(
        pass_ticket=login.pass_ticket, user_name=contact.id, cmd_id=SET_PINNED, op=int(is_pinned),
        remark_name=contact.remark, credentials=login.credentials,
    )  # fmt: skip
    yield from call(OPLOG, request, login.hosts)


def download_avatar(login: Login, who: ContactId, avatar_key: str = "") -> Flow[bytes]:
    """
    Download the avatar of a person or a chatroom.

    Args:
        login: The login.
        who: Id of the person or chatroom.
        avatar_key: For a member who is not a friend: `EncryChatRoomId` of the chatroom.

    Raises:
        MediaUnavailable: There is no avatar, or there were too many calls.

    Wire: webwxgeticon, webwxgetheadimg
    """
    request = AvatarRequest(username=who, skey=login.credentials.skey, chatroomid=avatar_key, type="big")
    endpoint = GETHEADIMG if is_chatroom(who) else GETICON
    reply = yield from call(endpoint, request, login.hosts)
    if not image_type(reply.content):
        check_media(endpoint.name, reply.content)
        raise MediaUnavailable(f"{endpoint.name}: the answer has no picture; try again in some minutes.")
    return reply.content


def add_friend(login: Login, person: ContactId, greeting: str, now: float) -> Flow[None]:
    """
    Send a friend request.

    Wire: webwxverifyuser
    """
    yield from call(VERIFYUSER, _verification(login, ADD_FRIEND, VerifyUser(value=person), greeting, now), login.hosts)


def accept_friend(login: Login, person: ContactId, ticket: str, now: float) -> Flow[None]:
    """
    Accept a friend request, by the ticket that came with it.

    Wire: webwxverifyuser
    """
    user = VerifyUser(value=person, verify_user_ticket=ticket)
    yield from call(VERIFYUSER, _verification(login, ACCEPT_FRIEND, user, "", now), login.hosts)


def _verification(login: Login, opcode: int, user: VerifyUser, greeting: str, now: float) -> VerifyUserRequest:
    return VerifyUserRequest(
        r=int(now * 1000), pass_ticket=login.pass_ticket, credentials=login.credentials, opcode=opcode,
        verify_user_list=(user,), verify_content=greeting, skey=login.credentials.skey,
    )  # fmt: skip
