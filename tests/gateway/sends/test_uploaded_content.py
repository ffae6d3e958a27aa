"""The content of uploads in pieces: digests, and the file of a form."""

from __future__ import annotations

import base64
import hashlib
from typing import TYPE_CHECKING

import pytest
from tests.gateway.conftest import pieces

from webwx.gateway.problems import GatewayProblem
from webwx.gateway.sends.uploaded_content import FormFile, boundary_of, checked, digest_of

if TYPE_CHECKING:
    from collections.abc import AsyncIterator


async def whole(stream: AsyncIterator[bytes]) -> bytes:
    return b"".join([piece async for piece in stream])


def test_a_digest_is_sha_256() -> None:
    assert digest_of(None) is None
    text = base64.b64encode(b"x" * 32).decode()
    assert digest_of(f"sha-512=:abc=:, sha-256=:{text}:") == b"x" * 32
    with pytest.raises(GatewayProblem):
        digest_of("md5=:abc=:")


async def test_a_body_with_another_digest_is_refused_at_its_end() -> None:
    assert await whole(checked(pieces(b"a", b"b"), None)) == b"ab"
    assert await whole(checked(pieces(b"a", b"b"), hashlib.sha256(b"ab").digest())) == b"ab"
    with pytest.raises(GatewayProblem, match="digest"):
        await whole(checked(pieces(b"a", b"c"), hashlib.sha256(b"ab").digest()))


def form(*parts: str, end: str = "--X--\r\n") -> bytes:
    return "".join(f"--X\r\nContent-Disposition: form-data; {part}\r\n" for part in parts).encode() + end.encode()


FIELD = 'name="note"\r\n\r\nhello'
FILE = 'name="file"; filename="报告.pdf"\r\nContent-Type: application/pdf\r\n\r\ncontent\r\nof the file'
OTHER = 'name="other"; filename="b.txt"\r\n\r\nother'


@pytest.mark.parametrize("size", [1, 7, 4096])
async def test_the_first_file_of_a_form_is_found_in_any_pieces(size: int) -> None:
    body = form(FIELD, FILE, OTHER, FIELD)
    file = FormFile(pieces(*(body[start : start + size] for start in range(0, len(body), size)), b""), "X")
    assert await file.begin() == "报告.pdf"
    assert await whole(file.pieces()) == b"content\r\nof the file"


async def test_a_form_with_too_many_parts_before_its_file_is_refused() -> None:
    assert await FormFile(pieces(form(*[FIELD] * 99, FILE)), "X").begin() == "报告.pdf"
    with pytest.raises(GatewayProblem):
        await FormFile(pieces(form(*[FIELD] * 100, FILE)), "X").begin()


async def test_a_form_without_a_file_is_refused() -> None:
    with pytest.raises(GatewayProblem, match="no file"):
        await FormFile(pieces(form(FIELD)), "X").begin()


@pytest.mark.parametrize(("body", "boundary"), [(form(FILE, end=""), "X"), (b"nothing of this kind", "X"), (b"", "")])
async def test_a_broken_form_is_refused(body: bytes, boundary: str) -> None:
    async def read() -> None:
        file = FormFile(pieces(body), boundary)
        await file.begin()
        await whole(file.pieces())

    with pytest.raises(GatewayProblem, match="not valid multipart/form-data"):
        await read()


def test_the_boundary_is_in_the_media_type_of_a_form() -> None:
    assert boundary_of('multipart/form-data; boundary="a b"') == "a b"
    assert boundary_of("multipart/form-data") == ""
    assert boundary_of("image/png") is boundary_of("") is None
