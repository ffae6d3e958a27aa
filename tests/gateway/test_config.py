"""The configuration file, and the addresses that the gateway refuses to listen on."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
import pytest

from webwx.errors import InvalidSettings
from webwx.gateway.config import (
    EXAMPLE,
    AdapterTable,
    BotTable,
    GatewayConfig,
    ListenTable,
    TlsTable,
    is_loopback,
    read_gateway_config,
)

if TYPE_CHECKING:
    from pathlib import Path


def test_without_a_file_the_gateway_is_for_this_machine_only(tmp_path: Path) -> None:
    config = read_gateway_config(tmp_path / "absent.toml")
    config.check()

    assert (config.listen.host, config.listen.port, config.is_local) == ("127.0.0.1", 8791, True)


def test_the_example_names_every_setting_with_its_default() -> None:
    uncommented = "\n".join(line.removeprefix("# ") for line in EXAMPLE.splitlines() if not line.startswith("# The"))
    config = GatewayConfig(bots=(BotTable(file="bot.py"),), adapters={"mcp": AdapterTable(port=8792)})
    assert msgspec.toml.decode(uncommented, type=GatewayConfig) == config
    config.check()
    names = {name for table in (ListenTable, TlsTable, AdapterTable) for name in table.__struct_fields__}
    assert all(f"{name} =" in EXAMPLE for name in names)


@pytest.mark.parametrize("host", ["0.0.0.0", "192.168.1.5", "::", "example.org"])
def test_an_address_of_a_network_needs_tls_or_a_proxy(host: str) -> None:
    with pytest.raises(InvalidSettings, match="without TLS"):
        GatewayConfig(listen=ListenTable(host=host)).check()

    GatewayConfig(listen=ListenTable(host=host), tls=TlsTable(certificate="a.pem", key="a.key")).check()
    GatewayConfig(listen=ListenTable(host=host, behind_proxy="172.16.0.2")).check()


@pytest.mark.parametrize(
    ("adapters", "said"),
    [
        ({"none": AdapterTable(port=0)}, "there is no adapter 'none'; the adapters are mcp, other"),
        ({"mcp": AdapterTable(port=8791)}, "has the port 8791 of \\[listen\\]; choose another one"),
        ({"mcp": AdapterTable(port=1), "other": AdapterTable(port=1)}, "has the port 1 of \\[adapters.mcp\\]"),
        ({"mcp": AdapterTable(port=70_000)}, "70000 is not a port"),
        ({"mcp": AdapterTable(port=0, host="0.0.0.0")}, "without TLS"),
    ],
)
def test_a_listener_of_an_adapter_is_checked_as_that_of_the_gateway(
    adapters: dict[str, AdapterTable], said: str
) -> None:
    with pytest.raises(InvalidSettings, match=said):
        GatewayConfig(adapters=adapters).check(["mcp", "other"])
    GatewayConfig(adapters={"mcp": AdapterTable(port=0), "other": AdapterTable(port=0)}).check(["mcp", "other"])


def test_tls_needs_both_files() -> None:
    with pytest.raises(InvalidSettings, match="both files"):
        GatewayConfig(tls=TlsTable(certificate="a.pem")).check()


def test_a_browser_uses_the_name_of_the_proxy() -> None:
    local = "http://127.0.0.1:8791"
    behind = ListenTable(host="0.0.0.0", behind_proxy="172.16.0.2", hosts=("wx.example.org", "other.example.org"))

    assert GatewayConfig(listen=behind).browser_url(local) == "https://wx.example.org"
    assert GatewayConfig(listen=ListenTable(hosts=("wx.example.org",))).browser_url(local) == local
    assert GatewayConfig(listen=ListenTable(behind_proxy="172.16.0.2")).browser_url(local) == local
    below = msgspec.structs.replace(behind, path="/wx")
    assert GatewayConfig(listen=below).browser_url(local) == "https://wx.example.org/wx"


@pytest.mark.parametrize("path", ["wx", "/wx/", "/", "/../wx", "/a b", "/api", "/console/wx", "/m"])
def test_a_path_below_which_the_gateway_cannot_be_served_is_refused(path: str) -> None:
    with pytest.raises(InvalidSettings, match="below which a proxy"):
        GatewayConfig(listen=ListenTable(path=path)).check()
    GatewayConfig(listen=ListenTable(path="/tools/wx-1.0")).check()


@pytest.mark.parametrize("proxy", ["*", "proxy", "10.0.0.0/8", "10.0.0.1,10.0.0.2"])
def test_forwarded_headers_are_trusted_from_one_address_only(proxy: str) -> None:
    with pytest.raises(InvalidSettings, match="not the address of a proxy"):
        GatewayConfig(listen=ListenTable(behind_proxy=proxy)).check()


def test_a_port_has_sixteen_bits() -> None:
    with pytest.raises(InvalidSettings, match="not a port"):
        GatewayConfig(listen=ListenTable(port=70_000)).check()


@pytest.mark.parametrize(
    "content",
    [
        "[listen]\nprot = 1",
        "[listen]\nport = 'x'",
        "[listen",
        "\udc80",
        "[limits]\npatience = 0",
        "[limits]\nconnections = 0",
        "[limits]\nbody = -1",
        "[limits]\nrequests_per_minute = -1",
    ],
)
def test_an_invalid_file_is_refused(tmp_path: Path, content: str) -> None:
    path = tmp_path / "gateway.toml"
    path.write_bytes(content.encode("utf-8", "surrogateescape"))
    with pytest.raises(InvalidSettings, match=r"gateway\.toml"):
        read_gateway_config(path)


def test_a_folder_in_place_of_the_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InvalidSettings):
        read_gateway_config(tmp_path)


@pytest.mark.parametrize(
    ("host", "is_local"),
    [("127.0.0.1", True), ("127.9.9.9", True), ("::1", True), ("localhost", True), ("10.0.0.1", False), ("a.b", False)],
)
def test_a_loopback_address_is_told_from_others(host: str, is_local: bool) -> None:
    assert is_loopback(host) is is_local
