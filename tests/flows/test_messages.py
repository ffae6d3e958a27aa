"""The customer's four requests as the flows make them, and what is refused before one is made."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec
import pytest
from tests.customer import FOUR, FRIEND, RECEIPT
from tests.flows.drive import drive, refusal, reply
from tests.recording import read_request
from tests.saved import LOGIN, ME, NOW

from webwx.errors import ApiError, EmptyText, LoggedOut, RecallRefused, SendUnknown, TargetRefused, TextTooLong, Timeout
from webwx.flows import messages as flows
from webwx.model.contacts import ContactId
from webwx.protocol.codes import MAX_TEXT
from webwx.protocol.messages import IMAGE, RECALL, STATUSNOTIFY, TEXT

if TYPE_CHECKING:
    from webwx.flows.call import Flow
    from webwx.protocol.http import Request


def as_parsed(request: Request) -> tuple[str, str, Any]:
    """What a request is, with its body parsed: keys in their order, values with their types."""
    return request.method, request.url, msgspec.json.decode(request.content)


@pytest.mark.parametrize("name", FOUR)
def test_the_customers_request_is_made_to_the_letter(name: str) -> None:
    make_flow, answer = FOUR[name]
    recorded = read_request(f"customer/{name}")
    _, [request] = drive(make_flow(), answer)

    assert as_parsed(recorded) == as_parsed(request)
    assert msgspec.json.format(recorded.content, indent=-1) == request.content


class TestSendText:
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


def test_an_uploaded_picture_goes_by_its_media_id_and_without_content() -> None:
    message_id, [request] = drive(flows.send_image(LOGIN, FRIEND, "@crypt_media", "17"), reply(IMAGE, msg_id="9"))
    body = msgspec.json.decode(request.content)

    assert message_id == "9"
    assert (body["Msg"]["MediaId"], body["Msg"]["Content"], body["Scene"]) == ("@crypt_media", "", 0)


class TestRecall:
    def test_e11_ret_minus_1_means_that_the_message_stays(self) -> None:
        with pytest.raises(RecallRefused, match="it stays") as caught:
            drive(flows.recall(LOGIN, RECEIPT), refusal(-1))
        assert (caught.value.ret, caught.value.endpoint) == (-1, "webwxrevokemsg")

    @pytest.mark.parametrize(("ret", "kind"), [(1101, LoggedOut), (1201, TargetRefused), (1, ApiError)])
    def test_another_ret_means_what_it_always_means(self, ret: int, kind: type[ApiError]) -> None:
        with pytest.raises(kind) as caught:
            drive(flows.recall(LOGIN, RECEIPT), refusal(ret))
        assert kind is type(caught.value)

    def test_a_lost_answer_leaves_it_in_doubt(self) -> None:
        with pytest.raises(SendUnknown):
            drive(flows.recall(LOGIN, RECEIPT), Timeout("t"))

    @pytest.mark.parametrize("chat", ["@friend", "@@room", "filehelper"])
    def test_e10_the_receipt_goes_back_as_it_came(self, chat: str) -> None:
        receipt = msgspec.structs.replace(RECEIPT, chat=ContactId(chat))
        _, [request] = drive(flows.recall(LOGIN, receipt), reply(RECALL))
        body = msgspec.json.decode(request.content)

        assert ("2900000000000000001", chat, "15600000001230456") == (
            body["SvrMsgId"], body["ToUserName"], body["ClientMsgId"],
        )  # fmt: skip

    def test_e10_without_a_client_id_the_message_id_stands_in(self) -> None:
        receipt = msgspec.structs.replace(RECEIPT, client_id="")
        _, [request] = drive(flows.recall(LOGIN, receipt), reply(RECALL))

        assert msgspec.json.decode(request.content)["ClientMsgId"] == "2900000000000000001"


class TestNotify:
    def body_of(self, flow: Flow[None]) -> dict[str, Any]:
        body: dict[str, Any] = msgspec.json.decode(drive(flow, reply(STATUSNOTIFY))[1][0].content)
        return body

    def test_announcing_is_code_3_to_oneself_with_a_number_for_the_uin(self) -> None:
        body = self.body_of(flows.announce(LOGIN, NOW))

        assert (body["Code"], body["FromUserName"], body["ToUserName"]) == (3, ME, ME)
        assert body["BaseRequest"]["Uin"] == 1234567890

    def test_marking_as_read_is_the_one_call_with_a_text_for_the_uin(self) -> None:
        assert self.body_of(flows.mark_read(LOGIN, FRIEND, NOW))["BaseRequest"]["Uin"] == "1234567890"
