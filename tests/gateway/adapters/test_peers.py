"""What programs do at a node: open requests, quotas and errors."""

from __future__ import annotations

from contextlib import ExitStack

import pytest

from webwx.errors import Timeout
from webwx.gateway.adapters.peers import MOST_PEERS, ProgramPeers
from webwx.gateway.problems import GatewayProblem


def test_an_open_request_is_a_peer() -> None:
    peers = ProgramPeers(lambda: 5.0)
    with peers.open("a", "127.0.0.1", "x" * 200), peers.open("a", "127.0.0.1", "other"):
        assert [(each.address, len(each.agent), each.since) for each in peers.of("a").peers] == [
            ("127.0.0.1", 100, 5.0), ("127.0.0.1", 5, 5.0),
        ]  # fmt: skip
    assert (peers.of("a").peers, peers.of("a").last_request_at) == ((), 5.0)


def test_equal_peers_are_counted_each() -> None:
    peers = ProgramPeers(lambda: 5.0)
    with peers.open("a", "127.0.0.1", "same"):
        with peers.open("a", "127.0.0.1", "same"):
            pass
        assert len(peers.of("a").peers) == 1


def test_a_program_has_a_limited_number_of_open_requests() -> None:
    peers = ProgramPeers(lambda: 5.0)
    with ExitStack() as opened:
        for _ in range(MOST_PEERS):
            opened.enter_context(peers.open("a", "127.0.0.1", ""))
        with pytest.raises(GatewayProblem, match=str(MOST_PEERS)), peers.open("a", "127.0.0.1", ""):
            pass
        with peers.open("b", "127.0.0.1", ""):
            pass
    with peers.open("a", "127.0.0.1", ""):
        pass


def test_the_last_error_is_kept_until_the_program_is_deleted() -> None:
    peers = ProgramPeers(lambda: 5.0)
    peers.note_error("a", Timeout("No answer."), "No answer.")
    noted = peers.of("a")
    assert (noted.last_error, noted.last_error_code, noted.last_error_at) == ("No answer.", "timeout", 5.0)
    peers.forget("a")
    assert peers.of("a").last_error == ""
