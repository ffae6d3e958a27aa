"""The files with which the gateway is run: the Dockerfile carried out step by step, the Compose file, the unit."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
import pytest
from tests.docs.pages import blocks
from tests.interop.namespaces import LOOPBACK_UP
from tests.packaging.image import Image, build, debian, steps_of

from webwx.gateway.config import DEFAULT_PORT, GatewayConfig

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).parents[2]

PACKAGING = ROOT / "packaging"

PATIENCE = 60.0

READ_ONLY = 'mount -o remount,bind,ro "$ROOT"\nmount -t tmpfs none "$ROOT/tmp"\nmount --bind "{data}" "$ROOT/data"'
"""What `--read-only --tmpfs /tmp --volume …:/data` does."""

ASK = """
import sys, urllib.request
headers = {"Authorization": f"Bearer {sys.argv[1]}"}
print(urllib.request.urlopen(urllib.request.Request("http://127.0.0.1:8791/api/v1/accounts", headers=headers)).status)
"""


class Container:
    """The image's process, in a network of its own, with a read-only root and a volume."""

    def __init__(self, image: Image, process: subprocess.Popen[str]) -> None:
        self._image = image
        self._process = process

    def link(self) -> str:
        """Return the first line with a link for a browser."""
        assert self._process.stdout is not None
        return next(line for line in self._process.stdout if "/#code=" in line)

    def run(self, *command: str) -> subprocess.CompletedProcess[str]:
        """Run a command beside it, as `docker exec` does."""
        image = self._image
        variables = [f"{name}={value}" for name, value in image.environment.items()]
        change = ["chroot", f"--userspec={image.user}", "--groups=", str(image.root), "env", "-i", *variables]
        enter = ["nsenter", "--target", str(self._process.pid), "--mount", "--net", *change]
        return subprocess.run([*enter, *command], capture_output=True, text=True, check=False, timeout=PATIENCE)

    def stop(self) -> int:
        """Stop it as `docker stop` does, and return its exit code."""
        self._process.send_signal(signal.SIGTERM)
        self._process.communicate(timeout=PATIENCE)
        return self._process.returncode


@contextlib.contextmanager
def running(image: Image, data: Path) -> Iterator[Container]:
    """Run an image with a volume, as `docker run --read-only` does."""
    inside = image.enter([*image.entrypoint, *image.command], mounts=READ_ONLY.format(data=data))
    own_network = ["unshare", "--mount", "--net", sys.executable, "-c", LOOPBACK_UP, "/bin/sh", *inside[1:]]
    with subprocess.Popen(own_network, stdout=subprocess.PIPE, text=True) as process:
        try:
            yield Container(image, process)
        finally:
            process.kill()


@pytest.mark.verify
@pytest.mark.timeout(900)
@pytest.mark.skipif(shutil.which("debootstrap") is None, reason="debootstrap is not installed")
@pytest.mark.skipif(os.name != "posix" or os.geteuid() != 0, reason="a root of its own needs root")
def test_the_steps_of_the_dockerfile_make_a_gateway_that_needs_only_its_volume(tmp_path: Path) -> None:
    debian(tmp_path / "base")
    image = build(PACKAGING / "Dockerfile", ROOT, tmp_path / "base", tmp_path)
    assert image.user.split(":")[0] != "0"
    assert (image.volumes, image.ports) == (["/data"], [str(DEFAULT_PORT)])
    data = tmp_path / "data"
    subprocess.run(["cp", "--archive", image.root / "data", data], check=True)

    with running(image, data) as container:
        assert "http://127.0.0.1:8791/#code=" in container.link()
        assert container.run(*image.health).returncode == 0
        assert container.run("sh", "-c", "touch /opt/file || touch /root/file").returncode != 0
        key = container.run("webwx", "serve", "key", "create", "--name", "test", "--scopes", "read").stdout.strip()
        assert container.stop() == 0
    with running(image, data) as container:
        assert container.link()
        assert container.run("python", "-c", ASK, key).stdout == "200\n"
        assert container.stop() == 0
    owner = int(image.user.split(":")[0])
    assert {path.stat().st_uid for path in (data, *data.rglob("*"))} == {owner}


def test_no_step_of_the_dockerfile_is_unknown() -> None:
    known = {
        "FROM", "COPY", "RUN", "ENV", "USER", "WORKDIR", "VOLUME", "EXPOSE", "STOPSIGNAL", "HEALTHCHECK", "ENTRYPOINT",
        "CMD",
    }  # fmt: skip
    assert {step.instruction for step in steps_of(PACKAGING / "Dockerfile")} == known


def compose() -> Any:
    return msgspec.yaml.decode((PACKAGING / "compose.yaml").read_bytes())


def test_in_the_compose_file_only_the_proxy_can_be_reached_and_only_it_is_trusted() -> None:
    services = compose()["services"]
    (script,) = [block for block in blocks(ROOT / "docs/howto/run-the-gateway.md", "sh") if "gateway.toml <<" in block]
    config = msgspec.toml.decode(script.split("<<'END'\n")[1].split("END\n")[0], type=GatewayConfig)
    config.check()

    assert config.listen.behind_proxy == services["caddy"]["networks"]["inner"]["ipv4_address"]
    assert config.browser_url("") == "https://wx.example.org"
    assert "ports" not in services["webwx"]
    assert services["webwx"]["read_only"] is True
    assert list(compose()["configs"]["gateway"]) == ["file"], "Docker cannot copy a file into a read-only root"
    assert services["webwx"]["cap_drop"] == ["ALL"]
    assert f"webwx:{DEFAULT_PORT}" in services["caddy"]["command"]


def test_the_dockerfile_copies_nothing_that_its_ignore_file_leaves_out() -> None:
    kept = {line[1:] for line in (PACKAGING / "Dockerfile.dockerignore").read_text().splitlines() if line[:1] == "!"}
    copied = {
        name
        for step in steps_of(PACKAGING / "Dockerfile")
        if step.instruction == "COPY" and not step.argument.startswith("--from")
        for name in step.argument.split()[:-1]
    }
    assert copied == kept


# -- systemd -----------------------------------------------------------------------------------------------------------


@pytest.mark.verify
@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd is not installed")
def test_systemd_accepts_the_unit_and_finds_it_safe(tmp_path: Path) -> None:
    unit = tmp_path / "webwx.service"
    program = shutil.which("true")
    unit.write_text((PACKAGING / "webwx.service").read_text().replace("/opt/webwx/bin/webwx", str(program)))
    verified = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", unit], capture_output=True, text=True, check=False
    )
    assert (verified.returncode, verified.stderr) == (0, "")
    exposed = ["systemd-analyze", "security", "--offline=true", "--threshold=15", "--no-pager", str(unit)]
    checked = subprocess.run(exposed, capture_output=True, text=True, check=False)
    assert checked.returncode == 0, checked.stdout[-3000:]
