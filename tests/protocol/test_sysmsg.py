"""Notices of the platform in the form of XML."""

from __future__ import annotations

import pytest

from webwx.protocol.sysmsg import (
    SystemNotice,
    people_in_template,
    read_notice,
    without_placeholders,
    write_pat,
    write_template,
)


def test_a_template_becomes_the_sentence_that_phones_show() -> None:
    xml = write_template('"$by$"邀请"$names$"加入了群聊', {"by": {"wxid_a": "阿华"}, "names": {"b": "B<&>", "c": "C"}})
    assert read_notice(xml) == SystemNotice(type="sysmsgtemplate", text='"阿华"邀请"B<&>、C"加入了群聊')


@pytest.mark.parametrize(
    ("inner", "text"),
    [
        ("<template>$a$ x $b$</template>", "$a$ x $b$"),
        ("<plain>p</plain><template></template>", "p"),
        ("<template>x $r$</template><link_list><link name='r' type='link_revoke'><title>撤销</title></link>"
         "</link_list>", "x"),
        ("<template>$a$</template><link_list><link name='a'><memberlist><member/></memberlist></link></link_list>", ""),
        ("<template>$a$</template><link_list><link name='a'><separator>, </separator><memberlist><member><nickname>A"
         "</nickname></member><member><nickname>B</nickname></member></memberlist></link></link_list>", "A,B"),
    ],
)  # fmt: skip
def test_missing_values_of_a_template_leave_no_gap(inner: str, text: str) -> None:
    xml = f"<sysmsg type='sysmsgtemplate'><sysmsgtemplate><content_template>{inner}</content_template></sysmsgtemplate>"
    assert read_notice(xml) == SystemNotice(type="sysmsgtemplate", text=text)


def test_a_nickname_is_not_expanded_as_a_template() -> None:
    xml = write_template("$a$ $b$", {"a": {"1": "$b$"}, "b": {"2": "B"}})
    assert read_notice(xml) == SystemNotice(type="sysmsgtemplate", text="$b$ B")


HOSTILE_TEMPLATES = {
    "one name in many places": ("$a$" * 26_000, "<member><nickname>{}</nickname></member>".format("x" * 80_000), ""),
    "a long separator": ("$a$", "<member/>" * 9_000, "x" * 80_000),
    "names of nothing": ("$a$" * 53_000, "", ""),
}


@pytest.mark.parametrize("hostile", HOSTILE_TEMPLATES)
def test_an_expanded_template_is_at_most_a_small_multiple_of_its_xml(hostile: str) -> None:
    template, members, separator = HOSTILE_TEMPLATES[hostile]
    xml = (
        f"<sysmsg type='sysmsgtemplate'><sysmsgtemplate><content_template><template>{template}</template><link_list>"
        f"<link name='a'><memberlist>{members}</memberlist><separator>{separator}</separator></link></link_list>"
        "</content_template></sysmsgtemplate></sysmsg>"
    )
    notice = read_notice(xml)
    assert notice is not None
    assert len(notice.text) <= 2 * len(xml)


def test_names_that_fit_are_shown_although_others_do_not_fit() -> None:
    long = "x" * 1_000
    notice = read_notice(write_template("$a$ $b$ $b$ $b$", {"a": {"1": "A"}, "b": {"2": long}}))
    assert notice is not None
    assert notice.text == f"A {long} $b$ $b$"


def test_a_pat_has_the_permanent_ids_of_both() -> None:
    assert read_notice(write_pat(actor="wxid_a", target="wxid_b", chat="1@chatroom")) == SystemNotice(
        type="pat", template='"${wxid_a}" 拍了拍 "${wxid_b}"', actor="wxid_a", target="wxid_b"
    )


def test_the_notice_of_a_pat_names_both_and_the_chat_as_phones_write_it() -> None:
    assert write_pat(actor="wxid_a", target="wxid_b", chat="1@chatroom") == (
        '<sysmsg type="pat"><pat><fromusername>wxid_a</fromusername><chatusername>1@chatroom</chatusername>'
        "<pattedusername>wxid_b</pattedusername>"
        '<template>"${wxid_a}" 拍了拍 "${wxid_b}"</template></pat></sysmsg>'
    )


def test_a_pat_without_fields_is_a_pat() -> None:
    assert read_notice("<sysmsg type='pat'><pat/></sysmsg>") == SystemNotice(type="pat")


@pytest.mark.parametrize("kind", ["roomtips", "roomtoolstips", "delchatroommember", "newest"])
def test_a_notice_without_a_sentence_has_an_empty_text(kind: str) -> None:
    xml = f"<sysmsg type='{kind}'><todo>x\n <b><![CDATA[y & z]]></b><username>wxid_a</username><content>5</content>"
    assert read_notice(f"{xml}</todo></sysmsg>") == SystemNotice(type=kind)


def test_a_todo_of_a_chatroom_has_the_sentence_of_its_template() -> None:
    xml = (
        "<sysmsg type='roomtoolstips'><todo><op>0</op><username>room@app.origin</username><title>群公告</title>"
        "<template><![CDATA[${wxid_a}将你的消息设置为群待办]]></template></todo></sysmsg>"
    )
    assert read_notice(xml) == SystemNotice(type="roomtoolstips", template="${wxid_a}将你的消息设置为群待办")


def test_the_people_of_a_template_are_the_ids_in_its_placeholders() -> None:
    template = '${wxid_a} 拍了拍 "${wxid_b}" 的 {头} $'
    assert people_in_template(template) == ["wxid_a", "wxid_b"]
    assert without_placeholders(template) == 'wxid_a 拍了拍 "wxid_b" 的 {头} $'


JOINED_BY_CODE = (
    "<sysmsg type='delchatroommember'><delchatroommember>{plain}<text><![CDATA[x joined  ]]></text><link>"
    "<scene>qrcode</scene><text><![CDATA[  Revoke]]></text><memberlist><username>wxid_a</username></memberlist>"
    "<qrcode><![CDATA[http://weixin.qq.com/g/AAAA]]></qrcode></link></delchatroommember></sysmsg>"
)


@pytest.mark.parametrize(
    ("plain", "text"),
    [("<plain><![CDATA[y joined  ]]></plain>", "y joined"), ("<plain></plain>", "x joined"), ("", "x joined")],
)
def test_a_notice_to_the_owner_has_its_plain_text_and_no_join_link(plain: str, text: str) -> None:
    assert read_notice(JOINED_BY_CODE.format(plain=plain)) == SystemNotice(type="delchatroommember", text=text)


def test_links_and_codes_are_not_in_the_text_of_a_notice() -> None:
    links = "<link><text>t</text></link><qrcode>http://weixin.qq.com/g/A</qrcode>"
    assert read_notice(f"<sysmsg type='newest'><a>{links}<text>x</text></a></sysmsg>") == SystemNotice(
        type="newest", text="x"
    )


def test_a_notice_to_the_owner_in_malformed_xml_has_its_plain_text() -> None:
    xml = "<sysmsg type='delchatroommember'></span><plain><![CDATA[y joined  ]]></plain></sysmsg>"
    assert read_notice(xml) == SystemNotice(type="delchatroommember", text="y joined")


def test_an_announcement_has_its_text_and_not_its_record() -> None:
    xml = (
        "<sysmsg type='mmchatroombarannouncememt'><mmchatroombarannouncememt><content>一\n二</content><xmlcontent>"
        "<![CDATA[<group_notice_item/>]]></xmlcontent></mmchatroombarannouncememt></sysmsg>"
    )
    assert read_notice(xml) == SystemNotice(type="mmchatroombarannouncememt", text="一\n二")


@pytest.mark.parametrize("xml", ["", "hi", "<msg/>", "<a><sysmsg/></a>", "<sysmsg", "<!DOCTYPE a><sysmsg/>"])
def test_other_xml_is_none(xml: str) -> None:
    assert read_notice(xml) is None
