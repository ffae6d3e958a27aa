"""Notices of the platform that come as XML."""

from __future__ import annotations

import pytest

from webwx.protocol.sysmsg import SystemNotice, read_notice, write_pat, write_template


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
def test_what_a_template_lacks_leaves_no_hole(inner: str, text: str) -> None:
    xml = f"<sysmsg type='sysmsgtemplate'><sysmsgtemplate><content_template>{inner}</content_template></sysmsgtemplate>"
    assert read_notice(xml) == SystemNotice(type="sysmsgtemplate", text=text)


def test_a_nickname_is_no_template() -> None:
    xml = write_template("$a$ $b$", {"a": {"1": "$b$"}, "b": {"2": "B"}})
    assert read_notice(xml) == SystemNotice(type="sysmsgtemplate", text="$b$ B")


def test_a_pat_names_both_by_their_real_ids() -> None:
    assert read_notice(write_pat(actor="wxid_a", target="wxid_b", chat="1@chatroom")) == SystemNotice(
        type="pat", text='"wxid_a" 拍了拍 "wxid_b"', actor="wxid_a", target="wxid_b"
    )


def test_a_pat_that_says_nothing_is_still_one() -> None:
    assert read_notice("<sysmsg type='pat'><pat/></sysmsg>") == SystemNotice(type="pat")


@pytest.mark.parametrize("kind", ["roomtips", "roomtoolstips", "delchatroommember", "newest"])
def test_any_other_notice_keeps_its_words(kind: str) -> None:
    xml = f"<sysmsg type='{kind}'><a>x\n <b><![CDATA[y & z]]></b></a></sysmsg>"
    assert read_notice(xml) == SystemNotice(type=kind, text="x y & z")


@pytest.mark.parametrize("xml", ["", "hi", "<msg/>", "<a><sysmsg/></a>", "<sysmsg", "<!DOCTYPE a><sysmsg/>"])
def test_anything_else_is_none(xml: str) -> None:
    assert read_notice(xml) is None
