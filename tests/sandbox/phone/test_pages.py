from __future__ import annotations

import ast
import re
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.sandbox.conftest import answered

from webwx.protocol.codes import Ret
from webwx.protocol.http import Headers, Request, Response
from webwx.sandbox import errors
from webwx.sandbox.core import SandboxCore
from webwx.sandbox.phone import pages
from webwx.sandbox.world import World

HERE = "http://127.0.0.1:8790"


@pytest.fixture
def get(sandbox: SandboxCore) -> Callable[..., Response]:
    """Request a path as a browser does."""

    def load(path: str, *, origin: str = HERE, method: str = "GET", headers: Headers = ()) -> Response:
        return answered(sandbox, Request(endpoint="any", method=method, url=f"{origin}{path}", headers=headers))

    return load


def test_the_page_allows_nothing_but_its_own_files(get: Callable[..., Response]) -> None:
    page = get("/phone")
    assert (page.status, page.header("Content-Type")) == (200, "text/html; charset=utf-8")
    policy = page.header("Content-Security-Policy")
    assert policy.startswith("default-src 'self'; media-src 'self' blob:; base-uri 'none';")
    assert "frame-ancestors 'none'" in policy
    assert "unsafe" not in policy
    assert (page.header("X-Content-Type-Options"), page.header("Referrer-Policy")) == ("nosniff", "no-referrer")


def test_the_page_has_no_inline_script_and_no_inline_style(get: Callable[..., Response]) -> None:
    html = get("/phone").body.decode()
    assert re.findall(r"<style|<script(?![^>]* src=)|\son\w+=|\sstyle=", html) == []


def test_no_file_names_another_host_or_makes_markup_of_text(get: Callable[..., Response]) -> None:
    for name in pages.FILES:
        text = pages.FILES[name].read_text("utf-8")
        hosts = set(re.findall(r"(?:https?|wss?)://([^/\"'`\s]+)", text))
        assert hosts <= {"www.w3.org", "example.com"}, (
            name
        )  # An XML namespace, and the example in a field for an address.
        assert re.findall(r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|eval\(|new Function", text) == [], (
            name
        )


def test_all_files_that_the_page_loads_exist(get: Callable[..., Response]) -> None:
    for name in pages.FILES:
        text = pages.FILES[name].read_text("utf-8")
        for wanted in re.findall(r'from "\./([\w.]+)"|"(?:phone/)?static/([\w.]+)', text):
            assert get(f"/phone/static/{''.join(wanted)}").status == 200, name


def test_the_pages_work_below_a_path_of_a_proxy(get: Callable[..., Response]) -> None:
    files = {name: pages.FILES[name].read_text("utf-8") for name in pages.FILES}
    shown = {path: get(path).body.decode() for path in ("/phone", "/phone/wire")}
    for name, text in {**files, **shown}.items():
        assert re.findall(r"""[\"'`(]/(?:phone|control|login|qrcode|l)(?![\w-])""", text) == [], name


def test_every_refusal_with_a_code_has_a_chinese_text() -> None:
    calls = [
        node
        for file in Path(errors.__file__).parent.rglob("*.py")
        for node in ast.walk(ast.parse(file.read_text("utf-8")))
        if isinstance(node, ast.Call) and ast.unparse(node.func) == "Impossible"
    ]
    codes = {call.args[1].value for call in calls if len(call.args) > 1 and isinstance(call.args[1], ast.Constant)}
    codes |= {errors.code_of(errors.Refused(ret)) for ret in Ret} - {""}
    words = pages.FILES["refusal-words.js"].read_text("utf-8")
    assert {*re.findall(r'^  "?([a-z-]+)"?: "', words, re.MULTILINE)} == codes


@pytest.mark.parametrize(
    "path", ["/phone/static/../pages.py", "/phone/static/%2e%2e/pages.py", "/phone/nothing", "/phone/static"]
)
def test_no_other_file_is_served(get: Callable[..., Response], path: str) -> None:
    assert get(path).status == 404


def test_another_origin_and_another_method_are_refused(get: Callable[..., Response]) -> None:
    assert get("/phone", origin="http://evil.example:8790").status == 403
    assert get("/phone", method="POST").status == 405


@pytest.mark.parametrize(
    ("content", "media_type", "disposition"),
    [
        (b"\x89PNG\r\n\x1a\n...", "image/png", "inline"),
        (b"\xff\xd8\xff...", "image/jpeg", "inline"),
        (b"GIF89a...", "image/gif", "inline"),
        (b"RIFF\0\0\0\0WEBPVP8 ", "image/webp", "inline"),
        (b"ID3...", "audio/mpeg", "attachment"),
        (b"\0\0\0\x18ftypmp42", "video/mp4", "attachment"),
        (b"BM......", "application/octet-stream", "attachment"),
        (b"<svg xmlns='http://www.w3.org/2000/svg'><script>", "application/octet-stream", "attachment"),
        (b"<html><script>", "application/octet-stream", "attachment"),
    ],
)
def test_only_pictures_are_shown_inline_and_no_script_runs(
    get: Callable[..., Response], world: World, content: bytes, media_type: str, disposition: str
) -> None:
    message = world.file("ahua", "me", content, "恶 意\r\n.svg")
    answer = get(f"/phone/media/{message.id}")
    assert (200, media_type) == (answer.status, answer.header("Content-Type"))
    assert answer.header("Content-Disposition").partition(";")[0] == disposition
    assert "\r" not in answer.header("Content-Disposition")
    assert answer.header("X-Content-Type-Options") == "nosniff"
    assert answer.header("Content-Security-Policy").endswith("sandbox")
    assert content == answer.body


@pytest.mark.parametrize(
    ("wanted", "status", "piece", "content_range"),
    [
        ("bytes=2-4", 206, b"234", "bytes 2-4/10"),
        ("bytes=7-", 206, b"789", "bytes 7-9/10"),
        ("bytes=0-99", 206, b"0123456789", "bytes 0-9/10"),
        ("bytes=10-", 416, b"", "bytes */10"),
        ("bytes=-3", 200, b"0123456789", ""),
        ("lines=1-2", 200, b"0123456789", ""),
    ],
)
def test_a_player_gets_the_requested_range(
    get: Callable[..., Response], world: World, wanted: str, status: int, piece: bytes, content_range: str
) -> None:
    message = world.file("ahua", "me", b"0123456789", "digits.txt")
    answer = get(f"/phone/media/{message.id}", headers=(("Range", wanted),))
    assert (answer.status, answer.body, answer.header("Content-Range")) == (status, piece, content_range)


def test_an_avatar_is_a_picture_and_never_runs(get: Callable[..., Response], world: World) -> None:
    drawn = get("/phone/face/ahua")
    assert (drawn.header("Content-Type"), drawn.header("Content-Disposition")) == ("image/jpeg", "inline")
    world.person("ahua").portrait = b"<svg><script>"
    brought = get("/phone/face/ahua")
    assert brought.header("Content-Type") == "application/octet-stream"
    assert brought.header("Content-Disposition").startswith("attachment")
    assert get("/phone/face/unknown").status == 404


def test_a_recalled_medium_and_a_text_have_no_file(get: Callable[..., Response], world: World, png: bytes) -> None:
    message = world.picture("ahua", "me", png)
    world.recall("ahua", "me", message.id)
    assert get(f"/phone/media/{message.id}").status == 404
    assert get(f"/phone/media/{world.say('ahua', 'me', 'x').id}").status == 404
    assert get("/phone/media/1").status == 404
