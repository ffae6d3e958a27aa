"""App messages: the XML of files, links, quotes and others, encoded and decoded."""

from __future__ import annotations

import pytest

from webwx.protocol.appmsg import (
    AppContent,
    Article,
    Attachment,
    ChannelCard,
    ChannelLive,
    ChannelVideo,
    MiniProgram,
    PatRecord,
    Payment,
    RecordItem,
    Reference,
    SolitaireEntry,
    read_app,
    read_news,
    read_record,
    write_app,
    write_received_app,
    write_record,
)
from webwx.protocol.content import read_xml

FILE = AppContent(
    type=6,
    title="report.pdf",
    app_id="wx6618f1cfc6c132f8",
    md5="ffee",
    attachment=Attachment(size=123456, id="@cdn_3057_00aa_1", extension="pdf", cdn_url="3057", aes_key="00aa"),
)
FULL = AppContent(
    type=5,
    title="t",
    description="d",
    url="http://a/?b&c",
    data_url="s",
    thumbnail_url="th",
    app_id="wx1",
    source_id="gh_1",
    source_name="号",
    md5="m",
    attachment=Attachment(size=1),
    quoted=Reference(
        type=1, message_id="29", sender="wxid_a", chat="wxid_b", sender_name="小华", content="<b> & c", time=8
    ),
    articles=(Article(title="一", url="u", digest="d", summary="s", cover="c|1|2", time=7), Article(title="二")),
    mini_program=MiniProgram(id="gh_1@app", app_id="wx2", page="a.html?b=1&c=2", icon="http://i/1"),
    record="<recordinfo/>",
    payment=Payment(amount="￥0.10", subtype=1, note="午饭 & 茶", wish="恭喜发财"),
    channel_video=ChannelVideo(author="频道", caption="一 & 二", cover="http://c/1", seconds=34),
    pat=PatRecord(actor="wxid_a", target="wxid_b", template='"${wxid_a}" 拍了拍 "${wxid_b}"'),
    solitaire=(SolitaireEntry(author="wxid_a", time=7, begin=9, length=4), SolitaireEntry()),
    announcement="一\n二",
)
HOSTILE = ["a&b", "<x>", "</title><url>http://evil</url>", "]]>", '"', "a < b & c", "你好😀", "<![CDATA[x]]>"]


@pytest.mark.parametrize("content", [FILE, FULL])
def test_sent_content_can_be_decoded(content: AppContent) -> None:
    read = read_app(write_app(content))
    assert read is not None
    assert (read.title, read.attachment) == (content.title, content.attachment)
    assert content == read


def test_content_names_its_app_and_the_version_of_the_kit() -> None:
    assert write_app(AppContent(app_id="wx1", title="t")).startswith('<appmsg appid="wx1" sdkver="0">')


def test_received_content_has_the_app_that_sent_it() -> None:
    content = AppContent(type=6, title="t", app_name="微信电脑版", attachment=Attachment())
    assert read_app(write_received_app(content, "wxid_a")) == content


@pytest.mark.parametrize("text", HOSTILE)
def test_a_text_adds_no_markup(text: str) -> None:
    content = AppContent(title=text, description=text, url=text, source_name=text, attachment=Attachment(id=text))
    xml = write_app(content)
    assert read_xml(xml) is not None
    assert read_app(xml) == content


@pytest.mark.parametrize("sign", ["\0", "\x0b", "\x1f", "\ufffe", "\ud83d"])
def test_characters_that_xml_cannot_hold_are_left_out(sign: str) -> None:
    read = read_app(write_app(AppContent(title=f"a{sign}b.txt", app_id=f"a{sign}b")))
    assert read is not None
    assert (read.title, read.app_id) == ("ab.txt", "ab")


def test_an_app_message_may_be_inside_a_message_or_alone() -> None:
    for xml in ("<appmsg><title>t</title></appmsg>", "<msg><appmsg><title>t</title></appmsg></msg>"):
        assert read_app(xml) == AppContent(title="t")


@pytest.mark.parametrize("xml", ["", "hi", "<msg/>", "<a>", "<msg><img /></msg>", "&lt;title&gt;t&lt;/title&gt;"])
def test_other_xml_is_none(xml: str) -> None:
    assert read_app(xml) is None


@pytest.mark.parametrize(
    ("xml", "title"),
    [
        ("<!DOCTYPE m><msg><appmsg><title>t</title></appmsg></msg>", "t"),
        ("<msg></appmsg><title><![CDATA[a & b]]></title>", "a & b"),
        ("<" * 9 + "msg><title>t</title>", "t"),
    ],
)
def test_the_title_is_found_in_malformed_xml(xml: str, title: str) -> None:
    assert read_app(xml) == AppContent(title=title)


@pytest.mark.parametrize("before", ["", "pmsg appid='wx1'>", "<!DOCTYPE m><msg><appmsg>"])
def test_without_the_message_element_the_words_and_the_address_are_found(before: str) -> None:
    xml = f"{before}<title>t</title><des> d </des><type>5</type><url>http://a</url></appmsg></msg>"
    assert read_app(xml) == AppContent(title="t", description="d", url="http://a")


@pytest.mark.parametrize("number", ["", "x", "1.5", "9" * 50, "-"])
def test_an_invalid_number_is_zero(number: str) -> None:
    read = read_app(
        f"<appmsg><type>{number}</type><appattach><totallen>{number}</totallen></appattach>"
        f"<refermsg><type>{number}</type></refermsg></appmsg>"
    )
    assert read == AppContent(attachment=Attachment(), quoted=Reference())


def test_articles_are_found_in_every_place() -> None:
    articles = (Article(title="一", url="u"), Article(title="二"))
    for xml in ("<mmreader><category>{}</category></mmreader>", "<a><b><c>{}</c></b></a>"):
        news = read_news(xml.format("<item><title>一</title><url>u</url></item><item><title>二</title></item>"))
        assert news == AppContent(articles=articles)
    assert read_news("hi") == AppContent()


@pytest.mark.parametrize(
    ("reader", "name", "real_id"),
    [
        ("<category><name>号</name></category>", "号", ""),
        ("<category/><publisher><username>gh_1</username><nickname>号</nickname></publisher>", "号", "gh_1"),
        ("", "", ""),
    ],
)
def test_articles_without_a_source_are_from_their_publisher(reader: str, name: str, real_id: str) -> None:
    xml = f"<appmsg><sourcedisplayname></sourcedisplayname><mmreader>{reader}</mmreader></appmsg>"
    assert read_app(xml) == AppContent(source_name=name, source_id=real_id)
    assert read_news(xml).source_name == name


@pytest.mark.parametrize(
    ("media", "cover", "seconds"),
    [
        ("<thumbUrl>t</thumbUrl><coverUrl>c</coverUrl><videoPlayDuration>34</videoPlayDuration>", "c", 34),
        ("<thumbUrl>t</thumbUrl><fullCoverUrl>f</fullCoverUrl><coverUrl></coverUrl>", "f", 0),
        ("<thumbUrl>t</thumbUrl>", "t", 0),
        ("", "", 0),
    ],
)
def test_a_video_of_a_channel_has_a_cover(media: str, cover: str, seconds: int) -> None:
    read = read_app(f"<appmsg><finderFeed><mediaList><media>{media}</media></mediaList></finderFeed></appmsg>")
    assert read == AppContent(channel_video=ChannelVideo(cover=cover, seconds=seconds))
    assert read_app("<appmsg><finderFeed/></appmsg>") == AppContent(channel_video=ChannelVideo())


@pytest.mark.parametrize(
    ("inside", "read"),
    [
        ("<finderLive><nickname>国风</nickname><desc>开播</desc></finderLive>",
         AppContent(channel_live=ChannelLive(author="国风", caption="开播"))),
        ("<findernamecard><nickname>国风</nickname></findernamecard>",
         AppContent(channel_card=ChannelCard(author="国风"))),
        ("<patinfo><fromusername>wxid_a</fromusername><pattedusername>wxid_b</pattedusername><template>t</template>"
         "</patinfo>", AppContent(pat=PatRecord(actor="wxid_a", target="wxid_b", template="t"))),
        ("<patMsg><records><recordNum>0</recordNum></records></patMsg>", AppContent()),
        ("<patMsg><records><record><template>1</template></record><record><templete>2</templete></record></records>"
         "</patMsg>", AppContent(pat=PatRecord(template="2"))),
        ("<extinfo><solitaire_info>broken</solitaire_info></extinfo>", AppContent()),
        ("<extinfo><solitaire_info><![CDATA[<solitaire><content><i><u>a</u><r>x-</r></i></content></solitaire>]]>"
         "</solitaire_info></extinfo>", AppContent(solitaire=(SolitaireEntry(author="a"),))),
        ("<wcpayinfo><sendertitle>w</sendertitle></wcpayinfo>", AppContent(payment=Payment(wish="w"))),
    ],
)  # fmt: skip
def test_what_kinds_of_today_hold_is_read(inside: str, read: AppContent) -> None:
    assert read_app(f"<msg><appmsg>{inside}</appmsg></msg>") == read


ITEMS = (
    RecordItem(type=1, sender_name="小华", time=1_560_000_000, shown_time="2019-06-08 21:20:00", text="在吗 <1> & 2"),
    RecordItem(type=2, sender_name="小明", shown_time="2019-06-08 21:21"),
)


def test_a_merged_history_is_decoded_from_its_record() -> None:
    assert read_record(write_record("记录", ITEMS)) == ITEMS


@pytest.mark.parametrize(
    "record", ["", "hi", "<recordinfo/>", "<recordinfo><datalist count='1'></datalist></recordinfo>"]
)
def test_a_record_without_messages_has_none(record: str) -> None:
    assert read_record(record) == ()


def test_an_item_of_a_record_that_is_not_text_has_its_title() -> None:
    record = (
        "<recordinfo><datalist><dataitem datatype='17'><datatitle>记录</datatitle><datadesc>a: b</datadesc><recordxml>"
        "<recordinfo><datalist><dataitem datatype='1'><datadesc>b</datadesc></dataitem></datalist></recordinfo>"
        "</recordxml></dataitem><dataitem datatype='5'><datadesc>d</datadesc></dataitem></datalist></recordinfo>"
    )
    assert [(item.type, item.text) for item in read_record(record)] == [(17, "记录"), (5, "d")]


def test_an_announcement_without_a_text_is_read_from_its_note() -> None:
    note = (
        "<group_notice_item><datalist count='3'><dataitem datatype='8'><datafmt>.htm</datafmt></dataitem>"
        "<dataitem datatype='1'><datadesc>一</datadesc></dataitem>"
        "<dataitem datatype='1'><datadesc>二</datadesc></dataitem></datalist></group_notice_item>"
    )
    read = read_app(f"<appmsg><type>87</type><announcement><![CDATA[{note}]]></announcement></appmsg>")
    assert read is not None
    assert read.announcement == "一\n二"


def test_the_repr_of_an_attachment_shows_no_key() -> None:
    assert "00aa" not in repr(FILE)
