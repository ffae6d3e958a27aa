"""ServerChan: titles, Markdown, and its two forms of address."""

from __future__ import annotations

import pytest
from tests.gateway.notify.exchange import TOKEN, post

FORM = {"content-type": "application/x-www-form-urlencoded"}


@pytest.mark.parametrize("target", [f"/{TOKEN}.send", f"/send/{TOKEN}.send", f"/hooks/serverchan/{TOKEN}"])
def test_each_address_reaches_the_receiver(target: str) -> None:
    done = post("serverchan", target, "title=T&desp=%2A%2Ab%2A%2A", headers=FORM)
    assert (done.text, done.json["data"]["errno"]) == ("T\n\nb", 0)


def test_a_get_is_read_from_its_query() -> None:
    assert post("serverchan", f"/{TOKEN}.send?title=T&short=s", method="GET").text == "T\n\ns"


def test_older_clients_call_the_title_text() -> None:
    assert post("serverchan", f"/{TOKEN}.send", "text=T&desp=d", headers=FORM).text == "T\n\nd"
