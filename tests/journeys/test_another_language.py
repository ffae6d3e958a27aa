"""A program in JavaScript, with nothing but what its runtime brings: it sends, follows events and receives webhooks."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

from tests.journeys.served import PATIENCE, gateway, log_in, program

if TYPE_CHECKING:
    from tests.journeys.served import User

PROGRAM = Path(__file__).with_name("program.mjs")


def test_a_javascript_program_sends_follows_events_and_verifies_webhooks(user: User) -> None:
    log_in(user)
    with gateway(user) as served:
        served.wait_until_online()
        command = [program("node"), str(PROGRAM), served.url, served.key]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as running:
            assert running.stdout is not None
            try:
                ready = json.loads(running.stdout.readline())
                user.write("what is up?")
                heard = json.loads(running.stdout.readline())
                assert running.wait(PATIENCE) == 0
            finally:
                running.kill()
        assert ready == {"state": "sent", "repeated": True, "file": "sent"}
        assert heard == {"stream": "what is up?", "webhook": "what is up?", "is_verified": True}
