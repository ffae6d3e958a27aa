"""The table of sends that have waited for their owner."""

from __future__ import annotations

from webwx.cli.gateway.pending_sends import content_of
from webwx.gateway.adapters.confirmation import Confirmation


def send(**values: str) -> Confirmation:
    named = {"id": "1", "program": "p", "code": "4711", "key": "k", "to": "阿华", "name": "阿华", "digest": "d"}
    return Confirmation(**named, account=1, is_group=False, kind="file", size=3, created_at=0, **values)  # type: ignore[arg-type]


def test_a_send_shows_its_file_and_its_text() -> None:
    assert content_of(send(file="a.txt", text="the file")) == "a.txt  the file"


def test_the_reason_of_a_failure_stands_before_the_content_which_may_be_cut() -> None:
    failed = send(file="a.txt", text="", state="failed", error="contact_not_found")

    assert content_of(failed) == f"[{failed.failure.text}]  a.txt"
    assert failed.failure.text
