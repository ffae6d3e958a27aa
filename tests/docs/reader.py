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

    from tests.forks import Forks

PATIENCE = 600.0
"""Time limit in seconds for the code of a page."""


class Reader:
    """
    A user with an environment and a home folder.

    Args:
        bin_folder: Folder with the environment's commands.
        home: Folder of the user, who works in its subfolder `folder`.
        forks: Runs `webwx` and Python instead of the environment's commands.
    """

    def __init__(self, bin_folder: Path, home: Path, forks: Forks | None = None) -> None:
        from webwx.cli.pictures import jpeg

        own = {
            key: value for key, value in os.environ.items() if not key.startswith(("WEBWX_", "PYTEST_", "PYTHONPATH"))
        }
        path = [str(bin_folder), os.environ["PATH"]]
        if forks is not None:
            (home / "forked").mkdir()
            forks.write_command(home / "forked" / "webwx")
            path.insert(0, str(home / "forked"))
        self.environment = own | {
            "PATH": os.pathsep.join(path), "WEBWX_HOME": str(home / "home"),
            "WEBWX_CONFIG": str(home / "config.toml"), "PYTHONUTF8": "1", "NO_PROXY": "127.0.0.1",
        }  # fmt: skip
        self.folder = home / "folder"
        self.folder.mkdir()
        (self.folder / "photo.jpg").write_bytes(jpeg())
        self._bin = bin_folder
        self._forks = forks

    @contextmanager
    def sandbox(self) -> Iterator[str]:
        """Run a sandbox that confirms every login, as the pages require; yields its address."""
        arguments = ["sandbox", "--port", "0", "--auto-confirm", "--json"]
        if self._forks is not None:
            with self._forks.running(arguments, self.environment, PATIENCE) as printed:
                yield json.loads(printed.readline())["url"]
            return
        command = [self._bin / "webwx", *arguments]
        with subprocess.Popen(command, env=self.environment, stdout=subprocess.PIPE, text=True) as process:
            assert process.stdout is not None
            try:
                yield json.loads(process.stdout.readline())["url"]
            finally:
                process.terminate()

    def runs_python(self, page: Path, server: str) -> None:
        """Run the Python program of a page."""
        code = program(page).replace(SERVER, server)
        if self._forks is not None:
            done = self._forks.run_python(code, self.environment, self.folder, PATIENCE)
            assert done.returncode == 0, f"{code}\n{done.stdout.decode()}\n{done.stderr.decode()}"
        else:
            self._run(self._bin / "python", "-W", "error", "-c", code)

    def types(self, page: Path, server: str) -> None:
        """Run the commands of a page, and compare their output with the page."""
        # One shell runs all commands, so that variables stay set; a line separates their output.
        script = "trap 'kill $(jobs -p) 2> /dev/null || :' EXIT\n"  # No process is left after a page that fails.
        for turn, (typed, _) in enumerate(commands(page)):
            line = typed
            if typed.endswith(" &"):
                output = self.folder.parent / f"output{turn}"
                line = in_background(typed, output)
            script += f"{line}\nprintf '\\n<next>\\n'\n"
        own_port = free_port()
        script = script.replace(OWN_PORT, own_port).replace(
            SERVER, server
        )  # A port may contain the digits of another one.
        printed = self._run("bash", "-e", "-o", "pipefail", "-c", script)
        for (typed, expected), output in zip(commands(page), printed.split("\n<next>\n"), strict=False):
            assert matches(expected, output.replace(server, SERVER).replace(own_port, OWN_PORT)), f"$ {typed}\n{output}"

    def _run(self, *command: str | Path) -> str:
        """Run code of a page, which is the last argument, and return its output."""
        done = subprocess.run(
            command, stdin=subprocess.DEVNULL, env=self.environment, cwd=self.folder, capture_output=True, text=True,
            timeout=PATIENCE, check=False,
        )  # fmt: skip
        assert done.returncode == 0, f"{command[-1]}\n{done.stdout}\n{done.stderr}"
        return done.stdout


def free_port() -> str:
    """Return a port that no server uses."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        return str(listening.getsockname()[1])
