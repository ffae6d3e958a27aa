"""Events of the API become the events of the library again, without what never leaves the gateway."""

from __future__ import annotations

import msgspec
import pytest
from tests.hidden_fields import EVENTS, is_hidden
from tests.samples import sample

from webwx.errors import ProtocolError
from webwx.gateway.accounts.account_events import AccountEvent
from webwx.gateway.views import view_of_event
from webwx.model.messages import Event, MessageRecalled, Quoted, QuoteMessage, TextMessage, TextQuoteMessage
from webwx.representations.events import EventView, event_of, fields_of


def over_the_wire(event: Event) -> Event:
    shown = msgspec.json.encode(view_of_event(AccountEvent(account=1, event=event)))
    return event_of(msgspec.json.decode(shown, type=EventView))


@pytest.mark.parametrize("kind", EVENTS, ids=lambda kind: kind.__name__)
def test_every_event_comes_back_with_its_hidden_fields_empty(kind: type[Event]) -> None:
    event = sample(kind, lambda _name: "x")
    back = over_the_wire(event)
    assert type(back) is kind
    assert fields_of(back) == fields_of(event)
    assert all(not getattr(back, name) for name in kind.__struct_fields__ if is_hidden(kind, name))


def test_a_recalled_message_comes_back_with_its_original() -> None:
    original = sample(TextMessage, lambda name: "x")
    recall = MessageRecalled(
        message_id="1", chat=original.chat, is_self=False, time=7, text="recalled", content="", original=original
    )
    back = over_the_wire(recall)
    assert isinstance(back, MessageRecalled)
    assert back.original == msgspec.structs.replace(original, content="")


def test_a_quote_in_a_text_comes_back_with_its_whole_text() -> None:
    quote = sample(TextQuoteMessage, lambda name: "x")
    back = over_the_wire(msgspec.structs.replace(quote, quoted=Quoted(sender_name="张三", text="原文", content="")))

    assert isinstance(back, TextQuoteMessage)
    assert back.whole_text == "「张三：原文」\n- - - - - - - - - - - - - - -\nx"


def test_a_quote_that_names_no_message_comes_back_as_its_own_kind() -> None:
    nothing = Quoted(sender_name="", text="", content="")
    back = over_the_wire(msgspec.structs.replace(sample(QuoteMessage), quoted=nothing))
    assert type(back) is QuoteMessage


def test_a_quote_without_a_quoted_message_is_refused() -> None:
    view = view_of_event(AccountEvent(account=1, event=sample(QuoteMessage)))
    with pytest.raises(ProtocolError):
        event_of(msgspec.structs.replace(view, data={**view.data, "quoted": "x"}))


def test_a_quoted_message_is_described_without_its_content() -> None:
    content = (
        "<msg><appmsg><title>a.pdf</title><type>6</type><appattach><totallen>9</totallen></appattach></appmsg></msg>"
    )
    quoted = Quoted(sender_name="张三", message_type=49, text="a.pdf", content=content)
    reply = msgspec.structs.replace(sample(QuoteMessage), text="好", quoted=quoted)
    view = view_of_event(AccountEvent(account=1, event=reply))

    assert view.summary.en == "好 [in reply to 张三: [file, 9 bytes] a.pdf]"
    assert view.summary.zh == "好 [回复张三：[文件，9 字节] a.pdf]"
    assert view.data["quoted"]["summary"] == {"en": "[file, 9 bytes] a.pdf", "zh": "[文件，9 字节] a.pdf"}
    assert "content" not in view.data["quoted"]


def test_an_event_of_a_later_version_is_named() -> None:
    view = view_of_event(AccountEvent(account=1, event=sample(TextMessage)))
    with pytest.raises(ProtocolError, match="hologram"):
        event_of(msgspec.structs.replace(view, type="message.hologram"))
