"""A served gateway with one account of a sandbox, as processes."""

from __future__ import annotations

import json
import os
import subprocess
from contextlib import contextmanager
from typing import TYPE_CHECKING, NamedTuple

from tests.interop.processes import WEBWX

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


class Served(NamedTuple):
    """The addresses of a gateway and its sandbox."""

    url: str
    key: str
    """A key with all scopes."""
    control: str
    """Address of the phones of the sandbox."""


@contextmanager
def started(*arguments: str, environment: dict[str, str]) -> Iterator[dict[str, str]]:
    """Start a command that runs until it is stopped; yield its first line."""
    command: list[str | Path] = [WEBWX, *arguments, "--port", "0", "--json"]
    with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            yield json.loads(process.stdout.readline())
        finally:
            process.terminate()


@contextmanager
def served_gateway(folder: Path) -> Iterator[Served]:
    """Serve a gateway with one account, that is logged in, and without a limit of requests."""
    environment = {**os.environ, "WEBWX_HOME": str(folder)}
    (folder / "gateway.toml").write_text("[limits]\nrequests_per_minute = 0\n")
    create: list[str | Path] = [WEBWX, "serve", "key", "create", "--name", "test", "--scopes", "admin", "--json"]
    with started("sandbox", "--auto-confirm", environment=environment) as sandbox:
        environment["WEBWX_SERVER"] = sandbox["url"]
        subprocess.run([WEBWX, "login"], env=environment, capture_output=True, check=True)
        key = json.loads(subprocess.run(create, env=environment, capture_output=True, check=True).stdout)["key"]
        with started("serve", environment=environment) as gateway:
            yield Served(gateway["url"], key, sandbox["control"])
