"""The animation of the README, compared with a new run."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from scripts.animation import TARGET, Shown, check, draw, record

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.verify
@pytest.mark.timeout(180)
def test_the_animation_shows_what_a_run_shows_now(tmp_path: Path) -> None:
    assert draw(record(tmp_path)) == TARGET.read_text(encoding="utf-8"), "run `python -m scripts.animation`"


def test_the_animation_needs_no_other_host() -> None:
    text = TARGET.read_text(encoding="utf-8")
    assert text.count("://") == text.count('xmlns="http://') == 1
    assert len(text) < 5_000


def test_a_message_that_the_phone_does_not_show_is_found() -> None:
    shown = [Shown("friend", "a", 0), Shown("bot", "b", 0)]
    check({"chats": [{"messages": [{"text": "x"}, {"text": "a"}, {"text": "b"}]}]}, shown)
    with pytest.raises(SystemExit, match="and not"):
        check({"chats": [{"messages": [{"text": "a"}, {"text": "b"}, {"text": "b"}]}]}, shown)
