"""The fields of a delivered item are decoded from whatever was kept of it."""

from __future__ import annotations

import gc
import sys

import msgspec
import pytest

from webwx.model.raw_fields import TextAnswer, raw_fields
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


@pytest.mark.parametrize("is_packed", [False, True])
def test_a_text_has_the_fields_of_its_place_in_an_answer(*, is_packed: bool) -> None:
    answer = TextAnswer(
        b'{"AddMsgList":[{"MsgId":"1","Content":"a","Status":3},{"MsgId":"1","Content":"b","Status":4}]}'
    )
    first, second, other = (WireText(msg_id="1", content=content) for content in "abc")
    if is_packed:
        answer.pack()

    for _ in range(2):
        assert raw_fields(first, answer) == {"MsgId": "1", "Content": "a", "Status": 3}
        assert raw_fields(second, answer) == {"MsgId": "1", "Content": "b", "Status": 4}
        assert raw_fields(other, answer) == raw_fields(other)


@pytest.mark.parametrize("is_read", [False, True])
def test_a_packed_answer_takes_a_fifth_of_its_memory(*, is_read: bool) -> None:
    text = WireText(msg_id="1", content="hi")
    raw = msgspec.Raw(b'{"MsgId":"1","Content":"hi","Ticket":"%s"}' % (b"-" * 1_000))
    answer = TextAnswer.of([raw] * 100)
    if is_read:
        assert raw_fields(text, answer)["Ticket"] == "-" * 1_000
    answer.pack()
    raw_fields(text, answer)

    assert sum(map(sys.getsizeof, gc.get_referents(answer))) < 20_000
