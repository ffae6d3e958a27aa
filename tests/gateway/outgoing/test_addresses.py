from __future__ import annotations

from ipaddress import ip_address

import pytest
from yarl import URL

from webwx.gateway.outgoing.addresses import AddressRefused, check_addresses, read_target

PRIVATE = (
    "127.0.0.1", "127.9.9.9", "10.0.0.1", "172.16.0.1", "192.168.1.1", "100.64.0.1", "192.0.2.1", "198.51.100.7",
    "203.0.113.9", "::1", "fd00::1", "2001:db8::1", "::ffff:127.0.0.1", "::ffff:10.0.0.1", "2002:7f00:1::",
    "2002:a00:1::", "64:ff9b::127.0.0.1", "64:ff9b::10.0.0.1", "::127.0.0.1", "fec0::1", "feff::1", "3fff::1",
    "192.0.0.8", "192.88.99.1", "2002:c058:6301::1", "198.18.0.1",
)  # fmt: skip
NEVER = (
    "0.0.0.0", "::", "169.254.169.254", "169.254.0.1", "fe80::1", "224.0.0.1", "ff02::1", "240.0.0.1",
    "255.255.255.255", "::ffff:169.254.169.254", "64:ff9b::169.254.169.254",
    "5f00::1", "64:ff9b:1::1.1.1.1", "4000::1", "::ffff:0:127.0.0.1",
    "2001:0:4136:e378:8000:63bf:5601:5601",  # Teredo, with the address of the metadata service
)  # fmt: skip
PUBLIC = ("1.1.1.1", "8.8.8.8", "2606:4700:4700::1111", "::ffff:1.1.1.1")


@pytest.mark.parametrize("address", PUBLIC)
def test_a_public_address_is_allowed(address: str) -> None:
    check_addresses([ip_address(address)])


@pytest.mark.parametrize("address", PRIVATE)
def test_a_private_address_is_allowed_only_on_request(address: str) -> None:
    with pytest.raises(AddressRefused, match="private network"):
        check_addresses([ip_address(address)])
    check_addresses([ip_address(address)], allow_private=True)


@pytest.mark.parametrize("address", NEVER)
@pytest.mark.parametrize("allow_private", [False, True])
def test_an_address_without_a_server_and_the_metadata_service_are_never_allowed(
    address: str, allow_private: bool
) -> None:
    with pytest.raises(AddressRefused, match="cannot belong to a server"):
        check_addresses([ip_address(address)], allow_private=allow_private)


def test_one_private_address_among_public_ones_is_refused() -> None:
    with pytest.raises(AddressRefused):
        check_addresses([ip_address("1.1.1.1"), ip_address("10.0.0.1")])


def test_a_host_without_an_address_is_refused() -> None:
    with pytest.raises(AddressRefused, match="no address"):
        check_addresses([])


@pytest.mark.parametrize(
    ("url", "port"),
    [("https://example.com/hook?x=1", 443), ("http://example.com", 80), ("http://example.com:1024/", 1024)],
)
def test_a_public_url_is_read_with_its_port(url: str, port: int) -> None:
    target = read_target(url)
    assert (URL(url), "example.com", port) == (target.url, target.host, target.port)


@pytest.mark.parametrize(
    ("host", "name"),
    [("bücher.example", "xn--bcher-kva.example"), ("中文.cn", "xn--fiq228c.cn"), ("EXAMPLE.com", "example.com")],
)
def test_an_internationalised_name_is_read_in_the_form_that_is_resolved(host: str, name: str) -> None:
    assert read_target(f"https://{host}/").host == name


@pytest.mark.parametrize(
    "url",
    [
        "", "example.com", "/hook", "ftp://example.com/", "file:///etc/passwd", "http://", "http:///path",
        "http://user@example.com/", "http://user:secret@example.com/", "http://example.com:22/", "http://example.com:1023/",
        "http://example.com:70000/", "http://[::1", "http://example.com/a b", "http://example.com/\n",
        "http://example.com/" + "a" * 3000,
    ],
)  # fmt: skip
def test_a_url_that_is_not_plain_http_is_refused_before_a_name_is_resolved(url: str) -> None:
    with pytest.raises(AddressRefused):
        read_target(url, allow_private=True)


@pytest.mark.parametrize(
    "url",
    [
        "http://localhost/", "http://LOCALHOST:8000/", "http://printer.local/", "http://a.localhost/",
        "http://printer.localdomain/", "http://127.0.0.1%25eth0/",
        "http://metadata.google.internal/", "http://localhost./", "http://127.0.0.1/", "http://[::1]:9000/",
        "http://[fe80::1%25eth0]/", "http://[fec0::1]/", "http://[3fff::1]/", "http://①②⑦.0.0.1/",
        "http://127。0。0。1:8791/", "http://１２７.0.0.1/", "http://127．0．0．1/", "http://ⓛocalhost/",
        "http://localhost。/", "http://printer.ｌocal/", "http://①⑥⑨.254.169.254/", "http://%31%32%37.0.0.1/",
        "http://127.0.0.1。/",
    ],
)  # fmt: skip
def test_a_host_of_this_machine_or_network_is_refused_by_its_name(url: str) -> None:
    with pytest.raises(AddressRefused):
        read_target(url)


def test_a_private_host_is_allowed_on_request() -> None:
    assert read_target("http://localhost:9000/", allow_private=True).host == "localhost"


def test_the_error_and_the_target_have_no_part_of_the_url() -> None:
    with pytest.raises(AddressRefused) as refused:
        read_target("http://user:secret@example.com/")
    assert "secret" not in str(refused.value)
    assert "example" not in repr(read_target("http://example.com/"))
