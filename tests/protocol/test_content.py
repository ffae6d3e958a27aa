"""The text and XML inside `Content`, which may be written by attackers."""

from __future__ import annotations

import pytest

from webwx.errors import NotForwardable
from webwx.protocol.content import (
    MAX_XML,
    MAX_XML_DEPTH,
    MAX_XML_ELEMENTS,
    RecallNotice,
    escape,
    forward_image,
    read_attributes,
    read_image,
    read_loosely,
    read_recall_notice,
    read_xml,
    split_sender,
    unescape,
    write_image,
    write_message,
    write_recall_notice,
    write_tag,
)

FULL = {
    "aeskey": "00112233445566778899aabbccddeeff",
    "encryver": "0",
    "cdnthumbaeskey": "00112233445566778899aabbccddeeff",
    "cdnthumburl": "30570204example",
    "cdnmidimgurl": "30570204example",
    "length": "54321",
    "md5": "ffeeddccbbaa99887766554433221100",
}


# -- escaping --------------------------------------------------------------------------------------------------------


class TestEscaping:
    def test_a_text_is_delivered_escaped_once_with_br_for_line_breaks(self) -> None:
        assert escape('1 < 2 & 3 > 2 "q"\na\r\nb') == '1 &lt; 2 &amp; 3 &gt; 2 "q"<br/>a<br/>b'

    @pytest.mark.parametrize(
        ("escaped", "text"),
        [
            ("plain", "plain"),
            ("AT&amp;T", "AT&T"),
            ("&lt;b&gt;", "<b>"),
            ("it&#39;s &quot;so&quot;", 'it\'s "so"'),
            ("&amp;lt;", "&lt;"),
            ("&amp;amp;", "&amp;"),
            ("&amp;#39;", "&#39;"),
            ("&amp;quot;", "&quot;"),
            ("&nbsp;&", "&nbsp;&"),
        ],
    )
    def test_exactly_one_level_of_escaping_is_removed(self, escaped: str, text: str) -> None:
        assert unescape(escaped) == text

    @pytest.mark.parametrize("text", ["&lt;", "&amp;lt;", "<br/>", 'a & "b" <c>', "你好😀"])
    def test_escaped_text_can_be_unescaped(self, text: str) -> None:
        assert unescape(escape(text)) == text


class TestSenderPrefix:
    @pytest.mark.parametrize(
        ("content", "sender", "text"),
        [
            ("@abc:<br/>l1\nl2", "@abc", "l1\nl2"),
            ("@abc:\nl1", "@abc", "l1"),
            ("@0aF9:<br/>x", "@0aF9", "x"),
            ("wxid_x:<br/>hi", "wxid_x", "hi"),
            ("gh_1-a:<br/>hi", "gh_1-a", "hi"),
            ("@abc:<br/>wxid_y:<br/>quoted", "@abc", "wxid_y:<br/>quoted"),
            ("@abc:<br/>", "@abc", ""),
        ],
    )
    def test_the_member_is_split_from_the_text(self, content: str, sender: str, text: str) -> None:
        assert split_sender(content) == (sender, text)

    @pytest.mark.parametrize(
        "content",
        [
            "",
            "hi",
            "@abc: hi",
            "@abc hi:<br/>x",
            "张三:<br/>hi",
            ":<br/>hi",
            "@:<br/>hi",
            " @abc:<br/>hi",
            "a\n@abc:\nhi",
        ],
    )
    def test_without_a_prefix_the_author_is_unknown_and_the_text_unchanged(self, content: str) -> None:
        assert split_sender(content) == (None, content)


# -- XML -------------------------------------------------------------------------------------------------------------

BILLION_LAUGHS = (
    '<!DOCTYPE lolz [<!ENTITY lol "lol">'
    + "".join(f'<!ENTITY lol{n} "{f"&lol{n - 1 or str()};" * 10}">' for n in range(1, 10))
    + "]><msg>&lol9;</msg>"
)
QUADRATIC = f'<!DOCTYPE m [<!ENTITY a "{"a" * 30_000}">]><msg>{"&a;" * 10_000}</msg>'


class TestXmlBombs:
    @pytest.mark.parametrize(
        "xml",
        [
            pytest.param(BILLION_LAUGHS, id="billion laughs"),
            pytest.param(QUADRATIC, id="quadratic blow-up"),
            pytest.param('<!DOCTYPE m [<!ENTITY x SYSTEM "file:///etc/passwd">]><msg>&x;</msg>', id="file"),
            pytest.param('<!DOCTYPE m SYSTEM "http://127.0.0.1:1/x.dtd"><msg/>', id="address"),
            pytest.param("<!DOCTYPE m><msg/>", id="a DTD without anything in it"),
            pytest.param("<a>" * (MAX_XML_DEPTH + 1) + "</a>" * (MAX_XML_DEPTH + 1), id="one level too deep"),
            pytest.param("<a>" * 100_000, id="100,000 levels"),
            pytest.param(f"<a>{' ' * (MAX_XML - 6)}</a>", id="one character too large"),
            pytest.param(f"<a>{'<b/>' * MAX_XML_ELEMENTS}</a>", id="one element too many"),
        ],
    )
    @pytest.mark.timeout(30)  # An algorithm with quadratic time would take minutes.
    def test_an_entity_bomb_is_refused_quickly(self, xml: str) -> None:
        assert read_xml(xml) is None

    @pytest.mark.parametrize(
        "xml",
        [
            pytest.param("<a>" * MAX_XML_DEPTH + "</a>" * MAX_XML_DEPTH, id="depth"),
            pytest.param(f"<a>{' ' * (MAX_XML - 7)}</a>", id="size"),
            pytest.param(f"<a>{'<b/>' * (MAX_XML_ELEMENTS - 1)}</a>", id="elements"),
        ],
    )
    def test_xml_up_to_the_limit_is_decoded(self, xml: str) -> None:
        assert read_xml(xml) is not None


class TestReadingXml:
    @pytest.mark.parametrize(
        "xml", ["", "text", "<a>", "<a></b>", "<a>&</a>", "<a>\x0b</a>", "<a>\0</a>", "@a:\n<a/>", "<a/><b/>"]
    )
    def test_broken_xml_is_none(self, xml: str) -> None:
        assert read_xml(xml) is None

    def test_text_and_attributes_are_decoded_without_surrounding_blanks(self) -> None:
        root = read_xml('\n <msg a="1 &lt; 2">你好<b/></msg>\n')
        assert root is not None
        assert (root.tag, root.attrib, root.text) == ("msg", {"a": "1 < 2"}, "你好")

    def test_the_encoding_in_a_declaration_is_ignored(self) -> None:
        root = read_xml('<?xml version="1.0" encoding="gb2312"?><msg>你好</msg>')
        assert root is not None
        assert root.text == "你好"

    def test_a_lone_surrogate_does_not_prevent_decoding(self) -> None:
        root = read_xml("<msg>a\ud83d</msg>")
        assert root is not None
        assert root.text == "a?"


class TestReadingXmlLoosely:
    @pytest.mark.parametrize(
        ("xml", "title"),
        [
            ("<m><t>a & b</t></m>", "a & b"),
            ("<m><t>a &amp; b & c &lt; d</t></m>", "a & b & c < d"),
            ("<m><t>1 < 2</t></m>", "1 < 2"),
            ("<m><t>a\x0b\0b\ufffe</t></m>", "ab"),
            ("<m><t><![CDATA[a & <b>]]></t><x>&</x></m>", "a & <b>"),
            ("<m><t>&#20320; &</t></m>", "你 &"),
            ("@abc:\n<?xml version='1.0'?><m><t>x</t></m>", "x"),
            ("<m><t>x</t></m>\n<br/>", "x"),
            ("<m><t>x</t></m></m>", "x"),
            ("<m><t>x</t><des>ab", "x"),
            ("<m><t>x</t><des", "x"),
            ("<m><t>x</t></d></m>", "x"),
            ("<m><t>x", "x"),
            ("<m><a>1<b>2</a><t>x</t></m>", "x"),
            ("<m></a><a></b></a><t>x</t></m>", "x"),
            ("<m><b>1<t>x</t></m>", "x"),
            ("<m><t>a <b>.txt</t></m>", "a <b>.txt"),
            ("<m><t>a <b> <c d='e'>.txt</t><x/></m>", "a <b> <c d='e'>.txt"),
            ("<m><t>a <b>c</b> <d></t></m>", "a "),
            ("<m><t>a <b></c></t></m>", "a <b>"),
            ("<m><a><b>1<c>2<t>x</t></a></m>", None),
            ("</a><m><t>x</t></m>", "x"),
            ("<m a='1' a='2'><t>x</t></m>", "x"),
            ("<m><a b='1<2'/><t>x</t></m>", "x"),
            ('<m><a b="1"2" c="3"/><t>x</t></m>', "x"),
            ("<m><t>a <b c</t></m>", "a <b c"),
            ("<m><t>a<b</t></m>", "a<b"),
            ("<m></b><t>&lt;&#20320;&#x4f60;&#xd800;&#x110000;&nbsp;</t></m>", "<你你&nbsp;"),
            ("<m></b><t><![CDATA[a & <b>\0]]> c</t></m>", "a & <b> c"),
            ("<m></b><t><![CDATA[a & <b>", "a & <b>"),
            ("<m></b><?x <t>1</t> ?><!-- <t>2</t> --><t>x</t></m>", "x"),
            ("<m></b><t>x</t><!-- ", "x"),
            ("<m></b><t>x</t><a/></m><m><t>y</t></m>", "x"),
        ],
    )
    def test_undamaged_parts_of_damaged_xml_are_decoded(self, xml: str, title: str | None) -> None:
        root = read_loosely(xml)
        assert root is not None
        assert root.findtext("t") == title

    @pytest.mark.parametrize(
        ("xml", "attributes"),
        [
            ('<m a="1" b="2', {"a": "1"}),
            ("<m a='1' b = \"2\" c", {"a": "1", "b": "2"}),
            ('<m a="1"2" b="3" />', {"a": "1", "b": "3"}),
            ("<m a=1 b='2'/>", {"b": "2"}),
            ("<m a='x<y>z' b='2' />", {"a": "x<y>z", "b": "2"}),
            ("<m a='1' a='2' b='' />", {"a": "1", "b": ""}),
            ("<m a='&amp;&lt;&quot;&#65;&' b='2'", {"a": '&<"A&', "b": "2"}),
            ("<m a='1' <t>x</t></m>", {"a": "1"}),
            ("<m a='1'x<y' b='2'><t>x</t></m>", {"a": "1", "b": "2"}),
            ("<m a='1' <!-- b='2' -->", {"a": "1"}),
        ],
    )
    def test_whole_attributes_of_a_damaged_tag_are_decoded(self, xml: str, attributes: dict[str, str]) -> None:
        root = read_loosely(xml)
        assert root is not None
        assert root.attrib == attributes

    @pytest.mark.parametrize("xml", ["", "text", "@abc:<", "<", "<<<", "<m", "</m>", "&", "<m ", "<m a='1"])
    def test_text_without_xml_is_none(self, xml: str) -> None:
        assert read_loosely(xml) is None

    @pytest.mark.parametrize(
        "xml",
        [
            pytest.param(BILLION_LAUGHS, id="billion laughs"),
            pytest.param("<!DOCTYPE m><m>&</m>", id="a DTD"),
            pytest.param("<a>" * (MAX_XML_DEPTH + 1) + "&", id="one level too deep"),
            pytest.param(f"<a>&{' ' * MAX_XML}</a>", id="too large"),
            pytest.param(f"<a>{'&' * (MAX_XML // 4)}</a>", id="too large once repaired"),
            pytest.param("<a></b><!DOCTYPE m></a>", id="a DTD inside"),
            pytest.param(f"<a></b>{'<c>' * MAX_XML_DEPTH}", id="one level too deep in damaged XML"),
            pytest.param(f"<a></b>{'<c/>' * MAX_XML_ELEMENTS}", id="too many elements in damaged XML"),
        ],
    )
    def test_loose_reading_refuses_entities_as_well(self, xml: str) -> None:
        assert read_loosely(xml) is None

    @pytest.mark.parametrize(
        "piece",
        [
            "<",
            "&",
            "<![CDATA[",
            "<a ",
            "<a><",
            "<!--",
            "]]>",
            "<a></b>",
            "<a b='",
            "<a b=",
            "<![CDATA[]]>",
            "<a\t",
            "&#",
            "</a",
            "<a b='1' ",
        ],
    )
    def test_loose_reading_takes_linear_time(self, piece: str) -> None:
        # The timeout of a test is the limit: an algorithm with quadratic time would need minutes.
        read_loosely(piece * (MAX_XML // len(piece)))


class TestOneElement:
    def test_attributes_can_be_decoded(self) -> None:
        attributes = {"x": "22.5", "label": '<A & "B">\n', "empty": ""}
        assert attributes == read_attributes(write_message("location", attributes), "location")

    def test_attributes_may_belong_to_the_message_element(self) -> None:
        assert read_attributes(f"{write_tag('msg', {'nickname': '小华'})} />", "msg") == {"nickname": "小华"}

    @pytest.mark.parametrize("xml", ["", "hi", "<msg/>", "<msg><other a='1'/></msg>"])
    def test_attributes_may_be_missing(self, xml: str) -> None:
        assert read_attributes(xml, "location") == {}


# -- pictures --------------------------------------------------------------------------------------------------------


class TestPictures:
    def test_the_xml_of_a_picture_has_the_platforms_form(self) -> None:
        assert write_image({"aeskey": "k", "length": "1"}) == (
            '<?xml version="1.0"?>\n<msg>\n\t<img aeskey="k" length="1" />\n</msg>'
        )

    def test_attributes_keep_their_order(self) -> None:
        read = read_image(write_image(FULL))
        assert read is not None
        assert list(FULL.items()) == list(read.items())

    @pytest.mark.parametrize("value", ["a&b", "<x>", '"', "'", "\n\r\t", "]]>", '" /><evil a="', "你好😀"])
    def test_an_attribute_cannot_inject_markup(self, value: str) -> None:
        assert read_image(write_image({"md5": value})) == {"md5": value}

    @pytest.mark.parametrize("content", ["@0123456789abcdef", "", "<msg/>", '<img aeskey="k"/>', "<msg><img"])
    def test_other_xml_is_not_a_picture(self, content: str) -> None:
        assert read_image(content) is None


class TestForwarding:
    def test_a_forwarded_picture_has_all_received_attributes(self) -> None:
        assert forward_image(write_image(FULL)) == write_image(FULL)

    @pytest.mark.parametrize(("there", "missing"), [("aeskey", "cdnthumbaeskey"), ("cdnthumbaeskey", "aeskey")])
    @pytest.mark.parametrize("is_empty", [True, False], ids=["empty", "absent"])
    def test_a_key_under_one_name_is_sent_under_both(self, there: str, missing: str, is_empty: bool) -> None:
        received = {"cdnmidimgurl": "u", "cdnthumburl": "u", there: "k"} | ({missing: ""} if is_empty else {})
        sent = read_image(forward_image(write_image(received)))
        assert sent is not None
        assert (sent["aeskey"], sent["cdnthumbaeskey"]) == ("k", "k")

    @pytest.mark.parametrize(("there", "missing"), [("cdnthumburl", "cdnmidimgurl"), ("cdnmidimgurl", "cdnthumburl")])
    def test_an_address_under_one_name_is_sent_under_both(self, there: str, missing: str) -> None:
        sent = read_image(forward_image(write_image({"aeskey": "k", there: "u"})))
        assert sent is not None
        assert (sent["cdnthumburl"], sent["cdnmidimgurl"]) == ("u", "u")

    def test_two_names_with_two_values_both_stay(self) -> None:
        received = {"aeskey": "k1", "cdnthumbaeskey": "k2", "cdnthumburl": "u1", "cdnmidimgurl": "u2"}
        assert read_image(forward_image(write_image(received))) == received

    def test_a_missing_md5_stays_missing(self) -> None:
        sent = read_image(forward_image(write_image({"aeskey": "k", "cdnthumburl": "u"})))
        assert sent is not None
        assert "md5" not in sent

    @pytest.mark.parametrize(
        "content",
        [
            pytest.param("@0123456789abcdef", id="short form"),
            pytest.param('<msg><img length="6503" hdlength="0" /><commenturl></commenturl></msg>', id="keyless form"),
            pytest.param(write_image({"aeskey": "k", "md5": "m"}), id="no address"),
            pytest.param(write_image({"cdnthumburl": "u", "md5": "m"}), id="no key"),
            pytest.param(write_image(FULL | {"aeskey": "", "cdnthumbaeskey": ""}), id="empty keys"),
            pytest.param("<msg><img", id="broken"),
        ],
    )
    def test_a_picture_without_keys_is_refused_with_an_alternative(self, content: str) -> None:
        with pytest.raises(NotForwardable, match="send it as a new picture"):
            forward_image(content)


# -- recall notices --------------------------------------------------------------------------------------------------

NOTICE = RecallNotice(
    message_id="2900000000000000001",
    text='"张三" 撤回了一条消息',
    session="wxid_example",
    old_message_id="1096500001",
)


def with_tags(**tags: str) -> str:
    inner = "".join(f"<{tag}>{text}</{tag}>" for tag, text in tags.items())
    return f'<sysmsg type="revokemsg"><revokemsg>{inner}</revokemsg></sysmsg>'


class TestRecallNotices:
    def test_a_notice_has_the_platforms_form(self) -> None:
        assert write_recall_notice(NOTICE) == (
            '<sysmsg type="revokemsg">\n\t<revokemsg>\n\t\t<session>wxid_example</session>\n'
            "\t\t<oldmsgid>1096500001</oldmsgid>\n\t\t<msgid>2900000000000000001</msgid>\n"
            '\t\t<replacemsg><![CDATA["张三" 撤回了一条消息]]></replacemsg>\n\t</revokemsg>\n</sysmsg>'
        )

    @pytest.mark.parametrize("new_message_id", ["", "7700000000000000002"])
    def test_a_notice_can_be_decoded(self, new_message_id: str) -> None:
        notice = RecallNotice(
            message_id="1", text="t", session="a & b", old_message_id="2", new_message_id=new_message_id
        )
        assert read_recall_notice(write_recall_notice(notice)) == notice

    def test_a_nickname_cannot_end_the_text(self) -> None:
        notice = RecallNotice(message_id="1", text="]]></replacemsg><msgid>2</msgid>")
        read = read_recall_notice(write_recall_notice(notice))
        assert read is not None
        assert read.message_id == "1"

    @pytest.mark.parametrize(
        "xml",
        [
            pytest.param(with_tags(msgid="29"), id="only the id"),
            pytest.param(with_tags(msgid="\n29 "), id="blanks around the id"),
            pytest.param(with_tags(newmsgid="", msgid="29", more="<x/>"), id="unknown tags"),
            pytest.param("<?xml version='1.0'?>" + with_tags(msgid="29"), id="with a declaration"),
            pytest.param(with_tags(msgid="29", replacemsg="a & b"), id="broken by an ampersand"),
            pytest.param(with_tags(msgid=" 29 ", replacemsg="\x0b"), id="broken by a control character"),
            pytest.param(with_tags(msgid="29", replacemsg="t")[:-20], id="cut off at the end"),
            pytest.param("@abc:\n" + with_tags(msgid="29"), id="with a sender before it"),
        ],
    )
    def test_the_id_is_found_in_every_form_of_notice(self, xml: str) -> None:
        read = read_recall_notice(xml)
        assert read is not None
        assert read.message_id == "29"

    @pytest.mark.parametrize("text", ["<![CDATA[a & b]]>", "a & b"])
    def test_the_text_of_a_malformed_notice_is_decoded(self, text: str) -> None:
        read = read_recall_notice(with_tags(msgid="29", other="&", replacemsg=text))
        assert read is not None
        assert read.text == "a & b"

    @pytest.mark.parametrize(
        "newmsgid", ["", "<newmsgid>30</newmsgid>"], ids=["without", "with a new id after the text"]
    )
    def test_a_nickname_in_a_malformed_notice_cannot_name_another_message(self, newmsgid: str) -> None:
        nickname = "\x0b</replacemsg><newmsgid>666</newmsgid><msgid>666</msgid><replacemsg>"
        xml = f"<revokemsg><replacemsg>{nickname} 撤回了</replacemsg><msgid>29</msgid>{newmsgid}</revokemsg>"
        read = read_recall_notice(xml)
        assert read is not None
        assert (read.message_id, read.new_message_id) == ("29", "30" if newmsgid else "")

    def test_a_nickname_in_a_truncated_notice_cannot_name_another_message(self) -> None:
        read = read_recall_notice("<revokemsg><msgid>29</msgid><replacemsg>\x0b<newmsgid>666</newmsgid>")
        assert read is not None
        assert (read.message_id, read.new_message_id, read.text) == ("29", "", "")

    @pytest.mark.parametrize(
        "xml", ["", "revokemsg", "<msg>revokemsg</msg>", '<sysmsg type="pat"><pat/></sysmsg>', "<sysmsg>&"]
    )
    def test_other_xml_is_not_a_notice(self, xml: str) -> None:
        assert read_recall_notice(xml) is None

    @pytest.mark.timeout(30)  # An algorithm with quadratic time would take minutes.
    def test_a_hostile_notice_takes_linear_time(self) -> None:
        read_recall_notice("<revokemsg>" + "<msgid><newmsgid><replacemsg>" * 50_000)
