"""`webwx sandbox --tls --port 443` in a namespace, so that the port is not visible elsewhere."""

from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import pytest
from tests.interop.namespaces import Place, can_be_made
from tests.interop.phones import Phones
from tests.interop.processes import PATIENCE, WEBWX, Lines

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

pytestmark = pytest.mark.verify

CODE = "https://login.weixin.qq.com/jslogin?appid=wx782c26e4c19acffb"
LOOPBACK = "0100007F"


@pytest.fixture
def place(start: Callable[..., Lines], environment: dict[str, str], tmp_path: Path) -> Place:
    if not can_be_made():
        pytest.skip("no namespace can be made here")
    return Place(start, tmp_path)


def test_the_first_line_has_the_addresses_for_a_client(place: Place) -> None:
    access = place.access
    assert {"url", "control", "accounts", "ca", "proxy", "hosts"} <= access.keys()
    assert {"127.0.0.1 wx.qq.com", "127.0.0.1 file.wx2.qq.com", "127.0.0.1 login.weixin.qq.com"} < set(access["hosts"])
    assert access["proxy"] == access["url"]
    assert urlsplit(access["url"]).port not in {None, 443}


def test_the_names_answer_on_the_port_and_through_the_proxy_without_the_control_api(place: Place) -> None:
    def curl(*what: str) -> str:
        done = place.run("curl", "--silent", "--include", "--cacert", place.access["ca"], *what)
        return done.stdout.partition("\n")[0].strip()

    assert curl(CODE) == "HTTP/1.1 200 OK"
    assert curl("--proxy", place.access["proxy"], "--suppress-connect-headers", CODE) == "HTTP/1.1 200 OK"
    assert curl("https://wx.qq.com/control/accounts") == "HTTP/1.1 403 Forbidden"
    assert len(Phones(place.access["control"], place.fetch).do("wind", seconds=0)) == 1


def test_the_sandbox_listens_on_loopback_only(place: Place) -> None:
    listening = [line.split() for line in place.run("cat", "/proc/net/tcp").stdout.splitlines()[1:]]
    assert {address.partition(":")[0] for _, address, _, state, *_ in listening if state == "0A"} == {LOOPBACK}


def test_a_port_that_is_taken_or_not_allowed_is_explained(place: Place) -> None:
    command = (WEBWX, "sandbox", "--tls", "--port", "443")
    taken = place.run(*command)
    assert (taken.returncode, taken.stderr.partition(";")[0]) == (1, "webwx: Port 443 is taken")

    unprivileged = ("unshare", "-n", "setpriv", "--bounding-set=-net_bind_service", "--inh-caps=-all")
    refused = subprocess.run([*unprivileged, *command], capture_output=True, text=True, timeout=PATIENCE, check=False)
    assert refused.returncode == 1
    assert "sysctl net.ipv4.ip_unprivileged_port_start=443" in refused.stderr
