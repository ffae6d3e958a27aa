"""One gateway for each folder, and how other commands find it."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from webwx.errors import AlreadyRunning
from webwx.gateway.running import RunningGateway, claim, find_running

if TYPE_CHECKING:
    from pathlib import Path

URL = "http://127.0.0.1:8791"

BROWSER_URL = "https://wx.example.org"


def test_a_running_gateway_is_found_until_it_ends(tmp_path: Path) -> None:
    assert find_running(tmp_path) is None
    with claim(tmp_path, URL, BROWSER_URL):
        assert find_running(tmp_path) == RunningGateway(pid=os.getpid(), url=URL, browser_url=BROWSER_URL)
    assert find_running(tmp_path) is None


def test_a_second_gateway_of_a_folder_is_refused_with_the_address_of_the_first(tmp_path: Path) -> None:
    with claim(tmp_path, URL, BROWSER_URL):
        with pytest.raises(AlreadyRunning, match=URL), claim(tmp_path, "http://127.0.0.1:1", ""):
            pass
        assert find_running(tmp_path) is not None
