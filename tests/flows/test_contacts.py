"""Contacts by pages, chatrooms in batches of fifty, and changes of contacts."""

from __future__ import annotations

import msgspec
import pytest
from tests.flows.drive import drive, refusal, reply
from tests.saved import LOGIN, ME, NOW

from webwx.errors import LoggedOut, MediaUnavailable, ProtocolError, SendOutcomeUnknown, Timeout
from webwx.flows.contacts import (
    MAX_REPEATED,
    accept_friend,
    add_friend,
    download_avatar,
    get_batch,
    get_contacts,
    list_contacts,
    read_contacts,
    set_pinned,
    set_remark,
)
from webwx.model.contacts import Contact, ContactId, Listing, take_listed
from webwx.protocol.codec import write_json
from webwx.protocol.contacts import (
    BATCHGETCONTACT,
    GETCONTACT,
    OPLOG,
    VERIFYUSER,
    ContactKey,
    ContactsRequest,
    WireContact,
)
from webwx.protocol.http import Request, Response


def raw(user_name: str) -> msgspec.Raw:
    """Return a contact as the server encodes it."""
    return msgspec.Raw(write_json(WireContact(user_name=user_name, nick_name=user_name[1:])))


def page(*ids: str, seq: int = 0, count: int | None = None) -> Response:
    listed = [raw(each) for each in ids]
    return reply(GETCONTACT, member_list=listed, seq=seq, member_count=len(ids) if count is None else count)


def said(**fields: object) -> Response:
    """Return a page of contacts with only these fields."""
    return Response(body=msgspec.json.encode({"BaseResponse": {"Ret": 0}, **fields}))


A = {"UserName": "@a"}


def asked_for(request: Request) -> list[str]:
    body = msgspec.json.decode(request.content)
    assert len(body["List"]) == body["Count"]
    return [each["UserName"] for each in body["List"]]


def ids(listing: Listing) -> list[str]:
    return [each.id for each in take_listed(map(msgspec.Raw, listing.raws))]


class TestListContacts:
    def test_asks_for_pages_until_seq_is_0(self) -> None:
        contacts, requests = drive(list_contacts(LOGIN, NOW), page("@a", "@b", seq=2), page("@c", seq=3), page("@d"))

        assert ids(contacts) == ["@a", "@b", "@c", "@d"]
        assert [request.url.partition("&seq=")[2] for request in requests] == ["0", "2", "3"]

    def test_each_page_is_asked_for_with_the_keys_of_the_login(self) -> None:
        _, [request] = drive(list_contacts(LOGIN, NOW), page("@a"))

        assert GETCONTACT.decode_request(request) == ContactsRequest(
            skey=LOGIN.credentials.skey, pass_ticket=LOGIN.pass_ticket, r=int(NOW * 1000), seq=0
        )

    def test_ends_when_seq_does_not_change(self) -> None:
        contacts, _ = drive(list_contacts(LOGIN, NOW), page("@a", seq=2), page("@b", seq=2))

        assert ids(contacts) == ["@a", "@b"]

    def test_a_list_of_any_number_of_pages_is_complete(self) -> None:
        pages = [page(f"@{number}", seq=number) for number in range(1, 301)]
        listing, _ = drive(list_contacts(LOGIN, NOW), *pages, page("@last"))

        assert len(ids(listing)) == 301
        assert (listing.lack, listing.is_complete) == ("", True)

    def test_ends_after_the_maximum_of_pages(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("webwx.flows.contacts.MAX_PAGES", 20)
        listing, _ = drive(list_contacts(LOGIN, NOW), *(page(f"@{number}", seq=number) for number in range(1, 21)))

        assert len(ids(listing)) == 20
        assert (listing.lack, listing.is_complete) == ("its pages have no end", False)

    def test_pages_without_contacts_before_the_first_contact_are_skipped(self) -> None:
        some = [page(seq=number) for number in range(1, MAX_REPEATED)]
        listing, _ = drive(list_contacts(LOGIN, NOW), *some, page("@a"))

        assert ids(listing) == ["@a"]

    def test_a_page_without_a_new_contact_is_skipped(self) -> None:
        some = [page("@a", "@b", seq=1), page("@a", seq=2), page(seq=3), page("@c")]
        listing, _ = drive(list_contacts(LOGIN, NOW), *some)

        assert ids(listing) == ["@a", "@b", "@a", "@c"]

    @pytest.mark.parametrize(
        "pages",
        [
            [page("@a")],
            [page("@a", "@b", seq=2), page("@c", seq=3), page("@d")],
            [page("@a", seq=2, count=2), page("@b", count=2)],  # The count of both pages.
            [page("@a", seq=2), page()],  # One page more than needed.
            [said(MemberList=[A], Seq=0)],
        ],
    )
    def test_a_list_with_its_last_page_is_complete(self, pages: list[Response]) -> None:
        listing, _ = drive(list_contacts(LOGIN, NOW), *pages)

        assert (listing.lack, listing.is_complete) == ("", True)

    @pytest.mark.parametrize(
        ("pages", "lack"),
        [
            ([said()], "a page names no contacts"),
            ([said(MemberCount=2, MemberList=None, Seq=0)], "a page names no contacts"),
            ([said(MemberCount=0, MemberList=[], Seq=0)], "the first page is empty"),
            ([page("@a", seq=2), said(MemberCount=2, Seq=0)], "a page names no contacts"),
            ([page("@a", seq=2), said(MemberCount=2, MemberList="x", Seq=0)], "a page names no contacts"),
            ([said(MemberCount=2, MemberList=[A], Seq=0)], "1 contacts came, and a page has fewer than it says"),
            ([page("@a", "@b", seq=2), said(MemberCount=2, MemberList=[], Seq=0)], "2 contacts came"),
            ([page("@a", seq=2), said(MemberCount=3, MemberList=[A], Seq=0)], "2 contacts came"),
            ([page("@a", seq=2), said(MemberList=[])], "does not say whether another follows"),
            ([said(MemberCount=1, MemberList=[A])], "does not say whether another follows"),
            ([said(MemberCount=1, MemberList=[A], Seq=None)], "does not say whether another follows"),
            ([page("@a", seq=2), page("@b", seq=2)], "no end"),
            ([page("@a", seq=2), page("@b", seq=3), page("@c", seq=2)], "no end"),
            ([page("@a", seq=number) for number in range(1, MAX_REPEATED + 2)], "no end"),
        ],
    )
    def test_an_incomplete_list_is_marked(self, pages: list[Response], lack: str) -> None:
        listing, _ = drive(list_contacts(LOGIN, NOW), *pages)

        assert lack in listing.lack
        assert not listing.is_complete

    def test_a_malformed_contact_affects_no_other(self) -> None:
        body = (
            b'{"BaseResponse":{"Ret":0},"MemberList":[{"UserName":"@a"},{"NickName":"x"},7,{"UserName":"@b"}],"Seq":0}'
        )
        contacts, _ = drive(list_contacts(LOGIN, NOW), Response(body=body))

        assert ids(contacts) == ["@a", "@b"]
        assert (contacts.lack, contacts.is_complete) == ("", False), "the malformed contact may be any of them"


def details(*ids: str) -> Response:
    return reply(BATCHGETCONTACT, contact_list=[raw(each) for each in ids])


def keys(*ids: str) -> list[ContactKey]:
    return [ContactKey(user_name=each) for each in ids]


class TestGetContacts:
    @pytest.mark.parametrize(("wanted", "batches"), [(0, []), (1, [1]), (50, [50]), (51, [50, 1]), (500, [50] * 10)])
    def test_asks_for_fifty_at_a_time(self, wanted: int, batches: list[int]) -> None:
        ids = [f"@@{number}" for number in range(wanted)]
        answers = [details(*ids[start : start + 50]) for start in range(0, wanted, 50)]
        lookup, requests = drive(get_contacts(LOGIN, keys(*ids), NOW), *answers)

        assert batches == [len(asked_for(request)) for request in requests]
        assert ids == [each for request in requests for each in asked_for(request)]
        assert [contact.id for contact in lookup.found] == ids
        assert lookup.missing == ()

    def test_omitted_contacts_are_requested_once_more_and_then_reported_missing(self) -> None:
        ids = [f"@@{number}" for number in range(51)]
        flow = get_contacts(LOGIN, keys(*ids), NOW)
        lookup, requests = drive(flow, details(*ids[3:50]), details(ids[50]), details(ids[0]))

        assert [asked_for(request) for request in requests] == [ids[:50], ids[50:], ids[:3]]
        assert {contact.id for contact in lookup.found} == {*ids} - {*ids[1:3]}
        assert lookup.missing == tuple(ids[1:3])

    def test_contacts_that_were_not_requested_are_not_in_found(self) -> None:
        lookup, _ = drive(get_contacts(LOGIN, keys("@@a"), NOW), details("@@a", "@other"))

        assert [contact.id for contact in lookup.found] == ["@@a"]

    @pytest.mark.parametrize(
        "fields",
        [{}, {"Count": 1}, {"Count": 1, "ContactList": None}, {"Count": 2, "ContactList": [A]}, {"ContactList": "x"}],
    )
    def test_an_answer_with_fewer_contacts_than_its_count_is_malformed(self, fields: dict[str, object]) -> None:
        with pytest.raises(ProtocolError, match="webwxbatchgetcontact"):
            drive(get_contacts(LOGIN, keys("@a"), NOW), said(**fields))

    def test_a_member_is_requested_with_the_chatroom(self) -> None:
        key = ContactKey(user_name="@a", encry_chat_room_id="@@room")
        contacts, [request] = drive(get_batch(LOGIN, [key], NOW), details("@a"))

        assert msgspec.json.decode(request.content)["List"] == [{"UserName": "@a", "EncryChatRoomId": "@@room"}]
        assert [contact.id for contact in contacts] == ["@a"]


class TestRemarksAndPins:
    def test_a_remark(self) -> None:
        _, [request] = drive(set_remark(LOGIN, ContactId("@a"), "花"), reply(OPLOG))
        body = msgspec.json.decode(request.content)

        assert (body["CmdId"], body["UserName"], body["RemarkName"]) == (2, "@a", "花")

    @pytest.mark.parametrize(("is_pinned", "op"), [(True, 1), (False, 0)])
    @pytest.mark.parametrize("remark", ["Boss", ""])
    def test_a_pin_repeats_the_remark_because_a_missing_one_is_erased(
        self, is_pinned: bool, op: int, remark: str
    ) -> None:
        boss = Contact(id=ContactId("@a"), remark=remark)
        _, [request] = drive(set_pinned(LOGIN, boss, is_pinned=is_pinned), reply(OPLOG))
        body = msgspec.json.decode(request.content)

        assert (body["CmdId"], body["OP"], body["UserName"], body["RemarkName"]) == (3, op, "@a", remark)


class TestAvatars:
    @pytest.mark.parametrize(("who", "call"), [("@a", "webwxgeticon"), ("@@room", "webwxgetheadimg")])
    def test_people_and_chatrooms_have_different_calls(self, who: str, call: str) -> None:
        picture, [request] = drive(download_avatar(LOGIN, ContactId(who)), Response(body=b"\xff\xd8\xffpicture"))

        assert picture == b"\xff\xd8\xffpicture"
        assert request.endpoint == call

    def test_a_stranger_is_requested_with_the_key_of_the_chatroom(self) -> None:
        _, [request] = drive(download_avatar(LOGIN, ContactId("@a"), "@0f1e"), Response(body=b"BMP"))
        assert "&type=big" in request.url

        assert "&chatroomid=%400f1e" in request.url

    @pytest.mark.parametrize("body", [b"", b"<html></html>", b'{"error":"blocked by proxy"}'])
    def test_an_answer_that_is_not_a_picture_is_an_error(self, body: bytes) -> None:
        with pytest.raises(MediaUnavailable, match="webwxgeticon"):
            drive(download_avatar(LOGIN, ContactId("@a")), Response(body=body))

    def test_a_refusal_instead_of_a_picture_is_raised(self) -> None:
        with pytest.raises(LoggedOut):
            drive(download_avatar(LOGIN, ContactId("@a")), refusal(1101))


class TestFriends:
    def test_a_request_has_a_greeting_and_no_ticket(self) -> None:
        _, [request] = drive(add_friend(LOGIN, ContactId("@a"), "我是小明", NOW), reply(VERIFYUSER))
        body = msgspec.json.decode(request.content)

        assert (body["Opcode"], body["VerifyContent"]) == (2, "我是小明")
        assert body["VerifyUserList"] == [{"Value": "@a", "VerifyUserTicket": ""}]
        assert (body["VerifyUserListSize"], body["SceneListCount"], body["SceneList"]) == (1, 1, [33])

    def test_accepting_sends_the_ticket(self) -> None:
        _, [request] = drive(accept_friend(LOGIN, ContactId("@a"), "v2_1@stranger", NOW), reply(VERIFYUSER))
        body = msgspec.json.decode(request.content)

        assert body["Opcode"] == 3
        assert body["VerifyUserList"] == [{"Value": "@a", "VerifyUserTicket": "v2_1@stranger"}]
        assert body["skey"] == LOGIN.credentials.skey

    def test_a_lost_answer_is_not_requested_again(self) -> None:
        with pytest.raises(SendOutcomeUnknown):
            drive(add_friend(LOGIN, ContactId("@a"), "", NOW), Timeout("no answer"))


def test_the_account_finds_itself() -> None:
    [contact] = read_contacts([raw(ME)], ME)

    assert contact.kind == "self"
