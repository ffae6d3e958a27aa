"""A message that a command sends beside the gateway appears in what follows the gateway."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from tests.journeys.served import gateway, log_in

if TYPE_CHECKING:
    from tests.journeys.served import User


def test_a_message_of_a_command_beside_the_gateway_appears_live(user: User) -> None:
    log_in(user)
    with gateway(user) as served:
        served.wait_until_online()
        with served.event_stream("/events/stream?types=send.changed") as lines:
            next(lines)  # the stream has begun
            pushed = user.run("push", "disk at 95 %")
            assert pushed.code == 0, pushed
            for line in lines:
                if line.startswith("data:") and (send := json.loads(line[5:])["send"])["state"] == "sent":
                    assert "disk at 95 %" in send["text"]
                    break
            else:
                raise AssertionError("The stream has ended.")
