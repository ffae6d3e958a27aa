"""Bare environments in which the packages are tried: one for each Python and extra."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

PYTHONS = ("3.11", "3.12", "3.13")
"""Versions of Python that a release is tried with; the classifiers of the package name the same."""

NOT_RUN = "3.14"
"""Version of Python for which only the dependencies are resolved."""

PROBES = {
    "": "import webwx; [getattr(webwx, name) for name in webwx.__all__]",
    "crypto": "from webwx.storage.encryption import LoginCipher; LoginCipher('three words long').encrypt(b'{}')",
    "keyring": """if True:
        import keyring.backend
        from webwx.storage.encryption import LoginCipher
        from webwx.storage.passphrase import KeyringPassphrase
        class Memory(keyring.backend.KeyringBackend, dict):
            priority = 1
            def get_password(self, service, username): return self.get(username)
            def set_password(self, service, username, password): self[username] = password
            def delete_password(self, service, username): del self[username]
        keyring.set_keyring(Memory())
        LoginCipher(KeyringPassphrase("me")).encrypt(b"{}")
        """,
    "speed": "import asyncio; from webwx.bot.loop import run_long\n"
    "async def loop(): return type(asyncio.get_running_loop()).__module__\n"
    "assert run_long(loop()) in ('uvloop', 'winloop')",
    "tls": "from webwx.sandbox.tls import Authority; Authority(['wx.qq.com'])",
    "cron": "from webwx.bot.schedules import Cron; Cron('0 9 * * 1-5', None)",
    "metrics": "from webwx.bot.metrics import Metrics; [*Metrics().collect()]",
    "pictures": "from webwx.sandbox.pictures import as_jpeg, avatar; assert as_jpeg(avatar('me'))[:2] == b'\\xff\\xd8'",
    "mcp": "from webwx.gateway.adapters.mcp.stdio import serve_stdio",
    "postgres": "from webwx.storage.open import open_storage; open_storage('postgresql:///webwx')",
    "gateway": "from webwx.gateway.app import route_table; assert len(route_table(1000).routes) > 90",
}
"""A program for each extra that does what the extra is for, and one for the package without extras."""


class Environment(NamedTuple):
    """An environment, and what is installed in it."""

    folder: Path
    extras: str
    """Names of the extras, separated by commas."""

    def run(self, *command: str) -> str:
        """
        Run a command of the environment outside of the checkout, and return its output.

        Raises:
            SystemExit: It failed.
        """
        kept = {key: value for key, value in os.environ.items() if not key.startswith(("WEBWX_", "PYTHON", "VIRTUAL"))}
        environment = kept | {"WEBWX_HOME": str(self.folder / "home"), "PYTHONUTF8": "1"}
        return run(str(self.folder / "bin" / command[0]), *command[1:], folder=self.folder, environment=environment)

    def probe(self) -> None:
        """Use each installed extra."""
        for extra in ("", *filter(None, self.extras.split(","))):
            self.run("python", "-W", "error", "-c", PROBES[extra])

    def size(self) -> int:
        """Return the bytes of all installed files, without those that Python compiles later."""
        return sum(
            path.stat().st_size for path in (self.folder / "lib").rglob("*") if path.is_file() and path.suffix != ".pyc"
        )


def find_python(version: str) -> str | None:
    """Return the path of a Python of this version, such as `3.12`; pyenv's are found although they are not on PATH."""
    named = shutil.which(f"python{version}")
    pyenv = Path(os.environ.get("PYENV_ROOT") or Path.home() / ".pyenv") / "versions"
    found = [named or "", f"/usr/bin/python{version}", *map(str, sorted(pyenv.glob(f"{version}.*/bin/python")))]
    asks = "import sys; print(f'{sys.version_info[0]}.{sys.version_info[1]}', end='')"
    for each in filter(None, (sys.executable, *found)):
        if Path(each).exists():
            asked = subprocess.run([each, "-c", asks], capture_output=True, text=True, check=False)  # noqa: S603
            if asked.stdout == version:
                return each
    return None


def make(folder: Path, python: str, wheel: Path, extras: str, *options: str) -> Environment:
    """
    Make an environment with the wheel and some extras.

    Args:
        folder: Folder of the environment.
        python: The Python that it is made with.
        wheel: The wheel of the package.
        extras: Names of extras, separated by commas.
        options: Further options of `uv pip install`.
    """
    run(uv(), "venv", "--quiet", "--no-project", "--clear", "--python", python, str(folder))
    wanted = f"webwx[{extras}] @ {wheel.as_uri()}" if extras else str(wheel)
    run(uv(), "pip", "install", "--quiet", "--python", str(folder), "--only-binary", ":all:", *options, wanted)
    return Environment(folder, extras)


def uv() -> str:
    """Return the path of uv, which is in the project's own environment unless it is on PATH."""
    return shutil.which("uv") or tool("uv")


def tool(name: str) -> str:
    """Return the path of a tool in the project's own environment."""
    return str(Path(sys.executable).with_name(name))


def run(*command: str, folder: Path | None = None, environment: dict[str, str] | None = None) -> str:
    """
    Run a command, and return its output.

    Raises:
        SystemExit: It failed; the text has what it wrote.
    """
    done = subprocess.run(  # noqa: S603 - tools of the project
        command, cwd=folder, env=environment, capture_output=True, text=True, stdin=subprocess.DEVNULL, check=False
    )
    if done.returncode:
        raise SystemExit(f"{' '.join(command)} ended with {done.returncode}:\n{done.stdout}{done.stderr}")
    return done.stdout
