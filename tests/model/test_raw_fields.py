"""The fields of a delivered item are decoded from whatever was kept of it."""

from __future__ import annotations

import msgspec
import pytest

from webwx.model.raw_fields import raw_fields
from webwx.protocol.messages import WireText


@pytest.mark.parametrize(
    ("delivered", "content"),
    [
        (b'{\n"MsgId": "1",\n"Content": "a\\nb"\n}', "a\nb"),
        (b'{"MsgId":"1","Content":"\xff"}', "\ufffd"),
        (b'{"MsgId":"1","Content":"a\nb"}', "a\nb"),
    ],
    ids=["lines", "broken UTF-8", "control characters"],
)
@pytest.mark.parametrize("kind", [bytes, msgspec.Raw])
def test_an_item_is_read_as_tolerantly_as_its_message(
    kind: type[bytes | msgspec.Raw], delivered: bytes, content: str
) -> None:
    assert raw_fields(kind(delivered)) == {"MsgId": "1", "Content": content}


@pytest.mark.parametrize("delivered", [b"", b"[1]", b"nothing", b'{"MsgId":'])
def test_an_item_that_is_no_object_has_no_fields(delivered: bytes) -> None:
    assert raw_fields(delivered) == {}


def test_a_text_of_which_only_its_own_fields_were_stored_has_those() -> None:
    fields = raw_fields(WireText(msg_id="1", content="hi"))
    assert (fields["MsgId"], fields["Content"], "Status" in fields) == ("1", "hi", False)
