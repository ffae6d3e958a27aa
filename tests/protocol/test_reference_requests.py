"""
The four reference requests against recordings that were written by hand.

Bodies are compared with the order of their keys and the types of their values: `json.dumps(json.loads(…))` preserves
both and drops whitespace.
"""

from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest
from tests.recording import read_request

from webwx.protocol.content import forward_image, read_image
from webwx.protocol.endpoint import Endpoint
from webwx.protocol.hosts import FAMILIES
from webwx.protocol.login import Credentials
from webwx.protocol.messages import (
    FORWARD_SCENE,
    IMAGE,
    RECALL,
    STATUSNOTIFY,
    TEXT,
    ImageRequest,
    OutgoingImage,
    OutgoingText,
    RecallRequest,
    StatusNotifyRequest,
    TextRequest,
)

HOSTS = FAMILIES["wx2.qq.com"]

PASS_TICKET = "k3Yq%2BZ0example%3D"
"""The pass_ticket as in the login's XML: already percent-encoded."""

CREDENTIALS = Credentials(
    uin=1234567890,
    sid="AbCdEfGhIjKlMnOp",
    skey="@crypt_0a1b2c3d_ffeeddccbbaa99887766554433221100",
    device_id="e123456789012345",
)

RECALLED_IMAGE = (
    '<?xml version="1.0"?>\n<msg>\n\t<img aeskey="00112233445566778899aabbccddeeff" encryver="0" '
    'cdnthumbaeskey="00112233445566778899aabbccddeeff" cdnthumburl="30570204example" cdnthumblength="4321" '
    'cdnthumbheight="120" cdnthumbwidth="90" cdnmidheight="0" cdnmidwidth="0" cdnhdheight="0" cdnhdwidth="0" '
    'cdnmidimgurl="30570204example" length="54321" md5="ffeeddccbbaa99887766554433221100" />\n</msg>'
)
"""The XML that had been received before the picture was recalled."""

MARK_READ = StatusNotifyRequest(
    pass_ticket=PASS_TICKET,
    credentials=msgspec.structs.replace(CREDENTIALS, uin="1234567890"),
    code=1,
    from_user_name="@00aa11bb22cc33dd",
    to_user_name="@77aa88bb99cc00dd",
    client_msg_id=1560000000123,
)

SEND_TEXT = TextRequest(
    pass_ticket=PASS_TICKET,
    credentials=CREDENTIALS,
    msg=OutgoingText(
        content="hello 你好😀",
        from_user_name="@00aa11bb22cc33dd",
        to_user_name="@77aa88bb99cc00dd",
        local_id="15600000001230456",
        client_msg_id="15600000001230456",
    ),
)

RECALL_IT = RecallRequest(
    credentials=CREDENTIALS,
    svr_msg_id="2900000000000000001",
    to_user_name="@77aa88bb99cc00dd",
    client_msg_id="15600000001230456",
)

FORWARD = ImageRequest(
    pass_ticket=PASS_TICKET,
    credentials=CREDENTIALS,
    msg=OutgoingImage(
        content=forward_image(RECALLED_IMAGE),
        from_user_name="@00aa11bb22cc33dd",
        to_user_name="filehelper",
        local_id="15600000001230457",
        client_msg_id="15600000001230457",
    ),
    scene=FORWARD_SCENE,
)

FOUR = [
    pytest.param(STATUSNOTIFY, MARK_READ, "mark_read", id="mark_read"),
    pytest.param(TEXT, SEND_TEXT, "send_text", id="send_text"),
    pytest.param(RECALL, RECALL_IT, "recall", id="recall"),
    pytest.param(IMAGE, FORWARD, "forward_recalled_image", id="forward_recalled_image"),
]


@pytest.mark.parametrize(("endpoint", "value", "recording"), FOUR)
class TestEachOfTheFour:
    def test_the_client_sends_it_to_the_recorded_address(
        self, endpoint: Endpoint[Any, Any], value: msgspec.Struct, recording: str
    ) -> None:
        recorded = read_request(f"requests/{recording}")
        sent = endpoint.encode_request(value, HOSTS)
        assert (recorded.method, recorded.url) == (sent.method, sent.url)

    def test_the_content_type_is_json_in_utf_8(
        self, endpoint: Endpoint[Any, Any], value: msgspec.Struct, recording: str
    ) -> None:
        sent = endpoint.encode_request(value, HOSTS)
        assert sent.headers == (("Content-Type", "application/json;charset=UTF-8"),)
        assert read_request(f"requests/{recording}").header("Content-Type") == sent.header("Content-Type")

    def test_the_client_writes_the_recorded_keys_in_order_with_values_of_the_recorded_types(
        self, endpoint: Endpoint[Any, Any], value: msgspec.Struct, recording: str
    ) -> None:
        recorded = json.loads(read_request(f"requests/{recording}").content)
        sent = json.loads(endpoint.encode_request(value, HOSTS).content)
        assert json.dumps(recorded, indent=1) == json.dumps(sent, indent=1)

    def test_the_server_decodes_the_recording(
        self, endpoint: Endpoint[Any, Any], value: msgspec.Struct, recording: str
    ) -> None:
        request = read_request(f"requests/{recording}")
        assert endpoint.matches(request.method, request.path)
        assert value == endpoint.decode_request(request)


def test_a_recall_has_no_query() -> None:
    assert RECALL.encode_request(RECALL_IT, HOSTS).query == ""


def test_the_pass_ticket_is_percent_encoded_again() -> None:
    assert "pass_ticket=k3Yq%252BZ0example%253D" in TEXT.encode_request(SEND_TEXT, HOSTS).query


def test_text_is_sent_as_raw_utf_8_without_escapes() -> None:
    body = TEXT.encode_request(SEND_TEXT, HOSTS).content
    assert "你好😀".encode() in body
    assert b"\\u" not in body


def test_a_forward_has_the_five_recorded_attributes() -> None:
    content = json.loads(read_request("requests/forward_recalled_image").content)["Msg"]["Content"]
    recalled, sent = read_image(RECALLED_IMAGE), read_image(content)
    assert recalled is not None
    assert sent is not None
    for name in ("aeskey", "cdnthumbaeskey", "cdnthumburl", "cdnmidimgurl", "md5"):
        assert recalled[name] == sent[name]


@pytest.mark.parametrize("uin", [1234567890, "1234567890"])
@pytest.mark.parametrize("client_msg_id", ['"15600000001230456"', "15600000001230456", '"1795528535937.7554"'])
def test_a_server_accepts_numbers_as_texts_and_texts_as_numbers(uin: int | str, client_msg_id: str) -> None:
    body = (
        f'{{"BaseRequest": {{"Uin": {json.dumps(uin)}}}, "SvrMsgId": 2900000000000000001, '
        f'"ToUserName": "@a", "ClientMsgId": {client_msg_id}, "More": [1]}}'
    )
    request = msgspec.structs.replace(read_request("requests/recall"), headers=(), body=body.encode())
    read = RECALL.decode_request(request)
    assert read.svr_msg_id == "2900000000000000001"
    assert str(read.credentials.uin) == "1234567890"
    assert read.client_msg_id == client_msg_id.strip('"')
