"""A thousand notifications, read back page by page."""

from __future__ import annotations

import http.client
import json
from typing import TYPE_CHECKING

from tests.journeys.served import PATIENCE, ServedGateway, gateway, log_in

if TYPE_CHECKING:
    from tests.journeys.served import User

COUNT = 1_000
SETTINGS = "[limits]\nrequests_per_minute = 0\n"


def notify(served: ServedGateway, texts: list[str]) -> None:
    """Send notifications as a program does that keeps its connection."""
    connection = http.client.HTTPConnection("127.0.0.1", served.port, timeout=PATIENCE)
    for text in texts:
        connection.request("POST", "/api/v1/notify", text, {"Authorization": f"Bearer {served.key}"})
        answer = connection.getresponse()
        assert (answer.status, json.loads(answer.read())["state"]) == (201, "sent")
    connection.close()


def read_back(served: ServedGateway) -> list[str]:
    """Read all pages of the chat, and return its texts, the oldest first."""
    texts: list[str] = []
    before = ""
    while True:
        page = served.get(f"/accounts/1/messages?chat=filehelper{before}")
        for entry in page["entries"]:
            shown = entry["event"]["data"] if entry["event"] else entry["send"]
            texts.append(shown["text"])
        if page["before"] is None:
            return texts[::-1]
        before = f"&before={page['before']}"


def test_a_thousand_notifications_are_read_back_each_once_with_what_the_phone_wrote(user: User) -> None:
    user.environment["WEBWX_RATE_LIMIT"] = "off"
    log_in(user)
    with gateway(user, SETTINGS) as served:
        served.wait_until_online()
        texts = [f"notification {number}" for number in range(COUNT)]
        with served.event_stream("/events/stream?types=message.text") as lines:
            next(line for line in lines if not line.strip() or line.startswith(":"))  # the stream is open
            notify(served, texts[: COUNT // 2])
            user.write("half of them")
            next(line for line in lines if "half of them" in line)
        notify(served, texts[COUNT // 2 :])
        read = read_back(served)
        # The platform's times are whole seconds, so the phone's text may stand before those of its second.
        assert read.index("half of them") <= COUNT // 2
        read.remove("half of them")
        assert texts == read
