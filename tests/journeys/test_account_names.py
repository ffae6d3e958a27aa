"""Everything that works with the account `default` works with one account of another name."""

from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING

from tests.journeys.served import PATIENCE, gateway, log_in

if TYPE_CHECKING:
    from tests.journeys.served import User


def test_the_only_account_needs_no_name(user: User) -> None:
    log_in(user, "work")
    pushed = user.run("push", "disk at 95 %", "--title", "db1")
    assert pushed.code == 0, pushed
    with gateway(user) as served:
        served.wait_until_online()
        made = user.run("serve", "receiver", "create", "--name", "phone", "--kind", "ntfy")
        assert made.code == 0, made
        address = made.stdout.strip().replace("http://127.0.0.1:8791", served.url)
        subprocess.run(["curl", "--silent", "--fail", "--data", "from ntfy", address], check=True, timeout=PATIENCE)
        sent = served.curl("/api/v1/notify", "--data", "from a key")
        assert sent.status == 201, sent
        shown = user.shown()
    assert any("disk at 95 %" in text for text in shown)
    assert {"from ntfy", "from a key"} <= set(shown)
