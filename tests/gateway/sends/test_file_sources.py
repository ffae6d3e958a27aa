"""The file of a send: from an upload, from the request, or from a URL; it is deleted after the send."""

from __future__ import annotations

import asyncio
import base64
from typing import TYPE_CHECKING

import pytest
from tests.client.conftest import PNG
from tests.tcp_server import tcp_server

from webwx.gateway.config import LimitsTable
from webwx.gateway.outgoing.addresses import AddressRefused
from webwx.gateway.outgoing.outgoing import OutgoingClient
from webwx.gateway.problems import GatewayProblem
from webwx.gateway.sends.file_sources import FileSources
from webwx.gateway.sends.uploads import UploadStore
from webwx.storage.open import open_records

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterator
    from pathlib import Path

    from webwx.gateway.sends.uploads import StoredUpload


class UnguardedClient(OutgoingClient):
    """Fetches from this machine as well."""

    def fetch(self, url: str, *, allow_private: bool = True) -> AsyncGenerator[bytes, None]:
        return super().fetch(url, allow_private=allow_private)


@pytest.fixture
async def sources(tmp_path: Path) -> AsyncIterator[FileSources]:
    uploads = UploadStore(open_records("memory:"), tmp_path / "uploads", lambda: 0.0)
    async with UnguardedClient() as outgoing:
        yield FileSources(uploads, lambda: outgoing, lambda: LimitsTable(fetched_file=len(PNG)))


@pytest.fixture
async def picture_server() -> AsyncIterator[str]:
    """A server whose every path is a picture; yield its URL."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        request = await reader.readuntil(b"\r\n\r\n")
        status, body = (b"404 Not Found", b"") if b"absent" in request else (b"200 OK", PNG)
        body += b"x" if b"large" in request else b""
        writer.write(b"HTTP/1.1 %s\r\nConnection: close\r\nContent-Length: %d\r\n\r\n%s" % (status, len(body), body))
        await writer.drain()
        writer.close()

    async with tcp_server(answer) as port:
        yield f"http://127.0.0.1:{port}"


def content_of(sources: FileSources, upload: StoredUpload) -> bytes:
    return sources.uploads.path(upload.id).read_bytes()


def files_in(tmp_path: Path) -> list[Path]:
    return list((tmp_path / "uploads").glob("*"))


async def test_content_in_the_request_is_stored_for_its_send(sources: FileSources, tmp_path: Path) -> None:
    async with sources.inline(base64.b64encode(PNG).decode(), "k") as upload:
        assert (content_of(sources, upload), upload.kind) == (PNG, "image")
    assert files_in(tmp_path) == []


@pytest.mark.parametrize("data", ["", "not base64!", "YQ"])
async def test_content_that_is_empty_or_not_base64_is_refused(sources: FileSources, tmp_path: Path, data: str) -> None:
    with pytest.raises(GatewayProblem) as refused:
        async with sources.inline(data, "k"):
            pass
    assert refused.value.code == "bad-request"
    assert files_in(tmp_path) == []


async def test_a_url_is_fetched_for_its_send(sources: FileSources, picture_server: str, tmp_path: Path) -> None:
    async with sources.fetched(f"{picture_server}/a/%E7%8C%AB.png?x=1", "k") as upload:
        assert (content_of(sources, upload), upload.name, upload.kind) == (PNG, "猫.png", "image")
    assert files_in(tmp_path) == []


@pytest.mark.parametrize(("path", "code"), [("large.png", "body-too-large"), ("absent.png", "url-not-fetched")])
async def test_a_url_with_too_much_or_nothing_is_refused(
    sources: FileSources, picture_server: str, tmp_path: Path, path: str, code: str
) -> None:
    with pytest.raises(GatewayProblem) as refused:
        async with sources.fetched(f"{picture_server}/{path}", "k"):
            pass
    assert refused.value.code == code
    assert files_in(tmp_path) == []


@pytest.mark.parametrize("url", ["http://127.0.0.1:8080/", "file:///etc/passwd", "http://[", "gopher://example.org/"])
async def test_a_url_that_is_not_public_is_refused(tmp_path: Path, url: str) -> None:
    uploads = UploadStore(open_records("memory:"), tmp_path / "uploads", lambda: 0.0)
    async with OutgoingClient() as outgoing:
        with pytest.raises(AddressRefused):
            async with FileSources(uploads, lambda: outgoing, lambda: LimitsTable(fetched_file=10)).fetched(url, "k"):
                pass


async def test_a_limit_that_was_changed_holds_for_the_next_url(picture_server: str, tmp_path: Path) -> None:
    limits = LimitsTable()
    uploads = UploadStore(open_records("memory:"), tmp_path / "uploads", lambda: 0.0)
    async with UnguardedClient() as outgoing:
        sources = FileSources(uploads, lambda: outgoing, lambda: limits)
        with pytest.raises(GatewayProblem):
            async with sources.fetched(f"{picture_server}/cat.png", "k"):
                pass
        limits = LimitsTable(fetched_file=len(PNG))
        async with sources.fetched(f"{picture_server}/cat.png", "k") as upload:
            assert content_of(sources, upload) == PNG


async def test_no_url_is_fetched_unless_the_configuration_allows_it(tmp_path: Path) -> None:
    uploads = UploadStore(open_records("memory:"), tmp_path / "uploads", lambda: 0.0)

    async def resolve(host: str, port: int) -> list[str]:
        raise AssertionError(f"{host}:{port} was resolved.")

    async with OutgoingClient(resolve) as outgoing:
        with pytest.raises(GatewayProblem) as refused:
            async with FileSources(uploads, lambda: outgoing, LimitsTable).fetched("https://example.org/a.png", "k"):
                pass
    assert refused.value.code == "url-not-fetched"


async def test_an_upload_is_found_once_it_is_complete(sources: FileSources) -> None:
    incomplete = await sources.uploads.begin(name="x", owner="k", length=5)
    for upload_id, code in ((incomplete.id, "conflict"), ("absent", "not-found")):
        with pytest.raises(GatewayProblem) as refused:
            async with sources.uploaded(upload_id, "k"):
                pass
        assert refused.value.code == code
