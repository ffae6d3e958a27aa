"""A shell session that runs the commands of a page, with `webwx` and `python` on the path and no webwx settings."""

from __future__ import annotations

import json
import os
import socket
import subprocess
from contextlib import contextmanager
from typing import TYPE_CHECKING

from tests.docs.pages import OWN_PORT, SERVER, commands, in_background, matches, program

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


class Reader:
    """
    Somebody with an environment and a folder.

    Args:
        bin_folder: Where the environment's commands are.
        home: What is theirs; `folder` in it is where they are.
    """

    def __init__(self, bin_folder: Path, home: Path) -> None:
        from webwx.cli.pictures import jpeg

        own = {
            key: value for key, value in os.environ.items() if not key.startswith(("WEBWX_", "PYTEST_", "PYTHONPATH"))
        }
        self.environment = own | {
            "PATH": os.pathsep.join([str(bin_folder), os.environ["PATH"]]), "WEBWX_HOME": str(home / "home"),
            "WEBWX_CONFIG": str(home / "config.toml"), "PYTHONUTF8": "1", "NO_PROXY": "127.0.0.1",
        }  # fmt: skip
        self.folder = home / "folder"
        self.folder.mkdir()
        (self.folder / "photo.jpg").write_bytes(jpeg())
        self._bin = bin_folder

    @contextmanager
    def sandbox(self) -> Iterator[str]:
        """Start a sandbox that confirms every login, as the pages ask for; gives its address."""
        command = [self._bin / "webwx", "sandbox", "--port", "0", "--auto-confirm", "--json"]
        with subprocess.Popen(command, env=self.environment, stdout=subprocess.PIPE, text=True) as process:
            assert process.stdout is not None
            try:
                yield json.loads(process.stdout.readline())["url"]
            finally:
                process.terminate()

    def runs_python(self, page: Path, server: str) -> None:
        """Run a page's Python."""
        self._run(self._bin / "python", "-W", "error", "-c", program(page).replace(SERVER, server))

    def types(self, page: Path, server: str) -> None:
        """Type a page's commands, and see that they print what it says."""
        # One shell for all, so that a variable set by one command is there for the next; a line parts what they print.
        script = "trap 'kill $(jobs -p) 2> /dev/null || :' EXIT\n"  # a page that fails leaves nothing behind
        for turn, (typed, _) in enumerate(commands(page)):
            line = in_background(typed, self.folder.parent / f"output{turn}") if typed.endswith(" &") else typed
            script += f"{line}\nprintf '\\n<next>\\n'\n"
        own_port = free_port()
        script = script.replace(OWN_PORT, own_port).replace(SERVER, server)  # a port may hold the digits of another
        printed = self._run("bash", "-e", "-o", "pipefail", "-c", script)
        for (typed, expected), output in zip(commands(page), printed.split("\n<next>\n"), strict=False):
            assert matches(expected, output.replace(server, SERVER).replace(own_port, OWN_PORT)), f"$ {typed}\n{output}"

    def _run(self, *command: str | Path) -> str:
        """Run a page's code, as its last argument, and give what it prints."""
        done = subprocess.run(
            command, stdin=subprocess.DEVNULL, env=self.environment, cwd=self.folder, capture_output=True, text=True,
            timeout=150, check=False,
        )  # fmt: skip
        assert done.returncode == 0, f"{command[-1]}\n{done.stdout}\n{done.stderr}"
        return done.stdout


def free_port() -> str:
    """Give a port that nobody listens on."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        return str(listening.getsockname()[1])
