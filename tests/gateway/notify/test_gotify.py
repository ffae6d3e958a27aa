"""Gotify: extras, forms, and where the token may be."""

from __future__ import annotations

import pytest
from tests.gateway.notify.exchange import TOKEN, post


@pytest.mark.parametrize(
    ("target", "headers"),
    [
        (f"/message?token={TOKEN}", {}),
        ("/message", {"x-gotify-key": TOKEN}),
        ("/message", {"authorization": f"Bearer {TOKEN}"}),
        (f"/hooks/gotify/{TOKEN}/message", {}),
    ],
)
def test_the_token_may_be_in_any_of_four_places(target: str, headers: dict[str, str]) -> None:
    assert post("gotify", target, {"message": "m"}, headers=headers).answer.status == 200


def test_the_answer_repeats_the_message() -> None:
    done = post("gotify", f"/message?token={TOKEN}", {"message": "m", "title": "T", "priority": 5})
    assert done.text == "T\n\nm"
    assert done.json == {
        "id": 7, "appid": 1, "message": "m", "title": "T", "priority": 5, "date": "2026-11-28T00:40:21Z",
    }  # fmt: skip


def test_extras_are_read() -> None:
    extras = {
        "client::display": {"contentType": "text/markdown"},
        "client::notification": {"click": {"url": "https://x.example"}},
    }
    body = {"message": "**m**", "extras": extras}
    assert post("gotify", f"/message?token={TOKEN}", body).text == "m\nhttps://x.example"


def test_a_form_is_read() -> None:
    headers = {"content-type": "application/x-www-form-urlencoded"}
    assert post("gotify", f"/message?token={TOKEN}", "message=m&title=T&priority=x", headers=headers).text == "T\n\nm"


def test_version_and_health_need_no_token() -> None:
    assert set(post("gotify", "/version", method="GET").json) == {"version", "commit", "buildDate"}
    assert post("gotify", "/health", method="GET").json == {"health": "green", "database": "green"}
