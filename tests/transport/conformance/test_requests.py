"""Requests are sent unchanged, plus the headers that HTTP requires."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from tests.transport.lines import Caller, answer, serving

from webwx.errors import ConnectFailed, InvalidRequest
from webwx.protocol.hosts import single
from webwx.protocol.http import Request
from webwx.protocol.messages import TEXT, OutgoingText, TextRequest

if TYPE_CHECKING:
    from webwx.transport.runner import Transport


async def test_a_request_is_sent_unchanged(transport: Transport) -> None:
    headers = (("mmweb_appid", "w"), ("Cookie", "b=2; a=1"), ("ACCEPT", "x/y"), ("Content-Type", "t"))
    path = "/a%2Fb?pass_ticket=k3Yq%252BZ0%253D&sid=a+b/c'd&&x=%7e|"
    async with serving(answer()) as server:
        await transport.send(server.request("POST", path, b"body", headers=headers))

    [received] = server.received
    line, *sent = received.decode().split("\r\n")
    assert line == f"POST {path} HTTP/1.1"
    assert sent[:5] == [f"Host: 127.0.0.1:{server.port}", *(f"{name}: {value}" for name, value in headers)]
    assert sent[-1] == "body"


@pytest.mark.parametrize(
    ("method", "body", "more"),
    [("POST", b"body", ["Content-Length: 4"]), ("POST", b"", ["Content-Length: 0"]), ("GET", b"", [])],
)
async def test_only_the_headers_that_http_requires_are_added(
    transport: Transport, method: str, body: bytes, more: list[str]
) -> None:
    async with serving(answer()) as server:
        await transport.send(server.request(method, "/", body))

    lines = server.received[0].decode().partition("\r\n\r\n")[0].split("\r\n")[1:]
    assert lines[0] == f"Host: 127.0.0.1:{server.port}"
    assert sorted(lines[1:]) == ["Accept-Encoding: gzip, deflate", *more]


@pytest.mark.parametrize("size", [1, 15_000, 600_000])
async def test_a_body_may_be_several_buffers(transport: Transport, size: int) -> None:
    async with serving(answer()) as server:
        await transport.send(server.request("POST", body=(b"head" * size, b"\x00file" * size, b"tail")))

    assert server.received[0].partition(b"\r\n\r\n")[2] == b"head" * size + b"\x00file" * size + b"tail"


async def test_a_text_is_raw_utf_8_and_its_type_names_it(transport: Transport) -> None:
    text = TextRequest(msg=OutgoingText(content="你好😀", to_user_name="filehelper"))
    async with serving(answer()) as server:
        await transport.send(TEXT.encode_request(text, single(f"http://127.0.0.1:{server.port}")))

    head, _, body = server.received[0].partition(b"\r\n\r\n")
    assert b"\r\nContent-Type: application/json;charset=UTF-8\r\n" in head + b"\r\n"
    assert '"Content":"你好😀"'.encode() in body
    assert b"\\u" not in body


@pytest.mark.parametrize("evil", ["a\r\nX-Evil: 1", "a\nX-Evil: 1", "a\rb", "a\0b"])
async def test_a_header_cannot_inject_another(transport: Transport, evil: str) -> None:
    async with serving(answer()) as server:
        with pytest.raises(InvalidRequest, match=r"webwxsync: .*nothing was sent") as caught:
            await transport.send(server.request(headers=(("Cookie", f"secret={evil}"),)))

    assert server.received == []
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize("path", ["/ HTTP/1.1\r\nX-Evil: 1\r\n\r\n", "/a\nb", "/a b"])
async def test_an_address_cannot_inject_a_header(transport: Transport, path: str) -> None:
    async with serving(answer()) as server:
        with pytest.raises(InvalidRequest, match="nothing was sent"):
            await transport.send(server.request(path=path))

    assert server.received == []


async def test_proxy_variables_of_the_environment_are_ignored(
    transport: Transport, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Only the proxy in the settings is used."""
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    monkeypatch.delenv("no_proxy", raising=False)
    async with serving(answer(b"direct")) as server:
        assert (await transport.send(server.request())).body == b"direct"


async def test_an_answer_may_arrive_before_the_body_is_sent(transport: Transport) -> None:
    async def refuse(caller: Caller) -> None:
        await caller.reader.readuntil(b"\r\n\r\n")
        await caller.say(answer(b"too large", "Connection: close", status="413 Content Too Large"))
        await caller.receive_end()

    async with serving(refuse) as server:
        response = await transport.send(server.request("POST", body=(b"head", bytes(64 << 20))))

    assert (response.status, response.body) == (413, b"too large")


async def test_a_port_without_a_server_is_a_connect_error(transport: Transport) -> None:
    async with serving(answer()) as server:
        pass  # The server is closed, so its port is free again.

    with pytest.raises(ConnectFailed, match=r"webwxsync: no connection to 127\.0\.0\.1:\d+; nothing was sent"):
        await transport.send(server.request())


@pytest.mark.parametrize("host", ["unknown.invalid", "a..b", "x" * 70])
async def test_an_unknown_host_name_is_a_connect_error(transport: Transport, host: str) -> None:
    with pytest.raises(ConnectFailed, match=rf"jslogin: no connection to {host}:443; nothing was sent"):
        await transport.send(Request(endpoint="jslogin", method="GET", url=f"https://{host}/?skey=secret"))
