"""The four reference requests on the wire: every recorded header, path and body."""

from __future__ import annotations

import msgspec
import pytest
from tests.carriers import ScriptedTransport, at_once
from tests.recording import read_request
from tests.reference_requests import FOUR
from tests.saved import LOGIN, NOW

from webwx.transport.runner import USER_AGENT, SessionState, run_async


@pytest.mark.parametrize("name", FOUR)
async def test_the_request_equals_its_recording(name: str) -> None:
    recorded = read_request(f"requests/{name}")
    make_flow, answer = FOUR[name]
    transport = ScriptedTransport(answer)
    await run_async(make_flow(), transport, SessionState(LOGIN, lambda: NOW, recorded.header("User-Agent")), at_once)
    [sent] = transport.requests

    # The HTTP library writes the host name.
    assert sorted(sent.headers) == sorted(header for header in recorded.headers if header[0] != "Host")
    assert (sent.method, sent.url) == (recorded.method, recorded.url)
    assert sent.content == msgspec.json.format(recorded.content, indent=-1)


def test_the_user_agent_is_that_of_a_browser() -> None:
    assert USER_AGENT.startswith("Mozilla/5.0 (")
