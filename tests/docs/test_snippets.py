"""Every snippet of the README and of the documentation, run as a reader would: against a sandbox on a port."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from tests.docs.pages import OWN_PORT, PAGES, ROOT, SERVER, blocks, commands, in_background, matches, name, program

if TYPE_CHECKING:
    from collections.abc import Iterator

BIN = Path(sys.executable).parent
WEBWX = BIN / "webwx"


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    """What a reader has: `webwx` and `python` on the path, nothing of webwx set."""
    own = {key: value for key, value in os.environ.items() if not key.startswith("WEBWX_")}
    path = os.pathsep.join([str(BIN), os.environ["PATH"]])
    return (
        own
        | {"PATH": path, "WEBWX_HOME": str(tmp_path / "home"), "PYTHONUTF8": "1", "NO_PROXY": "127.0.0.1"}
        | {"WEBWX_CONFIG": str(tmp_path / "config.toml")}
    )


@pytest.fixture
def server(environment: dict[str, str]) -> Iterator[str]:
    """A sandbox that confirms every login, as the pages ask for."""
    command = [WEBWX, "sandbox", "--port", "0", "--auto-confirm", "--json"]
    with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            yield json.loads(process.stdout.readline())["url"]
        finally:
            process.terminate()


def free_port() -> str:
    """Give a port that nobody listens on."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        return str(listening.getsockname()[1])


def run(*command: str | Path, environment: dict[str, str], folder: Path) -> str:
    """Run a page's code, as its last argument, and give what it prints."""
    done = subprocess.run(
        command, stdin=subprocess.DEVNULL, env=environment, cwd=folder, capture_output=True, text=True, timeout=150,
        check=False,
    )  # fmt: skip
    assert done.returncode == 0, f"{command[-1]}\n{done.stdout}\n{done.stderr}"
    return done.stdout


@pytest.mark.parametrize("page", [page for page in PAGES if blocks(page, "python")], ids=name)
def test_the_python_of_a_page_runs(page: Path, server: str, environment: dict[str, str], picture: Path) -> None:
    code = program(page).replace(SERVER, server)
    run(sys.executable, "-W", "error", "-c", code, environment=environment, folder=picture.parent)


@pytest.mark.timeout(180)  # a tutorial starts many processes, one after the other
@pytest.mark.parametrize("page", [page for page in PAGES if blocks(page, "console")], ids=name)
def test_the_commands_of_a_page_print_what_it_says(
    page: Path, server: str, environment: dict[str, str], picture: Path
) -> None:
    # One shell for all, so that a variable set by one command is there for the next; a line parts what they print.
    script = "trap 'kill $(jobs -p) 2> /dev/null || :' EXIT\n"  # a page that fails leaves nothing behind
    for turn, (typed, _) in enumerate(commands(page)):
        line = in_background(typed, picture.parents[1] / f"output{turn}") if typed.endswith(" &") else typed
        script += f"{line}\nprintf '\\n<next>\\n'\n"
    own_port = free_port()
    script = script.replace(SERVER, server).replace(OWN_PORT, own_port)
    printed = run("bash", "-e", "-o", "pipefail", "-c", script, environment=environment, folder=picture.parent)
    for (typed, expected), output in zip(commands(page), printed.split("\n<next>\n"), strict=False):
        assert matches(expected, output.replace(server, SERVER).replace(own_port, OWN_PORT)), f"$ {typed}\n{output}"


@pytest.fixture
def picture(tmp_path: Path) -> Path:
    """A `photo.jpg` in the reader's folder."""
    from webwx.cli.pictures import jpeg

    path = tmp_path / "folder" / "photo.jpg"
    path.parent.mkdir()
    path.write_bytes(jpeg())
    return path


def test_the_first_screen_of_the_readme_has_a_program() -> None:
    assert blocks(ROOT / "README.md", "python") != []
    assert blocks(ROOT / "README.zh.md", "python") != []
