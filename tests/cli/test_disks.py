"""A home folder on a full or read-only disk, which is mounted for the test."""

from __future__ import annotations

import shutil
import subprocess
from typing import TYPE_CHECKING

import pytest
from tests.cli.conftest import WEBWX

if TYPE_CHECKING:
    from tests.cli.conftest import Sandbox, Shell

pytestmark = pytest.mark.verify

MOUNTS = {
    "full": 'mount -t tmpfs -o size=2m,mode=700 none "$2" && cp -a "$1/." "$2/" && ! head -c 3m /dev/zero > "$2/zero"',
    "read-only": 'mount --bind "$1" "$2" && mount -o remount,ro,bind "$2"',
}
AROUND = ("unshare", "--user", "--map-root-user", "--mount")


@pytest.mark.parametrize("disk", MOUNTS)
@pytest.mark.parametrize(
    ("command", "expected"),
    [
        ("status", "Logged in as 小明 (web).\n"),
        ("history", "阿华: remember this\n"),
        ("logout", "Logged out.\n"),
    ],
)
def test_commands_do_what_is_possible_on_a_disk_that_is(
    me: Shell, sandbox: Sandbox, disk: str, command: str, expected: str
) -> None:
    if shutil.which("unshare") is None or subprocess.run([*AROUND, "true"], check=False).returncode != 0:
        pytest.skip("no disk can be mounted here")
    sandbox.say("阿华", "me", "remember this")
    assert me.run("listen", "--count", "1").code == 0
    home = me.settings.home
    mounted = home.with_name("mounted")
    mounted.mkdir()
    script = f'({MOUNTS[disk]}) 2> /dev/null || exit 77; shift 2; exec "$@"'
    done = subprocess.run(
        [*AROUND, "sh", "-c", script, "sh", home, mounted, WEBWX, command],
        env=me.environment | {"WEBWX_HOME": str(mounted)}, capture_output=True, text=True, check=False, timeout=30,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert done.stdout.endswith(expected)
