"""Contacts by pages, chatrooms by batches of fifty."""

from __future__ import annotations

import msgspec
import pytest
from tests.flows.drive import drive, reply
from tests.saved import LOGIN, ME, NOW

from webwx.flows.contacts import MAX_PAGES, get_contacts, list_contacts, read_contacts
from webwx.protocol.codec import write_json
from webwx.protocol.contacts import BATCHGETCONTACT, GETCONTACT, WireContact
from webwx.protocol.http import Response


def raw(user_name: str) -> msgspec.Raw:
    """Somebody as the server writes them."""
    return msgspec.Raw(write_json(WireContact(user_name=user_name, nick_name=user_name[1:])))


def page(*ids: str, seq: int = 0) -> Response:
    return reply(GETCONTACT, member_list=[raw(each) for each in ids], seq=seq)


def asked_for(request: object) -> list[str]:
    body = msgspec.json.decode(request.content)
    assert len(body["List"]) == body["Count"]
    return [each["UserName"] for each in body["List"]]


class TestListContacts:
    def test_d1_asks_for_pages_until_seq_is_0(self) -> None:
        contacts, requests = drive(list_contacts(LOGIN, NOW), page("@a", "@b", seq=2), page("@c", seq=3), page("@d"))

        assert [contact.nickname for contact in contacts] == ["a", "b", "c", "d"]
        assert [request.url.partition("&seq=")[2] for request in requests] == ["0", "2", "3"]

    def test_d1_ends_where_seq_stands_still(self) -> None:
        contacts, _ = drive(list_contacts(LOGIN, NOW), page("@a", seq=2), page("@b", seq=2))

        assert [contact.id for contact in contacts] == ["@a", "@b"]

    def test_d1_ends_though_seq_never_does(self) -> None:
        endless = [page(f"@{number}", seq=number) for number in range(1, MAX_PAGES + 1)]

        assert len(drive(list_contacts(LOGIN, NOW), *endless)[0]) == MAX_PAGES

    def test_a_broken_contact_costs_no_other(self) -> None:
        body = (
            b'{"BaseResponse":{"Ret":0},"MemberList":[{"UserName":"@a"},{"NickName":"x"},7,{"UserName":"@b"}],"Seq":0}'
        )
        contacts, _ = drive(list_contacts(LOGIN, NOW), Response(body=body))

        assert [contact.id for contact in contacts] == ["@a", "@b"]


class TestGetContacts:
    @pytest.mark.parametrize(("wanted", "batches"), [(0, []), (1, [1]), (50, [50]), (51, [50, 1]), (500, [50] * 10)])
    def test_d3_asks_for_fifty_at_a_time(self, wanted: int, batches: list[int]) -> None:
        ids = [f"@@{number}" for number in range(wanted)]
        _, requests = drive(get_contacts(LOGIN, ids, NOW), *[reply(BATCHGETCONTACT)] * len(batches))

        assert batches == [len(asked_for(request)) for request in requests]
        assert ids == [each for request in requests for each in asked_for(request)]

    def test_d3_leaves_out_whom_the_server_does_not_know(self) -> None:
        contacts, _ = drive(get_contacts(LOGIN, ["@@a", "@@b"], NOW), reply(BATCHGETCONTACT, contact_list=[raw("@@b")]))

        assert [contact.id for contact in contacts] == ["@@b"]


def test_the_account_finds_itself() -> None:
    [contact] = read_contacts([raw(ME)], ME)

    assert contact.kind == "self"
