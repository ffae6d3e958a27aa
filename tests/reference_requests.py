"""The four reference requests as flows, each with an answer, by the name of its recording."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec
from tests.flows.drive import reply
from tests.recording import read_request
from tests.saved import LOGIN, NOW

from webwx.flows import messages as flows
from webwx.model.contacts import ContactId
from webwx.model.messages import Receipt
from webwx.protocol.messages import IMAGE, RECALL, STATUSNOTIFY, TEXT

if TYPE_CHECKING:
    from collections.abc import Callable

    from webwx.flows.call import Flow
    from webwx.protocol.http import Response

FRIEND = ContactId("@77aa88bb99cc00dd")

RECEIPT = Receipt(message_id="2900000000000000001", client_id="15600000001230456", chat=FRIEND, time=NOW)

PICTURE: str = msgspec.json.decode(read_request("requests/forward_recalled_image").content)["Msg"]["Content"]
"""The XML of the recalled picture."""

FOUR: dict[str, tuple[Callable[[], Flow[Any]], Response]] = {
    "send_text": (lambda: flows.send_text(LOGIN, FRIEND, "hello 你好😀", "15600000001230456"), reply(TEXT)),
    "mark_read": (lambda: flows.mark_read(LOGIN, FRIEND, NOW), reply(STATUSNOTIFY)),
    "recall": (lambda: flows.recall(LOGIN, RECEIPT), reply(RECALL)),
    "forward_recalled_image": (
        lambda: flows.forward_image(LOGIN, "filehelper", PICTURE, "15600000001230457"), reply(IMAGE),
    ),
}  # fmt: skip
