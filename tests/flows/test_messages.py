"""The four reference requests as the flows make them, and refusals before a request."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec
import pytest
from tests.flows.drive import drive, refusal, reply
from tests.recording import read_request
from tests.reference_requests import FOUR, FRIEND, RECEIPT
from tests.saved import LOGIN, ME, NOW

from webwx.errors import (
    ApiError,
    EmptyText,
    InvalidRequest,
    LoggedOut,
    RecallRefused,
    RecipientRejected,
    SendOutcomeUnknown,
    TextTooLong,
    Timeout,
)
from webwx.flows import messages as flows
from webwx.flows.media import Upload, UploadState
from webwx.model.contacts import ContactId
from webwx.model.messages import FileMessage
from webwx.protocol.codec import percent_encode
from webwx.protocol.codes import MAX_TEXT
from webwx.protocol.hosts import DESKTOP, FILEHELPER
from webwx.protocol.messages import APP, IMAGE, RECALL, STATUSNOTIFY, STICKER, TEXT, VIDEO

if TYPE_CHECKING:
    from webwx.flows.call import Flow
    from webwx.protocol.endpoint import Endpoint
    from webwx.protocol.http import Request


def as_parsed(request: Request) -> tuple[str, str, Any]:
    """Return a request with its body parsed: keys in their order, values with their types."""
    return request.method, request.url, msgspec.json.decode(request.content)


@pytest.mark.parametrize("name", FOUR)
def test_the_flow_makes_the_reference_request(name: str) -> None:
    make_flow, answer = FOUR[name]
    recorded = read_request(f"requests/{name}")
    _, [request] = drive(make_flow(), answer)

    assert as_parsed(recorded) == as_parsed(request)
    assert msgspec.json.format(recorded.content, indent=-1) == request.content


class TestSendText:
    def test_refuses_a_number_before_any_request(self) -> None:
        with pytest.raises(InvalidRequest, match="A text to send is a str, not int"):
            next(flows.send_text(LOGIN, FRIEND, 5, "1"))  # type: ignore[arg-type]  # that is the mistake

    def test_refuses_an_empty_text_before_any_request(self) -> None:
        with pytest.raises(EmptyText):
            next(flows.send_text(LOGIN, FRIEND, "", "1"))

    def test_refuses_a_text_beyond_16000_characters_before_any_request(self) -> None:
        with pytest.raises(TextTooLong, match="16,001"):
            next(flows.send_text(LOGIN, FRIEND, "你" * (MAX_TEXT + 1), "1"))

    def test_sends_16000_characters(self) -> None:
        _, [request] = drive(flows.send_text(LOGIN, FRIEND, "你" * MAX_TEXT, "1"), reply(TEXT))

        assert len(msgspec.json.decode(request.content)["Msg"]["Content"]) == MAX_TEXT

    @pytest.mark.parametrize("text", ["@fil@/etc/passwd", "@img@~/.ssh/id_rsa", "<br/>&amp;", " ", "\n"])
    def test_nothing_in_a_text_is_a_command_or_markup(self, text: str) -> None:
        _, [request] = drive(flows.send_text(LOGIN, FRIEND, text, "1"), reply(TEXT))

        assert ("webwxsendmsg", text) == (request.endpoint, msgspec.json.decode(request.content)["Msg"]["Content"])

    def test_a_forwarded_text_has_the_scene_of_a_forward(self) -> None:
        message_id, [request] = drive(flows.forward_text(LOGIN, FRIEND, "hi", "1"), reply(TEXT, msg_id="9"))

        assert (message_id, msgspec.json.decode(request.content)["Scene"]) == ("9", 2)


def test_an_answer_to_another_send_leaves_an_unknown_outcome() -> None:
    with pytest.raises(SendOutcomeUnknown, match="another send"):
        drive(flows.send_text(LOGIN, FRIEND, "hi", "17"), reply(TEXT, msg_id="9", local_id="16"))
    assert drive(flows.send_text(LOGIN, FRIEND, "hi", "17"), reply(TEXT, msg_id="9", local_id="17"))[0] == "9"


def test_an_uploaded_picture_is_sent_by_its_media_id_without_content() -> None:
    message_id, [request] = drive(flows.send_image(LOGIN, FRIEND, "@crypt_media", "17"), reply(IMAGE, msg_id="9"))
    body = msgspec.json.decode(request.content)

    assert message_id == "9"
    assert (body["Msg"]["MediaId"], body["Msg"]["Content"], body["Scene"]) == ("@crypt_media", "", 0)


class TestRecall:
    def test_ret_minus_1_means_that_the_message_cannot_be_recalled(self) -> None:
        with pytest.raises(RecallRefused, match="not yours, or unknown") as caught:
            drive(flows.recall(LOGIN, RECEIPT), refusal(-1))
        assert (caught.value.ret, caught.value.endpoint) == (-1, "webwxrevokemsg")

    @pytest.mark.parametrize(("ret", "kind"), [(1101, LoggedOut), (1201, RecipientRejected), (1, ApiError)])
    def test_another_ret_has_its_usual_meaning(self, ret: int, kind: type[ApiError]) -> None:
        with pytest.raises(kind) as caught:
            drive(flows.recall(LOGIN, RECEIPT), refusal(ret))
        assert kind is type(caught.value)

    def test_a_lost_answer_leaves_an_unknown_outcome(self) -> None:
        with pytest.raises(SendOutcomeUnknown):
            drive(flows.recall(LOGIN, RECEIPT), Timeout("t"))

    @pytest.mark.parametrize("chat", ["@friend", "@@room", "filehelper"])
    def test_the_fields_of_the_receipt_are_sent_unchanged(self, chat: str) -> None:
        receipt = msgspec.structs.replace(RECEIPT, chat=ContactId(chat))
        _, [request] = drive(flows.recall(LOGIN, receipt), reply(RECALL))
        body = msgspec.json.decode(request.content)

        assert ("2900000000000000001", chat, "15600000001230456") == (
            body["SvrMsgId"], body["ToUserName"], body["ClientMsgId"],
        )  # fmt: skip

    def test_the_message_id_replaces_a_missing_client_id(self) -> None:
        receipt = msgspec.structs.replace(RECEIPT, client_id="")
        _, [request] = drive(flows.recall(LOGIN, receipt), reply(RECALL))

        assert msgspec.json.decode(request.content)["ClientMsgId"] == "2900000000000000001"


class TestNotify:
    def body_of(self, flow: Flow[None]) -> dict[str, Any]:
        body: dict[str, Any] = msgspec.json.decode(drive(flow, reply(STATUSNOTIFY))[1][0].content)
        return body

    def test_announcing_is_code_3_to_the_account_itself_with_a_numeric_uin(self) -> None:
        body = self.body_of(flows.announce(LOGIN, NOW))

        assert (body["Code"], body["FromUserName"], body["ToUserName"]) == (3, ME, ME)
        assert body["BaseRequest"]["Uin"] == 1234567890

    def test_marking_as_read_is_the_only_call_with_a_textual_uin(self) -> None:
        assert self.body_of(flows.mark_read(LOGIN, FRIEND, NOW))["BaseRequest"]["Uin"] == "1234567890"


FILE = Upload(source=b"x", name="a&b.txt", size=1, md5="m", content_type="text/plain", kind="doc")
STATE = UploadState(to=FRIEND, client_media_id=1, data_ticket="", boundary="X", media_id="@crypt_m")
RECEIVED = FileMessage(
    message_id="1", chat=ContactId(FRIEND), sender=None, is_self=False, time=0, content="", name="a.txt", size=9,
    media_id="@crypt_r",
)  # fmt: skip
HELPER = msgspec.structs.replace(LOGIN, profile_name=FILEHELPER.name)
ON_THE_DESKTOP = msgspec.structs.replace(LOGIN, profile_name=DESKTOP.name)
SIGNED = msgspec.structs.replace(STATE, signature="signed", aes_key="key")


def appmsg(name: str, size: int, media_id: str, extension: str, *, app_id: str = "wxeb7ec651dd0aefa9") -> str:
    """Return the content of a file in the form of the page."""
    return (
        f"<appmsg appid='{app_id}' sdkver=''><title>{name}</title><des></des><action></action><type>6</type>"
        f"<content></content><url></url><lowurl></lowurl><appattach><totallen>{size}</totallen><attachid>{media_id}"
        f"</attachid><fileext>{extension}</fileext></appattach><extinfo></extinfo></appmsg>"
    )


APPMSG = appmsg("a&amp;b.txt", 1, "@crypt_m", "txt")


class TestMedia:
    @pytest.mark.parametrize(
        ("flow", "endpoint", "query", "scene", "message"),
        [
            (
                flows.send_video(LOGIN, FRIEND, "@crypt_m", "17"), VIDEO, "fun=async&f=json&", 0,
                {"Type": 43, "MediaId": "@crypt_m", "Content": ""},
            ),
            (
                flows.forward_video(LOGIN, FRIEND, "<msg/>", "17"), VIDEO, "fun=async&f=json&", 2,
                {"Type": 43, "MediaId": "", "Content": "<msg/>"},
            ),
            (
                flows.send_sticker(LOGIN, FRIEND, "@crypt_m", "17"), STICKER, "fun=sys&", 0,
                {"Type": 47, "EmojiFlag": 2, "MediaId": "@crypt_m"},
            ),
            (
                flows.send_known_sticker(LOGIN, FRIEND, "ffee", "17"), STICKER, "fun=sys&", 0,
                {"Type": 47, "EmojiFlag": 2, "EMoticonMd5": "ffee"},
            ),
            (
                flows.forward_location(LOGIN, FRIEND, "<msg/>", "17"), TEXT, "", 2, {"Type": 48, "Content": "<msg/>"},
            ),
            (
                flows.send_file(LOGIN, FRIEND, FILE, STATE, "17"), APP, "fun=async&f=json&", 0,
                {"Type": 6, "Content": APPMSG},
            ),
            (
                flows.send_file(LOGIN, FRIEND, FILE, SIGNED, "17"), APP, "fun=async&f=json&", 0,
                {"Type": 6, "Content": APPMSG, "Signature": "signed"},
            ),
            (
                flows.send_file(HELPER, FRIEND, FILE, SIGNED, "17"), APP, "fun=async&f=json&", 0,
                {"Type": 6, "Content": APPMSG, "Signature": "signed", "AESKey": "key"},
            ),
            (
                flows.forward_file(LOGIN, FRIEND, RECEIVED, "17"), APP, "fun=async&f=json&", 2,
                {"Type": 6, "Content": appmsg("a.txt", 9, "@crypt_r", "txt")},
            ),
            (
                flows.send_file(ON_THE_DESKTOP, FRIEND, FILE, SIGNED, "17"), APP, "fun=async&f=json&mod=desktop&", 0,
                {"Type": 6, "Content": appmsg("a&amp;b.txt", 1, "@crypt_m", "txt", app_id=""), "Signature": "signed"},
            ),
            (
                flows.forward_file(ON_THE_DESKTOP, FRIEND, RECEIVED, "17"), APP, "fun=async&f=json&mod=desktop&", 2,
                {"Type": 6, "Content": appmsg("a.txt", 9, "@crypt_r", "txt", app_id="")},
            ),
        ],
    )  # fmt: skip
    def test_each_kind_is_sent_as_by_the_page(
        self, flow: Flow[str], endpoint: Endpoint[Any, Any], query: str, scene: int, message: dict[str, Any]
    ) -> None:
        given, [request] = drive(flow, reply(endpoint, msg_id="29"))
        body = msgspec.json.decode(request.content)

        assert given == "29"
        assert request.query == f"{query}pass_ticket={percent_encode(LOGIN.pass_ticket)}"
        assert body["Scene"] == scene
        assert body["Msg"] == message | {"FromUserName": ME, "ToUserName": FRIEND, "LocalID": "17", "ClientMsgId": "17"}


@pytest.mark.parametrize(
    ("flow", "endpoint"),
    [
        (flows.send_text(LOGIN, FRIEND, "hi", "17"), TEXT),
        (flows.forward_location(LOGIN, FRIEND, "<msg/>", "17"), TEXT),
        (flows.send_image(LOGIN, FRIEND, "@crypt_m", "17"), IMAGE),
        (flows.forward_image(LOGIN, FRIEND, "<msg/>", "17"), IMAGE),
        (flows.send_video(LOGIN, FRIEND, "@crypt_m", "17"), VIDEO),
        (flows.send_sticker(LOGIN, FRIEND, "@crypt_m", "17"), STICKER),
        (flows.send_known_sticker(LOGIN, FRIEND, "ffee", "17"), STICKER),
        (flows.send_file(LOGIN, FRIEND, FILE, STATE, "17"), APP),
        (flows.forward_file(LOGIN, FRIEND, RECEIVED, "17"), APP),
    ],
)
def test_both_ids_of_a_send_are_equal(flow: Flow[str], endpoint: Endpoint[Any, Any]) -> None:
    _, [request] = drive(flow, reply(endpoint))
    message = msgspec.json.decode(request.content)["Msg"]

    assert (message["LocalID"], message["ClientMsgId"]) == ("17", "17")


def test_a_file_of_the_desktop_has_the_recorded_bytes() -> None:
    _, [request] = drive(flows.send_file(ON_THE_DESKTOP, FRIEND, FILE, STATE, "17"), reply(APP))

    assert request.url == (
        "https://wx2.qq.com/cgi-bin/mmwebwx-bin/webwxsendappmsg"
        "?fun=async&f=json&mod=desktop&pass_ticket=k3Yq%252BZ0example%253D"
    )
    content = (
        "<appmsg appid='' sdkver=''><title>a&amp;b.txt</title><des></des><action></action><type>6</type>"
        "<content></content><url></url><lowurl></lowurl><appattach><totallen>1</totallen><attachid>@crypt_m</attachid>"
        "<fileext>txt</fileext></appattach><extinfo></extinfo></appmsg>"
    )
    assert request.content.decode() == (
        '{"BaseRequest":{"Uin":1234567890,"Sid":"AbCdEfGhIjKlMnOp",'
        '"Skey":"@crypt_0a1b2c3d_ffeeddccbbaa99887766554433221100","DeviceID":"e123456789012345"},'
        f'"Msg":{{"Type":6,"Content":"{content}","FromUserName":"{ME}","ToUserName":"{FRIEND}","LocalID":"17",'
        '"ClientMsgId":"17"},"Scene":0}'
    )
