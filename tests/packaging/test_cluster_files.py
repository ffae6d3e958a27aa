"""The files with which several workers and front ends are run: the Compose file and the templates of units."""

from __future__ import annotations

import re
import shlex
import shutil
import subprocess
from pathlib import Path
from typing import Any

import click
import msgspec
import pytest
from tests.docs.pages import ROOT, blocks

from webwx.cli import webwx
from webwx.gateway.config import DEFAULT_PORT, GatewayConfig
from webwx.settings import SECRET_FILES

PACKAGING = ROOT / "packaging"

PAGE = ROOT / "docs" / "howto" / "operate-a-cluster.md"

UNITS = ["webwx-worker@.service", "webwx-front@.service"]


def compose() -> Any:
    return msgspec.yaml.decode((PACKAGING / "compose.cluster.yaml").read_bytes())


def nodes(what: str) -> dict[str, Any]:
    """Return the services that run a command of webwx."""
    return {name: each for name, each in compose()["services"].items() if each.get("command", [""])[0] == what}


def parsed(words: list[str]) -> dict[str, Any]:
    """Return the parameters of a command line of webwx; an unknown option is an error."""
    command = webwx.get_command(click.Context(webwx), words[0])
    assert command is not None
    return command.make_context(words[0], words[1:], resilient_parsing=False).params


def command_of(unit: str) -> list[str]:
    """Return the command of a unit, as an instance for port 8800 runs it."""
    (line,) = re.findall(r"^ExecStart=/opt/webwx/bin/webwx (.*)$", (PACKAGING / unit).read_text(), re.MULTILINE)
    return shlex.split(line.replace("%i", "8800").replace("%H", "here"))


# -- Compose -----------------------------------------------------------------------------------------------------------


def test_two_workers_and_two_front_ends_share_one_database() -> None:
    workers, fronts = nodes("worker"), nodes("serve")
    assert (len(workers), len(fronts)) == (2, 2)
    for name, each in {**workers, **fronts}.items():
        parameters = parsed(each["command"])
        assert parameters["address"] == name
        assert each["secrets"] == ["storage", "passphrase"]
        assert {variable for variable in each["environment"] if variable.endswith("_FILE")} <= set(SECRET_FILES)
        assert each["read_only"] is True
        assert each["cap_drop"] == ["ALL"]
        assert each["volumes"] == [f"{name}:/data"]
    assert {parsed(each["command"])["capacity"] for each in fronts.values()} == {0}


def test_only_the_load_balancer_can_be_reached_and_only_it_is_trusted() -> None:
    file = compose()
    services = file["services"]
    assert [name for name, each in services.items() if "ports" in each] == ["caddy"]
    (script,) = [block for block in blocks(PAGE, "sh") if "cat > gateway.toml" in block]
    config = msgspec.toml.decode(script.split("<<'END'\n")[1].split("END\n")[0], type=GatewayConfig)
    config.check()
    assert config.listen.behind_proxy == services["caddy"]["networks"]["inner"]["ipv4_address"]
    assert config.browser_url("") == "https://wx.example.org"
    (upstreams,) = re.findall(r"reverse_proxy (.*) \{", file["configs"]["caddy"]["content"])
    assert upstreams.split() == [f"{name}:{DEFAULT_PORT}" for name in nodes("serve")]


def test_every_secret_volume_and_configuration_is_declared() -> None:
    file = compose()
    services = file["services"].values()
    assert {name for each in services for name in each.get("secrets", [])} == set(file["secrets"])
    assert {volume.partition(":")[0] for each in services for volume in each["volumes"]} == set(file["volumes"])
    assert {each["source"] for service in services for each in service.get("configs", [])} == set(file["configs"])


def test_a_container_with_a_read_only_root_gets_its_secrets_and_its_configuration_from_files() -> None:
    """Docker copies other ones into the container, which it refuses if the root is read-only."""
    file = compose()
    for each in file["services"].values():
        if each.get("read_only"):
            given = [file["secrets"][name] for name in each["secrets"]]
            given += [file["configs"][config["source"]] for config in each["configs"]]
            assert [list(source) for source in given] == [["file"]] * len(given)


# -- systemd -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("unit", UNITS)
def test_the_command_of_a_unit_has_the_options_of_webwx(unit: str) -> None:
    parameters = parsed(command_of(unit))
    assert parameters["address"] == "here"
    assert "8800" in str(parameters.get("listen") or parameters.get("port"))


@pytest.mark.parametrize("unit", UNITS)
def test_secrets_of_a_unit_are_credentials(unit: str) -> None:
    text = (PACKAGING / unit).read_text()
    given = set(re.findall(r"^LoadCredential=(\S+):", text, re.MULTILINE))
    used = dict(re.findall(r"^Environment=(WEBWX_\w+_FILE)=%d/(\S+)$", text, re.MULTILINE))
    assert set(used) <= set(SECRET_FILES)
    assert set(used.values()) == given - {"gateway.toml"}


@pytest.mark.verify
@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd is not installed")
@pytest.mark.parametrize("unit", UNITS)
def test_systemd_accepts_the_template_and_finds_it_safe(unit: str, tmp_path: Path) -> None:
    instance = tmp_path / unit.replace("@", "@8800")
    program = shutil.which("true")
    instance.write_text((PACKAGING / unit).read_text().replace("/opt/webwx/bin/webwx", str(program)))
    verified = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", instance], capture_output=True, text=True, check=False
    )
    assert (verified.returncode, verified.stderr) == (0, "")
    exposed = ["systemd-analyze", "security", "--offline=true", "--threshold=15", "--no-pager", str(instance)]
    checked = subprocess.run(exposed, capture_output=True, text=True, check=False)
    assert checked.returncode == 0, checked.stdout[-3000:]
