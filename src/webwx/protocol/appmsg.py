"""
App messages (`MsgType` 49): files, links, music, quotes and everything else that an app sends, for client and server.

All share one XML format and differ in `<type>`. A received one is wrapped in `<msg>`; a sent one is not.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import msgspec

from webwx.protocol.codec import number, tag_text
from webwx.protocol.codes import AppMessageType
from webwx.protocol.content import escape_xml, read_loosely, write_tag

if TYPE_CHECKING:
    from xml.etree.ElementTree import Element


TEXT_ITEM = 1
"""`datatype` of a text in a merged history or a group note."""


class Attachment(msgspec.Struct, frozen=True, kw_only=True):
    """The file in an app message."""

    size: int = 0
    """`totallen`: size of the file in bytes."""
    id: str = ""
    """`attachid`. In a sent file the MediaId of the upload; in a received one `@cdn_…`, which the web cannot use."""
    extension: str = ""
    cdn_url: str = ""
    aes_key: str = ""

    def __repr__(self) -> str:
        return f"Attachment({self.size} bytes)"


class Reference(msgspec.Struct, frozen=True, kw_only=True):
    """The message that a reply quotes (`refermsg`)."""

    type: int = 0
    """`MsgType` of the quoted message."""
    message_id: str = ""
    """`svrid`."""
    sender: str = ""
    """`fromusr`: real id, not a `UserName`: the author or, for a message in a chatroom, the chatroom."""
    chat: str = ""
    """`chatusr`: real id; for a message in a chatroom, the author."""
    sender_name: str = ""
    content: str = ""
    """A text, or the XML of anything else."""
    time: int = 0
    """`createtime`: seconds since 1970, 0 when it is missing."""


class Article(msgspec.Struct, frozen=True, kw_only=True):
    """One article of an official account (`mmreader`)."""

    title: str = ""
    url: str = ""
    digest: str = ""
    """Words of the account about it."""
    summary: str = ""
    """Beginning of its text."""
    cover: str = ""
    """Address of its picture; `|width|height` may follow."""
    time: int = 0
    """`pub_time`: seconds since 1970."""


class MiniProgram(msgspec.Struct, frozen=True, kw_only=True):
    """The mini program that a card opens (`weappinfo`)."""

    id: str = ""
    """`gh_…@app`."""
    app_id: str = ""
    """`wx…`."""
    page: str = ""
    icon: str = ""
    """`weappiconurl`: address of its icon."""


class Payment(msgspec.Struct, frozen=True, kw_only=True):
    """The money in a transfer or red packet (`wcpayinfo`)."""

    amount: str = ""
    """`feedesc`: amount with its currency."""
    subtype: int = 0
    """`paysubtype`: a number in `TRANSFER_STATES`; others exist."""
    note: str = ""
    """`pay_memo`: note of a transfer."""
    wish: str = ""
    """`receivertitle`: greeting in a red packet; in some payloads only in `sendertitle`."""


TRANSFER_STATES: dict[int, Literal["offered", "accepted", "returned"]] = {
    1: "offered",
    3: "accepted",
    4: "returned",
    5: "accepted",
    7: "offered",
    8: "accepted",
    9: "returned",
}
"""Meaning of `paysubtype`; sources and doubts: docs/protocol/messages.md."""


class ChannelVideo(msgspec.Struct, frozen=True, kw_only=True):
    """A channel's video (`finderFeed`)."""

    author: str = ""
    caption: str = ""
    cover: str = ""
    """Address of its picture: the first of `coverUrl`, `fullCoverUrl` and `thumbUrl`."""
    seconds: int = 0
    """`videoPlayDuration`."""


class ChannelLive(msgspec.Struct, frozen=True, kw_only=True):
    """A channel's live broadcast (`finderLive`)."""

    author: str = ""
    caption: str = ""
    cover: str = ""
    """Address of its picture, as in a video."""


class ChannelCard(msgspec.Struct, frozen=True, kw_only=True):
    """A card that recommends a channel (`findernamecard`)."""

    author: str = ""


class PatRecord(msgspec.Struct, frozen=True, kw_only=True):
    """A pat in an app message: `patMsg/records/record` or, in newer ones, `patinfo`."""

    actor: str = ""
    """Real id of the person who patted."""
    target: str = ""
    """Real id of the person who was patted."""
    template: str = ""
    """Sentence with `${real id}` for people."""


class SolitaireEntry(msgspec.Struct, frozen=True, kw_only=True):
    """The place of one entry in a group note (`solitaire_info`)."""

    author: str = ""
    """`u`: real id."""
    time: int = 0
    """`t`: seconds since 1970."""
    begin: int = 0
    """First part of `r`: where its text begins in the title, in units of UTF-16."""
    length: int = 0
    """Second part of `r`: length of its text in the title, in units of UTF-16."""


class RecordItem(msgspec.Struct, frozen=True, kw_only=True):
    """One message of a merged history (`dataitem`)."""

    type: int = 1
    """`datatype`: 1 is a text, 2 a picture, 17 a merged history; others exist."""
    sender_name: str = ""
    time: int = 0
    """`srcMsgCreateTime`: seconds since 1970, 0 when it is missing."""
    shown_time: str = ""
    """`sourcetime`, as the forwarding phone shows it."""
    text: str = ""
    """A text, or a title."""


class AppContent(msgspec.Struct, frozen=True, kw_only=True):
    """The fields of an `<appmsg>`. Any of them may be empty, for every type."""

    type: int = 0
    """An `AppMessageType`; others exist."""
    title: str = ""
    """Name of a file, text of a reply, or title."""
    description: str = ""
    url: str = ""
    data_url: str = ""
    """Address of the sound of a piece of music."""
    thumbnail_url: str = ""
    """`thumburl`, or `songalbumurl` of a piece of music that has no other."""
    app_id: str = ""
    """Id of the app that sent it."""
    app_name: str = ""
    source_id: str = ""
    """`gh_…` of an official account, also where only its `publisher` names it."""
    source_name: str = ""
    """Name of that account, also where only `mmreader` or its `publisher` has it."""
    md5: str = ""
    """MD5 of a file."""
    attachment: Attachment | None = None
    quoted: Reference | None = None
    articles: tuple[Article, ...] = ()
    mini_program: MiniProgram | None = None
    record: str = ""
    """The XML of a merged history."""
    payment: Payment | None = None
    channel_video: ChannelVideo | None = None
    channel_live: ChannelLive | None = None
    channel_card: ChannelCard | None = None
    pat: PatRecord | None = None
    solitaire: tuple[SolitaireEntry, ...] = ()
    """Entries of a group note."""
    announcement: str = ""
    """Text of a chatroom's announcement (`textannouncement`)."""


# -- reading ---------------------------------------------------------------------------------------------------------


def read_app(xml: str) -> AppContent | None:
    """
    Decode an app message, with or without `<msg>`; None without a message.

    Of XML without an `appmsg`, such as the rest of a damaged one, the title, the description and the address are read.
    """
    root = read_loosely(xml)
    app = root if root is None or root.tag == "appmsg" else root.find("appmsg")
    if root is None or app is None:
        title, description, url = (tag_text(xml, tag) for tag in ("title", "des", "url"))
        if title is None:
            return None
        return AppContent(title=title, description=(description or "").strip(), url=(url or "").strip())
    return AppContent(
        type=number(_text(app, "type"), 0),
        title=_text(app, "title"),
        description=_text(app, "des"),
        url=_text(app, "url"),
        data_url=_text(app, "dataurl"),
        thumbnail_url=_text(app, "thumburl") or _text(app, "songalbumurl"),
        app_id=app.get("appid", ""),
        app_name=_text(root, "appinfo/appname"),
        source_id=_text(app, "sourceusername") or _text(app, "mmreader/publisher/username"),
        source_name=_text(app, "sourcedisplayname") or _publisher(app.find("mmreader")),
        md5=_text(app, "md5"),
        attachment=_attachment(app.find("appattach")),
        quoted=_reference(app.find("refermsg")),
        articles=tuple(_article(item) for item in app.iterfind("mmreader/category/item")),
        mini_program=_mini_program(app.find("weappinfo")),
        record=_text(app, "recorditem"),
        payment=_payment(app.find("wcpayinfo")),
        channel_video=_channel_video(app.find("finderFeed")),
        channel_live=_channel_live(app.find("finderLive")),
        channel_card=_channel_card(app.find("findernamecard")),
        pat=_pat(app),
        solitaire=_solitaire(_text(app, "extinfo/solitaire_info")),
        announcement=_text(app, "textannouncement") or _noted(_text(app, "announcement")),
    )


def read_record(xml: str) -> tuple[RecordItem, ...]:
    """Decode the messages of a merged history; a history inside it is not decoded."""
    root = read_loosely(xml)
    return () if root is None else tuple(_record_item(item) for item in root.iterfind("datalist/dataitem"))


def _noted(xml: str) -> str:
    """Return the texts of a group note, which is also the form of an announcement."""
    return "\n".join(item.text for item in read_record(xml) if item.type == TEXT_ITEM and item.text)


def read_news(xml: str) -> AppContent:
    """Decode the articles of an official account and its name, wherever the XML has its `mmreader`."""
    root = read_loosely(xml)
    if root is None:
        return AppContent()
    reader = next(root.iter("mmreader"), None)
    return AppContent(source_name=_publisher(reader), articles=tuple(_article(item) for item in root.iter("item")))


def _text(element: Element, path: str) -> str:
    return (element.findtext(path) or "").strip()


def _publisher(reader: Element | None) -> str:
    """Return the name of the official account whose articles these are."""
    return "" if reader is None else _text(reader, "category/name") or _text(reader, "publisher/nickname")


def _attachment(attached: Element | None) -> Attachment | None:
    if attached is None:
        return None
    return Attachment(
        size=number(_text(attached, "totallen"), 0),
        id=_text(attached, "attachid"),
        extension=_text(attached, "fileext"),
        cdn_url=_text(attached, "cdnattachurl"),
        aes_key=_text(attached, "aeskey"),
    )


def _reference(quoted: Element | None) -> Reference | None:
    if quoted is None:
        return None
    return Reference(
        type=number(_text(quoted, "type"), 0),
        message_id=_text(quoted, "svrid"),
        sender=_text(quoted, "fromusr"),
        chat=_text(quoted, "chatusr"),
        sender_name=_text(quoted, "displayname"),
        content=_text(quoted, "content"),
        time=number(_text(quoted, "createtime"), 0),
    )


def _article(item: Element) -> Article:
    return Article(
        title=_text(item, "title"),
        url=_text(item, "url"),
        digest=_text(item, "digest"),
        summary=_text(item, "summary"),
        cover=_text(item, "cover"),
        time=number(_text(item, "pub_time"), 0),
    )


def _mini_program(opened: Element | None) -> MiniProgram | None:
    if opened is None:
        return None
    return MiniProgram(
        id=_text(opened, "username"),
        app_id=_text(opened, "appid"),
        page=_text(opened, "pagepath"),
        icon=_text(opened, "weappiconurl"),
    )


def _payment(paid: Element | None) -> Payment | None:
    if paid is None:
        return None
    return Payment(
        amount=_text(paid, "feedesc"),
        subtype=number(_text(paid, "paysubtype"), 0),
        note=_text(paid, "pay_memo"),
        wish=_text(paid, "receivertitle") or _text(paid, "sendertitle"),
    )


def _channel_video(feed: Element | None) -> ChannelVideo | None:
    if feed is None:
        return None
    media = feed.find("mediaList/media")
    return ChannelVideo(
        author=_text(feed, "nickname"),
        caption=_text(feed, "desc"),
        cover=_cover(media),
        seconds=0 if media is None else number(_text(media, "videoPlayDuration"), 0),
    )


_COVERS = ("coverUrl", "fullCoverUrl", "thumbUrl")


def _cover(media: Element | None) -> str:
    return "" if media is None else next(filter(None, (_text(media, tag) for tag in _COVERS)), "")


def _channel_live(live: Element | None) -> ChannelLive | None:
    if live is None:
        return None
    return ChannelLive(author=_text(live, "nickname"), caption=_text(live, "desc"), cover=_cover(live.find("media")))


def _channel_card(card: Element | None) -> ChannelCard | None:
    return None if card is None else ChannelCard(author=_text(card, "nickname"))


def _pat(app: Element) -> PatRecord | None:
    """Decode a pat; of several in one message, the newest. Other messages have an empty list."""
    info, records = app.find("patinfo"), app.findall("patMsg/records/record")
    if info is not None:
        return PatRecord(
            actor=_text(info, "fromusername"), target=_text(info, "pattedusername"), template=_text(info, "template")
        )
    if not records:
        return None
    newest = records[-1]
    return PatRecord(
        actor=_text(newest, "fromUser"),
        target=_text(newest, "pattedUser"),
        template=_text(newest, "template") or _text(newest, "templete"),  # phones write both spellings
    )


def _solitaire(xml: str) -> tuple[SolitaireEntry, ...]:
    root = read_loosely(xml)
    if root is None:
        return ()
    return tuple(_solitaire_entry(item) for item in root.iterfind("content/i"))


def _solitaire_entry(item: Element) -> SolitaireEntry:
    begin, _, length = _text(item, "r").partition("-")
    return SolitaireEntry(
        author=_text(item, "u"), time=number(_text(item, "t"), 0), begin=number(begin, 0), length=number(length, 0)
    )


def _record_item(item: Element) -> RecordItem:
    title, description = _text(item, "datatitle"), _text(item, "datadesc")
    kind = number(item.get("datatype"), 0)
    return RecordItem(
        type=kind,
        sender_name=_text(item, "sourcename"),
        time=number(_text(item, "srcMsgCreateTime"), 0),
        shown_time=_text(item, "sourcetime"),
        text=description if kind == TEXT_ITEM else title or description,
    )


# -- writing ---------------------------------------------------------------------------------------------------------


def write_app(content: AppContent) -> str:
    """Encode an app message as it is sent, with every tag that receivers know, including empty ones."""
    attached = content.attachment or Attachment()
    tags = (
        ("title", content.title),
        ("des", content.description),
        ("action", "view"),
        ("type", str(content.type)),
        ("showtype", "0"),
        ("content", ""),
        ("url", content.url),
        ("dataurl", content.data_url),
        ("lowurl", ""),
        ("lowdataurl", ""),
        ("recorditem", content.record),
        ("thumburl", content.thumbnail_url),
        ("messageaction", ""),
    )
    source = _tags(
        ("sourceusername", content.source_id),
        ("sourcedisplayname", content.source_name),
        ("commenturl", ""),
    )
    attachment = _tags(
        ("totallen", str(attached.size)),
        ("attachid", attached.id),
        ("emoticonmd5", ""),
        ("fileext", attached.extension),
        ("cdnattachurl", attached.cdn_url),
        ("aeskey", attached.aes_key),
    )
    head = write_tag("appmsg", {"appid": content.app_id, "sdkver": "0"})
    return (
        f"{head}>{_tags(*tags)}{_write_extra(content.solitaire)}{source}<appattach>{attachment}</appattach>"
        f"{_tags(('md5', content.md5))}"
        f"{_write_quoted(content.quoted)}{_write_articles(content)}{_write_mini_program(content.mini_program)}"
        f"{_write_payment(content.payment)}{_write_channel_video(content.channel_video)}{_write_pat(content.pat)}"
        f"{_tags(('textannouncement', content.announcement)) if content.announcement else ''}</appmsg>"
    )


def write_record(title: str, items: tuple[RecordItem, ...]) -> str:
    """Encode the record of a merged history."""
    written = "".join(
        f"{write_tag('dataitem', {'datatype': str(item.type)})}>"
        + _tags(
            ("datadesc", item.text),
            ("sourcename", item.sender_name),
            ("sourcetime", item.shown_time),
            ("srcMsgCreateTime", str(item.time)),
        )
        + "</dataitem>"
        for item in items
    )
    shown = "\n".join(f"{item.sender_name}: {item.text}" for item in items)
    return (
        f"<recordinfo>{_tags(('title', title), ('desc', shown))}"
        f"{write_tag('datalist', {'count': str(len(items))})}>{written}</datalist></recordinfo>"
    )


def write_outgoing_file(name: str, size: int, media_id: str, *, app_id: str) -> str:
    """Encode the content that sends a file, on one line and with the page's tags only."""
    _, dot, extension = name.rpartition(".")
    attached = _tags(("totallen", str(size)), ("attachid", media_id), ("fileext", extension if dot else ""))
    about = _tags(("title", name), ("des", ""), ("action", ""), ("type", str(int(AppMessageType.FILE))))
    empty = _tags(("content", ""), ("url", ""), ("lowurl", ""))
    return (
        f"<appmsg appid='{escape_xml(app_id)}' sdkver=''>{about}{empty}<appattach>{attached}</appattach>"
        f"{_tags(('extinfo', ''))}</appmsg>"
    )


def write_received_app(content: AppContent, sender: str) -> str:
    """Encode an app message as it is delivered; `sender` is a real id."""
    return (
        f"<msg>{write_app(content)}{_tags(('fromusername', sender), ('scene', '0'))}"
        f"<appinfo>{_tags(('version', '7'), ('appname', content.app_name))}</appinfo>{_tags(('commenturl', ''))}</msg>"
    )


def _tags(*tags: tuple[str, str]) -> str:
    return "".join(f"<{tag}>{escape_xml(text)}</{tag}>" for tag, text in tags)


def _write_quoted(quoted: Reference | None) -> str:
    if quoted is None:
        return ""
    inner = _tags(
        ("type", str(quoted.type)),
        ("svrid", quoted.message_id),
        ("fromusr", quoted.sender),
        ("chatusr", quoted.chat),
        ("displayname", quoted.sender_name),
        ("content", quoted.content),
        ("createtime", str(quoted.time)),
    )
    return f"<refermsg>{inner}</refermsg>"


def _write_articles(content: AppContent) -> str:
    if not content.articles:
        return ""
    items = "".join(
        "<item>"
        + _tags(
            ("title", article.title),
            ("url", article.url),
            ("pub_time", str(article.time)),
            ("summary", article.summary),
            ("cover", article.cover),
            ("digest", article.digest),
        )
        + "</item>"
        for article in content.articles
    )
    category = write_tag("category", {"type": "20", "count": str(len(content.articles))})
    return f"<mmreader>{category}>{_tags(('name', content.source_name))}{items}</category></mmreader>"


def _write_mini_program(opened: MiniProgram | None) -> str:
    if opened is None:
        return ""
    inner = _tags(
        ("username", opened.id),
        ("appid", opened.app_id),
        ("pagepath", opened.page),
        ("weappiconurl", opened.icon),
    )
    return f"<weappinfo>{inner}</weappinfo>"


def _write_payment(paid: Payment | None) -> str:
    if paid is None:
        return ""
    wish = (("receivertitle", paid.wish),) if paid.wish else ()
    inner = _tags(("paysubtype", str(paid.subtype)), ("feedesc", paid.amount), ("pay_memo", paid.note), *wish)
    return f"<wcpayinfo>{inner}</wcpayinfo>"


def _write_channel_video(video: ChannelVideo | None) -> str:
    if video is None:
        return ""
    media = _tags(("coverUrl", video.cover), ("videoPlayDuration", str(video.seconds)))
    shown = _tags(("nickname", video.author), ("desc", video.caption))
    return f"<finderFeed>{shown}<mediaList><media>{media}</media></mediaList></finderFeed>"


def _write_pat(pat: PatRecord | None) -> str:
    if pat is None:
        return ""
    inner = _tags(("fromUser", pat.actor), ("pattedUser", pat.target), ("template", pat.template))
    return f"<patMsg><records><recordNum>1</recordNum><record>{inner}</record></records></patMsg>"


def _write_extra(entries: tuple[SolitaireEntry, ...]) -> str:
    """Encode `extinfo`, which has the entries of a group note as XML in a text."""
    if not entries:
        return "<extinfo></extinfo>"
    items = "".join(
        f"<i>{_tags(('u', entry.author), ('t', str(entry.time)), ('r', f'{entry.begin}-{entry.length}'))}</i>"
        for entry in entries
    )
    return f"<extinfo>{_tags(('solitaire_info', f'<solitaire><content>{items}</content></solitaire>'))}</extinfo>"
