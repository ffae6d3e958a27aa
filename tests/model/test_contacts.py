"""Contacts as values: decoding and display names."""

from __future__ import annotations

from typing import Any

import pytest

from webwx.errors import StaleContact, UnknownContact
from webwx.model.address_book import Contacts
from webwx.model.contacts import (
    Contact,
    ContactId,
    Kind,
    Member,
    contact_from_wire,
    is_chatroom,
)
from webwx.protocol.contacts import WireContact, WireMember

ME = "@me"


def contact(id: str, nickname: str = "", remark: str = "", **more: Any) -> Contact:  # noqa: A002 - the field's name
    return Contact(id=ContactId(id), nickname=nickname, remark=remark, **more)


LILEI = contact("@li", "李雷", "Boss")
ZHANG = contact("@zhang", "张三")
OTHER_ZHANG = contact("@zhang2", "张三", "邻居")


class TestFromTheWire:
    @pytest.mark.parametrize(
        ("wire", "kind"),
        [
            (WireContact(user_name=ME, contact_flag=3), "self"),
            (WireContact(user_name="@@room", verify_flag=8), "chatroom"),
            (WireContact(user_name="12345@chatroom"), "chatroom"),
            (WireContact(user_name="filehelper", contact_flag=3), "builtin"),
            (WireContact(user_name="weixin", verify_flag=56), "builtin"),
            (WireContact(user_name="@gh", verify_flag=24, contact_flag=3), "official"),
            (WireContact(user_name="@friend", contact_flag=2049), "friend"),
            (WireContact(user_name="@gone", contact_flag=2), "stranger"),
        ],
    )
    def test_every_contact_has_a_kind(self, wire: WireContact, kind: Kind) -> None:
        assert contact_from_wire(wire, ME).kind == kind

    def test_names_are_decoded_like_texts(self) -> None:
        smile = '<span class="emoji emoji1f602"></span>'
        wire = WireContact(
            user_name="@@room",
            nick_name=f"A&amp;B{smile}",
            remark_name=f"{smile}&lt;3",
            alias="li_lei",
            member_list=[WireMember(user_name="@a", nick_name=smile, display_name="&lt;阿华&gt;")],
        )

        assert contact_from_wire(wire, ME) == contact(
            "@@room", "A&B😂", "😂<3", alias="li_lei", kind="chatroom",
            members=(Member(id=ContactId("@a"), nickname="😂", display_name="<阿华>"),),
        )  # fmt: skip

    def test_all_fields_of_a_contact_are_decoded(self) -> None:
        wire = WireContact(
            user_name="@a", uin=7, py_quan_pin="ahua", remark_py_quan_pin="hua", sex=2, attr_status=2**31 + 1,
            signature="a &amp; b", province="上海", city="浦东",
            head_img_url="/cgi-bin/mmwebwx-bin/webwxgeticon?seq=633212345&username=@a&skey=",
        )  # fmt: skip

        assert contact_from_wire(wire, ME) == contact(
            "@a", uin=7, pinyin="ahua", remark_pinyin="hua", sex=2, attr_status=2**31 + 1, signature="a & b",
            region="上海 浦东", avatar=633212345, kind="stranger",
        )  # fmt: skip

    @pytest.mark.parametrize(
        "url",
        ["", "/x?seq=0&username=@a", "/x?username=seq=5", "/x?mseq=5", "/x?seq=&username=@a", f"/x?seq={'9' * 19}"],
    )
    def test_a_picture_without_a_valid_number_has_number_0(self, url: str) -> None:
        assert contact_from_wire(WireContact(user_name="@a", head_img_url=url), ME).avatar == 0

    @pytest.mark.parametrize("id_", ["@@abc", "12@chatroom"])
    def test_a_chatroom_is_recognised_by_its_id(self, id_: str) -> None:
        assert is_chatroom(id_)
        assert not is_chatroom(id_.strip("@").replace("@", ""))


@pytest.mark.parametrize(("who", "shown"), [(LILEI, "Boss"), (ZHANG, "张三"), (contact("@unknown"), "@unknown")])
def test_the_display_name_is_the_remark_then_the_nickname_then_the_id(who: Contact, shown: str) -> None:
    assert who.display_name == shown


class TestIds:
    @pytest.mark.parametrize("old", ["@0123456789abcdef", f"@@{'0a' * 32}", "weixin"])
    def test_do_not_find_a_contact_by_its_name(self, old: str) -> None:
        known = Contacts([contact("@a", old), contact("@b", "张三", old)])

        with pytest.raises(UnknownContact):
            known.resolve(old)
        assert known.called(old) == []

    def test_of_an_earlier_login_are_stale(self) -> None:
        known = Contacts([contact("@a", "@jack"), contact("@b", "李雷")])

        assert known.resolve("@jack").id == "@a"
        for old in ("@jim", "@0123456789abcdef", contact("@old", "李雷"), contact("@jack", "李雷")):
            with pytest.raises(StaleContact):
                known.resolve(old)
