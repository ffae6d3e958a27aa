"""Fields of the wire have the platform's names; a missing field is empty, or has the value that the page sends."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, Any

import msgspec
import pytest

from webwx.protocol import ENDPOINTS
from webwx.protocol.codec import Wire

if TYPE_CHECKING:
    from collections.abc import Iterator

OTHER_NAMES = {
    "aes_key": "AESKey",
    "app_id": "AppID",
    "cdn_thumb_img_height": "CDNThumbImgHeight",
    "cdn_thumb_img_width": "CDNThumbImgWidth",
    "credentials": "BaseRequest",
    "device_id": "DeviceID",
    "emoticon_md5": "EMoticonMd5",
    "file_md5": "FileMD5",
    "last_modified_date": "lastModifiedDate",
    "local_id": "LocalID",
    "mp_article_count": "MPArticleCount",
    "mp_article_list": "MPArticleList",
    "mp_subscribe_msg_count": "MPSubscribeMsgCount",
    "mp_subscribe_msg_list": "MPSubscribeMsgList",
    "op": "OP",
    "py_initial": "PYInitial",
    "py_quan_pin": "PYQuanPin",
    "qq_num": "QQNum",
    "remark_py_initial": "RemarkPYInitial",
    "remark_py_quan_pin": "RemarkPYQuanPin",
    "upload_id": "UploadID",
}
"""Names of the platform that do not follow the rule, which is that `to_user_name` is `ToUserName`."""

NAMES_OF_ONE: dict[str, dict[str, str]] = {
    "CheckUploadRequest": {"file_md5": "FileMd5"},
    "InitReply": {"skey": "SKey"},
    "ParallelUploadRequest": {"ticket": "UploadMediaParallelRequest"},
    "SendReply": {"msg_id": "MsgID"},
    "StatusNotifyReply": {"msg_id": "MsgID"},
    "SyncReply": {"skey": "SKey"},
    "SyncRequest": {"rr": "rr"},
    "UploadTicket": {"file_md5": "FileMd5"},
    "VerifyUserRequest": {"skey": "skey"},
    "WholeSyncReply": {"skey": "SKey"},
}
"""Names that differ from those of other structs."""

AS_HERE = {"LogoutRequest", "ParallelUploadRequest", "PushLoginReply", "UploadRequest"}
"""Structs whose fields have the same names on the wire."""

VALUES: dict[str, dict[str, object]] = {
    "AppRequest": {"fun": "async", "f": "json"},
    "BatchContactsRequest": {"type": "ex"},
    "CheckUploadRequest": {"file_type": 7},
    "CheckUrlRequest": {"opcode": 2, "scene": 1},
    "FeedbackRequest": {"machine_type": "webwx"},
    "ImageRequest": {"fun": "async", "f": "json"},
    "LogoutRequest": {"redirect": 1},
    "MapPictureRequest": {"url": "xxx", "pictype": "location"},
    "OutgoingApp": {"type": 6},
    "OutgoingImage": {"type": 3},
    "OutgoingSticker": {"type": 47, "emoji_flag": 2},
    "OutgoingText": {"type": 1},
    "OutgoingVideo": {"type": 43},
    "ParallelUploadRequest": {"f": "json"},
    "PollRequest": {"loginicon": "true", "tip": 1},
    "PreviewRequest": {"fun": "preview"},
    "QrReply": {"code": 200},
    "QrRequest": {"fun": "new", "lang": "zh_CN"},
    "Report": {"type": 1},
    "ReportRequest": {"fun": "new"},
    "StatusNotifyRequest": {"code": 1},
    "StickerRequest": {"fun": "sys"},
    "TicketReply": {"isgrayscale": 1},
    "UploadRequest": {"f": "json", "id": "WU_FILE_0", "mediatype": "doc"},
    "UploadTicket": {"upload_type": 2, "media_type": 4},
    "VerifyUserRequest": {"verify_user_list_size": 1, "scene_list_count": 1, "scene_list": (33,)},
    "VideoRequest": {"fun": "async", "f": "json"},
    "WireMessage": {"status": 3, "img_status": 1},
}
"""What a field has if it is not given, where that is not empty: constants that the page sends, or the usual value."""

REQUIRED = {
    "BaseResponse": ["ret"],
    "CheckReply": ["retcode"],
    "DeletedContact": ["user_name"],
    "KeyValue": ["key", "val"],
    "NewMember": ["user_name"],
    "OutgoingApp": ["to_user_name"],
    "OutgoingImage": ["to_user_name"],
    "OutgoingSticker": ["to_user_name"],
    "OutgoingText": ["to_user_name"],
    "OutgoingVideo": ["to_user_name"],
    "PollReply": ["code"],
    "PublicAccountNews": ["user_name"],
    "VerifyUser": ["value"],
    "WholeSyncReply": ["base_response"],
    "WireContact": ["user_name"],
    "WireMessage": ["msg_id"],
    "WireText": ["msg_id"],
}
"""Fields without which an answer, or an object in a body, says nothing; one that lacks another field is decoded."""


def wire_structs(base: type[Wire] = Wire) -> Iterator[type[Wire]]:
    """Yield the structs of the protocol, without those that `Endpoint` derives from them to read answers."""
    for each in base.__subclasses__():
        if each.__module__.startswith("webwx.protocol.") and not each.__name__.endswith("AsRead"):
            yield each
            yield from wire_structs(each)


STRUCTS = sorted(set(wire_structs()), key=lambda kind: kind.__name__)

REQUESTS = {each.request for each in ENDPOINTS}
"""Requests, whose flow must give what is required; mypy checks that."""

every_struct = pytest.mark.parametrize("kind", STRUCTS, ids=lambda kind: kind.__name__)


def is_empty(value: object) -> bool:
    """Return whether a value says nothing: zero, without elements, unset, or a struct with such values only."""
    if isinstance(value, msgspec.Struct):
        return all(map(is_empty, msgspec.structs.astuple(value)))
    return value is msgspec.UNSET or value is None or not value


def default_of(field: msgspec.structs.FieldInfo) -> Any:
    return field.default if field.default_factory is msgspec.NODEFAULT else field.default_factory()


def test_the_structs_of_all_endpoints_are_here() -> None:
    wired = itertools.chain.from_iterable((each.request, each.reply) for each in ENDPOINTS)
    assert {each for each in wired if issubclass(each, Wire)} <= set(STRUCTS)


@every_struct
def test_fields_have_the_names_of_the_platform(kind: type[Wire]) -> None:
    others = OTHER_NAMES | NAMES_OF_ONE.get(kind.__name__, {})
    for field in msgspec.structs.fields(kind):
        in_capitals = "".join(f"{word[:1].upper()}{word[1:]}" for word in field.name.split("_"))
        by_rule = field.name if kind.__name__ in AS_HERE else in_capitals
        assert field.encode_name == others.get(field.name, by_rule), "correct the name, or add it to OTHER_NAMES"


@every_struct
def test_a_field_that_is_not_given_is_empty_or_what_the_page_sends(kind: type[Wire]) -> None:
    optional = [each for each in msgspec.structs.fields(kind) if not each.required]
    values = {each.name: value for each in optional if not is_empty(value := default_of(each))}
    assert values == VALUES.get(kind.__name__, {}), "correct the default, or add the struct to VALUES"


@pytest.mark.parametrize("kind", [each for each in STRUCTS if each not in REQUESTS], ids=lambda kind: kind.__name__)
def test_only_the_fields_that_say_what_it_is_about_are_required(kind: type[Wire]) -> None:
    required = [each.name for each in msgspec.structs.fields(kind) if each.required]
    assert required == REQUIRED.get(kind.__name__, []), "give the field a default, or add the struct to REQUIRED"
