"""
Fields of real messages that only `raw` shows: `make docs` writes docs/protocol/raw-fields.md from the recordings.

Each value of each recorded message is changed in turn, and the message is decoded again. If the event stays the same
apart from its content, and none of its fields has the value, only `raw` shows it. A field that is empty or 0 in every
recording holds nothing and is left out.
"""

from __future__ import annotations

import html
from collections import Counter
from copy import deepcopy
from fnmatch import fnmatchcase
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, NamedTuple
from xml.etree import ElementTree

import msgspec
from tests.corpus import ME, message_with, payloads

from webwx.model.events import Item, QuarantinedMessage, event_from_item
from webwx.model.serialization import to_builtins
from webwx.model.text import xml_text
from webwx.protocol.codec import read_json, write_json
from webwx.protocol.content import read_loosely, split_sender
from webwx.protocol.http import Response
from webwx.protocol.sync import WEBWXSYNC

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    Message = dict[str, Any]
    Change = Callable[[str | int], Message]

Rows = dict[str, list[str]]
"""Classes of events in which only `raw` shows a field, by the field's path."""

SAMPLES = 4
"""Number of messages of a class in which a field is changed, until one of them shows it."""

_ALONE = ("MsgId", "FromUserName", "ToUserName", "MsgType", "AppMsgType", "SubMsgType", "CreateTime", "Content")
"""Fields of a message whose XML has to show everything else."""

_SHORTEST = 6
"""Minimum length of a value that may be recognised in another field of the event."""


IN_CONTENT = "Content: "
"""Beginning of the path of a value in the content's XML."""

IN_CONTACT = "Contact: "
"""Beginning of the path of a contact's value."""

_ALL = 8
"""Number of classes from which on a field belongs to messages of all kinds."""

PAGE = Path(__file__).parents[1] / "docs" / "protocol" / "raw-fields.md"

_MEDIA_KEY = "Key, size or address on file servers that web clients cannot use; a forward sends it in the content."
_THUMBNAIL = "Thumbnail on file servers that web clients cannot use; `download_thumbnail` gets it by the message's id."
_PREVIEW = "Preview in the phone's chat, on file servers that web clients cannot use."
_SETTING = "Setting of the app that sent the message, without a known meaning."
_SHARED = "Part of another kind of app message, which apps write into every message with defaults or nothing."
_CLIENT = "Written by the client that made the recording; the server does not send it."
_REAL_ID = (
    "Real id of a person; the event has the name that the platform shows, and no call of the web takes a real id."
)
_TEMPLATE = "Layout of the sentence that `text` has."
_HANDOFF = "A page or file that the phone hands over to another device of its owner."
_PROFILE = "Profile in the Moments or on other sites, which web clients cannot open."
_UNKNOWN = "No known meaning."
_SPELLING = "Spelling of the name for sorting."
_READER = "Look of the article in the phone's list."
_PAYMENT = "Number, time limit or look of a payment, which only phones can use."
_SHARING = "How the author of the card found the person; in a friend request it is `scene`."
_JOINING = "How the person joined; `is_by_code` says whether it was a code."
_PHONE_NUMBER = "Hash of the person's telephone number."

REASONS = {
    # -- JSON --
    "$$hashKey": _CLIENT, "_h": _CLIENT, "MM*": _CLIENT, "ActualNickName": _CLIENT, "Text": _CLIENT, "Type": _CLIENT,
    "AppInfo": _CLIENT, "RecommendInfo": _CLIENT,
    "AppInfo.AppID": "Id of the app that sent the message; `app` of a piece of music and `source` of a link are names.",
    "CreateTime": "Phone activity is about the present: it has no time, and the journal stores when it arrived.",
    "HasProductId": "Says that a sticker belongs to the store, as `is_available` does.",
    "ImgStatus": "1 or 2 in all recordings, for the page's own pictures.",
    "MsgId": "Phone activity can be neither recalled nor quoted.",
    "NewMsgId": "`message_id` as a number.",
    "RecommendInfo.AttrStatus": "Bits without a known meaning.",
    "RecommendInfo.OpCode": "2 in all friend requests.",
    "RecommendInfo.Scene": _SHARING,
    "Status": "3 in messages and 4 in most notices; the event's class says more.",
    "StatusNotifyCode": "Belongs to phone activity; without a meaning in other messages.",
    "ToUserName": "The account itself, in a message of another person; otherwise it is `chat`.",
    # -- app messages --
    "Content: msg/appmsg/appattach/cdnthumb*": _PREVIEW,
    "Content: msg/appmsg/appattach/*": _MEDIA_KEY,
    "Content: msg/appmsg/md5": "MD5 of the preview; of a file it is `md5`.",
    "Content: msg/appmsg/url": "Page that asks to open the message on a phone.",
    "Content: msg/appmsg/thumburl": "Picture of the kind of message, the same in each.",
    "Content: msg/appmsg/type": "The same as `AppMsgType`, which chooses the class.",
    "Content: msg/appmsg@appid": "Id of the app that sent the message, as in `AppInfo`.",
    "Content: msg/appinfo/appname": "Name of the app that sent the message; of links and music it is a field.",
    "Content: msg/appinfo/*": "Version of the app that sent the message.",
    "Content: msg/fromusername": _REAL_ID,
    "Content: msg/appmsg/action": _SETTING, "Content: msg/appmsg/showtype": _SETTING,
    "Content: msg/appmsg/xmlpuretext": _SETTING, "Content: msg/appmsg/androidsource": _SETTING,
    "Content: msg/appmsg/statextstr": _SETTING,
    "Content: msg/appmsg/fedoidqt": "No known meaning; the recording is anonymised.",
    "Content: msg/appmsg/template_id": _READER,
    "Content: msg/appmsg/announcement": "Group note of an announcement; `text` has its words.",
    "Content: msg/appmsg/announcement_id": "Number of the announcement, which no call of the web takes.",
    "Content: msg/appmsg/*shared/*": _SHARED, "Content: msg/appmsg/finderLiveProductShare/*": _SHARED,
    "Content: msg/appmsg/gameshare/*": _SHARED, "Content: msg/appmsg/weappinfo/videopageinfo/*": _SHARED,
    "Content: msg/appmsg/weappinfo/*": "Needed to open the mini program, which only phones can do.",
    "Content: msg/appmsg/mmreader/category@*": "Number of articles, and kind of the issue.",
    "Content: msg/appmsg/mmreader/*/pic_*": "Pictures inside the article, which are on its page.",
    "Content: msg/appmsg/mmreader/*": _READER,
    "Content: msg/appmsg/refermsg/msgsource": "Settings of the quoted message on the sender's phone.",
    "Content: msg/appmsg/wcpayinfo/*": _PAYMENT,
    # -- people --
    "Content: msg/brandlist@ver": _PROFILE, "Content: msg@album*": _PROFILE, "Content: msg@sns*": _PROFILE,
    "Content: msg@weibo*": _PROFILE,
    "Content: msg@fullpy": _SPELLING, "Content: msg@shortpy": _SPELLING,
    "Content: msg@antispamticket": "Ticket of the person; `ticket` of a friend request is the one that accepts it.",
    "Content: msg@imagestatus": "Whether the person has an avatar.",
    "Content: msg@mhash": _PHONE_NUMBER, "Content: msg@mfullhash": _PHONE_NUMBER,
    "Content: msg@opcode": "2 in all friend requests.",
    "Content: msg@percard": _UNKNOWN,
    "Content: msg@scene": _SHARING,
    "Content: msg@smallheadimgurl": "The avatar in a smaller size; `avatar_url` is the large one.",
    "Content: msg@country": "Country as a code; `province` and `city` are the region that phones show.",
    "Content: msg@regionCode": "Region as a code; `province` and `city` have its names.",
    "Content: msg@encryptusername": "Real id in an encrypted form, which no call of the web takes.",
    "Content: msg@fromusername": _REAL_ID, "Content: msg@username": _REAL_ID,
    "Content: msg": "Damaged XML of one recording, which has `+` in place of blanks.",
    "Content: msg@*": "Field of a card in a recording that was published as a file.",
    # -- media and places --
    "Content: msg/emoji@desc": "Name of the sticker in the store, in an encoded form.",
    "Content: msg/emoji@fromusername": _REAL_ID, "Content: msg/emoji@tousername": _REAL_ID,
    "Content: msg/emoji@idbuffer": _UNKNOWN,
    "Content: msg/emoji@productid": "Set of the sticker store; web clients cannot send stickers of the store.",
    "Content: msg/emoji@type": "Format of the picture; the download has its content type.",
    "Content: msg/emoji@*": "Address, key or MD5 of another form of the picture; `url` is the public one.",
    "Content: msg/img@hdlength": "Size of an original beside the picture, which web clients cannot download.",
    "Content: msg/img@originsourcemd5": "MD5 of the picture from which the sender made this one.",
    "Content: msg/img@cdnthumb*": _THUMBNAIL,
    "Content: msg/img@*": _MEDIA_KEY,
    "Content: msg/location@scale": "Zoom of the map.",
    "Content: msg/videomsg@fromusername": _REAL_ID,
    "Content: msg/videomsg@cdnthumb*": _THUMBNAIL,
    "Content: msg/videomsg@*md5": "MD5 of the video, which no call of the web takes.",
    "Content: msg/videomsg@*": _MEDIA_KEY,
    "Content: msg/voicemsg@fromusername": _REAL_ID,
    "Content: msg/voicemsg@length": "Size of the phone's recording in its own format; web clients get an MP3.",
    "Content: msg/voicemsg@voiceformat": "Format of the phone's recording; web clients get an MP3.",
    "Content: msg/voicemsg@*": "State of the upload of the phone's recording.",
    "Content: voipmsg@type": "Kind of the bubble; `state` has its words.",
    # -- phone activity and notices --
    "Content: msg/op@id": "The same as `StatusNotifyCode`.",
    "Content: msg/op/name": "Name of the operation; `code` is its number.",
    "Content: msg/op/username": "Real id of the chat; `real_ids` has those of a list of recent chats.",
    "Content: msg/op/arg": "Id and time of the chat's last message, as JSON; that message is delivered as well.",
    "Content: msg/op/arg/*": _HANDOFF,
    "Content: sysmsg/revokemsg/oldmsgid": "Another id of the recalled message; `message_id` is the one that it had.",
    "Content: sysmsg/revokemsg/session": "Real id of the chat; `chat` has the id of this login.",
    "Content: sysmsg@type": "Kind of the notice, which chooses the class.",
    "Content: sysmsg/delchatroommember/link/qrcode": "Join link of the chatroom, a secret.",
    "Content: sysmsg/delchatroommember/link/text": "Words of a button that phones show.",
    "Content: sysmsg/mmchatroombarannouncememt/*": "The announcement, whose words are in the message before.",
    "Content: sysmsg/span@class": _TEMPLATE,
    "Content: sysmsg/*username": _REAL_ID,
    "Content: sysmsg/*/scene": _JOINING,
    "Content: sysmsg/sysmsgtemplate/*": _TEMPLATE,
    # -- contacts --
    "Contact: [$_]*": _CLIENT, "Contact: MM*": _CLIENT, "Contact: is*": _CLIENT, "Contact: self.*": _CLIENT,
    "Contact: stranger": _CLIENT,
    "Contact: HeadImgFlag": "Whether the person has an avatar.",
    "Contact: HeadImgUpdateFlag": "Whether the avatar has changed; `avatar` is another one then.",
    "Contact: KeyWord": "Three letters of an official account, without a known meaning.",
    "Contact: *PYInitial": "Initials of the pinyin, which is a field.",
    "Contact: Scene": "How the person became a friend, as numbered by the platform.",
    "Contact: SnsFlag": _PROFILE,
    "Contact: WebWxPluginSwitch": "Setting of the account's page, without a known meaning.",
}  # fmt: skip
"""Why no field of an event shows a value, by a pattern of its path; the first pattern that fits is used."""


class Value(NamedTuple):
    """One value in a message."""

    path: str
    value: str | int
    change: Change
    """Returns the message with another value there."""


def fields_of(body: bytes | msgspec.Raw) -> Message:
    """Decode JSON into its fields, with repaired texts."""
    fields: Any = read_json(body, Any)
    assert isinstance(fields, dict)
    return fields


def messages() -> Iterator[Message]:
    """Yield the fields of every recorded message; a content that was recorded alone is put into one."""
    for payload in payloads("message"):
        yield fields_of(payload.body)
    for payload in payloads("webwxsync"):
        for raw in WEBWXSYNC.decode_reply(Response(body=payload.body)).add_msg_list:
            yield fields_of(raw)
    for payload in payloads("content-xml", "phone-xml"):
        yield fields_of(write_json(message_with(payload)))


def contacts() -> Iterator[Message]:
    """Yield the fields of every recorded contact."""
    for payload in payloads("contact"):
        yield fields_of(payload.body)
    for payload in payloads("webwxsync"):
        for raw in WEBWXSYNC.decode_reply(Response(body=payload.body)).mod_contact_list:
            yield fields_of(raw)


def raw_only() -> Rows:
    """Return the classes of events in which only `raw` shows a field, by the field's path."""
    tried, hidden, shown = Counter[tuple[str, str]](), dict[tuple[str, str], None](), set[tuple[str, str]]()
    for message in (*messages(), *contacts()):
        event = event_of(message)
        if event is None:
            continue
        for value in (*json_values(message), *xml_values(message)):
            key = value.path, event[0]
            if key in shown or tried[key] == SAMPLES:
                continue
            tried[key] += 1
            hidden[key] = None
            if is_shown(value, event[1]):
                shown.add(key)
    found: Rows = {}
    for path, kind in sorted(hidden.keys() - shown):
        found.setdefault(path, []).append(kind)
    return found


def event_of(message: Message) -> tuple[str, Message] | None:
    """Return the class of a message's event, and its fields without the content; None if it cannot be decoded."""
    kind: Literal["message", "contact"] = "message" if _is_message(message) else "contact"
    event = event_from_item(Item(kind=kind, raw=msgspec.Raw(write_json(message))), ME)
    if isinstance(event, QuarantinedMessage):
        return None
    return type(event).__name__, {name: value for name, value in to_builtins(event).items() if name != "content"}


def _is_message(fields: Message) -> bool:
    return "MsgId" in fields


def is_shown(value: Value, fields: Message) -> bool:
    """Return whether a value is in the fields of the event, or changes them."""
    if isinstance(value.value, str) and len(value.value) >= _SHORTEST and value.value in texts_of(fields):
        return True
    same = value.change(value.value)
    for reduced in (dict, without_content) if "Content" not in value.path else (dict, only_content):
        before = event_of(reduced(same))
        if any(event_of(reduced(value.change(other))) != before for other in others(value.value)):
            return True
    return False


def without_content(message: Message) -> Message:
    return message | {"Content": ""}


def only_content(message: Message) -> Message:
    return {name: value for name, value in message.items() if name in _ALONE}


def others(value: str | int) -> tuple[str | int, ...]:
    """Return other values for a value; some fields have a few valid ones only."""
    if isinstance(value, int) or value.isdecimal():
        return tuple(type(value)(other) for other in (int(value) + 1, 0, 1, 2, 3, 8, 48))
    return f"{value}7", f"7{value}", "https://7.example/", "7", ""


def texts_of(value: object) -> set[str]:
    match value:
        case dict():
            return set().union(*map(texts_of, value.values()))
        case list() | tuple():
            return set().union(*map(texts_of, value))
        case _:
            return {str(value)}


# -- values of the JSON ----------------------------------------------------------------------------------------------


def json_values(message: Message) -> Iterator[Value]:
    """Yield all values of the JSON except the content and those that are empty or 0."""
    for path, value in _leaves(message, ()):
        if path != ("Content",) and value not in ("", "0", 0):

            def change(other: str | int, path: tuple[str, ...] = path) -> Message:
                changed = deepcopy(message)
                at = changed
                for name in path[:-1]:
                    at = at[name]
                at[path[-1]] = other
                return changed

            yield Value(("" if _is_message(message) else IN_CONTACT) + ".".join(path), value, change)


def _leaves(fields: Message, above: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], str | int]]:
    for name, value in fields.items():
        if isinstance(value, dict):
            yield from _leaves(value, (*above, name))
        elif isinstance(value, str | int):
            yield (*above, name), value


# -- values of the XML in the content --------------------------------------------------------------------------------


def xml_values(message: Message) -> Iterator[Value]:
    """Yield all texts and attributes of the XML in the content that are not empty or 0."""
    content = message.get("Content", "")
    sender, payload = split_sender(content) if message.get("FromUserName", "").startswith("@@") else ("", content)
    root = read_loosely(xml_text(payload)) if "&lt;" in payload else None
    if root is None:
        return
    prefix = f"{sender}:<br/>" if sender else ""

    def written() -> Message:
        escaped = html.escape(ElementTree.tostring(root, "unicode"), quote=False)
        return message | {"Content": prefix + escaped}

    above = IN_CONTENT if root.tag != "appmsg" else f"{IN_CONTENT}msg/"
    for element, path in list(_elements(root, above)):
        for name in ("", *element.attrib):
            value = element.get(name, "") if name else (element.text or "").strip()
            if value.strip() in ("", "0") or (len(element) and not name):  # text between elements is only layout
                continue

            def change(other: str | int, element: ElementTree.Element = element, name: str = name) -> Message:
                before = element.get(name) if name else element.text
                _set(element, name, str(other))
                changed = written()
                _set(element, name, before)
                return changed

            yield Value(f"{path}@{name}" if name else path, value, change)


def _set(element: ElementTree.Element, name: str, value: str | None) -> None:
    if name:
        element.set(name, value or "")
    else:
        element.text = value


def _elements(element: ElementTree.Element, above: str) -> Iterator[tuple[ElementTree.Element, str]]:
    path = f"{above}{element.tag}"
    yield element, path
    for child in element:
        yield from _elements(child, f"{path}/")


# -- the page --------------------------------------------------------------------------------------------------------

INTRODUCTION = """\
# Fields that only `raw` shows

Every message keeps all its delivered fields in `raw`; see [messages](../topics/messages.md#fields-that-no-class-has).
`make docs` generates these tables: the fields that no other field of their event shows, each with the reason.

Each value of the recorded messages in [the corpus](../../tests/recordings/README.md) was changed in turn.
A field is listed for those events that stayed the same, apart from `content`.
It is left out where it is empty or 0 in all recordings.
Some recordings are of other protocols, in which phones exchange the same XML.
"""


def reason_for(path: str) -> str:
    """
    Return the reason for which only `raw` shows a field.

    Raises:
        LookupError: No pattern fits.
    """
    for pattern, reason in REASONS.items():
        if fnmatchcase(path, pattern):
            return reason
    raise LookupError(f"Add a field to the event for {path}, or a reason to REASONS.")


def page(rows: Rows) -> str:
    """Return the whole page."""
    in_content = [path for path in rows if path.startswith(IN_CONTENT)]
    in_contacts = [path for path in rows if path.startswith(IN_CONTACT)]
    in_json = [path for path in rows if not path.startswith((IN_CONTENT, IN_CONTACT))]
    return (
        f"{INTRODUCTION}\n## Fields of the JSON\n\n{_table(rows, in_json)}\n"
        "## Elements and attributes of the XML in `Content`\n\n"
        f"An attribute follows the path of its element after `@`.\n\n{_table(rows, in_content)}\n"
        "## Fields of a contact\n\n"
        f"A `ContactChanged` has them in `raw`.\n\n{_table(rows, in_contacts)}"
    )


def _table(rows: Rows, paths: list[str]) -> str:
    lines = ["| Field | Events | Reason |", "|---|---|---|"]
    for path in paths:
        kinds = "all kinds" if len(rows[path]) >= _ALL else ", ".join(f"`{kind}`" for kind in rows[path])
        lines.append(f"| `{path.removeprefix(IN_CONTENT).removeprefix(IN_CONTACT)}` | {kinds} | {reason_for(path)} |")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    PAGE.write_text(page(raw_only()), encoding="utf-8")
