"""
The peer: itchat-uos as it comes from PyPI, used by its public functions and its configuration.

It keeps its connections, which is the best it offers. Its environment says whom to trust, and `actor.py` takes stdout
away from it, to which it writes when it is imported.
"""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

    from benchmarks.case import Run


def log_in(run: Run, core: Any = None, on_code: Callable[[], object] = lambda: None) -> Any:
    """Log in, and return the peer's client; `on_code` is called when the code is shown."""
    os.environ["REQUESTS_CA_BUNDLE"] = run.ca_file
    import itchat

    itchat.config.BASE_URL = run.url
    core = core or itchat.originInstance

    def show(uuid: str, status: str, qrcode: bytes) -> None:
        del uuid, qrcode
        if status == "0":
            on_code()

    core.auto_login(qrCallback=show, loginCallback=lambda: None, exitCallback=lambda: None)
    assert core.alive
    return core


def wait_for(is_done: Callable[[], bool]) -> None:
    """Wait for the work of its threads."""
    while not is_done():
        time.sleep(0.0005)
