"""The documentation site as a browser shows it: search, languages, widths, and the rules of axe."""

from __future__ import annotations

import http.server
import re
import subprocess
import sys
import threading
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import pytest_asyncio
from tests.once import made_once

import webwx
import webwx.testing

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Iterator

    from playwright.async_api import Browser, Page

pytestmark = [pytest.mark.verify, pytest.mark.timeout(600)]

ROOT = Path(__file__).parents[2]
HTML = ROOT / "build/site/html"

WIDE, NARROW = {"width": 1280, "height": 800}, {"width": 390, "height": 844}


class QuietFiles(http.server.SimpleHTTPRequestHandler):
    """Files over HTTP, without a log."""

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the name of the base class
        pass


def _build(_: Path) -> None:
    """Build the site in the checkout, as `make site` does."""
    subprocess.run([sys.executable, "-m", "scripts.site"], cwd=ROOT, check=True)


@pytest.fixture(scope="session")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of the built site."""
    made_once(tmp_path_factory, "site", _build)
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), partial(QuietFiles, directory=HTML))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}/"
    server.shutdown()
    server.server_close()


@pytest_asyncio.fixture(loop_scope="session")
async def open_page(chromium: Browser, site: str) -> AsyncIterator[Callable[..., Awaitable[Page]]]:
    """Opens a page of the site; any request to another host fails the test."""
    contexts, elsewhere = [], list[str]()

    async def opened(path: str = "", size: Any = WIDE, scheme: Any = "light") -> Page:
        context = await chromium.new_context(viewport=size, color_scheme=scheme)
        contexts.append(context)
        page = await context.new_page()
        page.on("request", lambda request: elsewhere.append(request.url) if not request.url.startswith(site) else None)
        await page.goto(site + path)
        return page

    yield opened
    for context in contexts:
        await context.close()
    assert elsewhere == []


async def test_the_site_builds_without_a_problem_and_shows_every_page(site: str) -> None:
    for source in (ROOT / "docs").rglob("*.md"):
        place = source.relative_to(ROOT / "docs").as_posix().replace(".zh.md", ".md")
        assert (HTML / place.removesuffix(".md").removesuffix("index").replace("README", "") / "index.html").is_file()
    linked = set(re.findall(r'<a [^>]*href="(?:\./)?([^"#]*)', (HTML / "index.html").read_text()))
    built = {path.parent.relative_to(HTML).as_posix() + "/" for path in HTML.rglob("index.html")}
    assert {place for place in built if not place.startswith("zh/") and place != "./"} - linked == set()
    assert "zh/" in linked


@pytest.mark.parametrize(
    ("language", "words", "page"),
    [
        ("zh/", "撤回", "撤回消息"),
        ("zh/", "文件传输助手", "发到自己的手机"),
        ("zh/", "群聊", "常见问题"),
        ("", "recall", "Recall a message"),
        ("", "unknown outcome", "The outcome of a send is unknown"),
    ],
)
async def test_search_finds_words_inside_of_sentences(
    open_page: Callable[..., Awaitable[Page]], language: str, words: str, page: str
) -> None:
    from playwright.async_api import expect

    shown = await open_page(language)
    await shown.get_by_role("button", name=re.compile("查找|Search")).click()
    await shown.keyboard.type(words)
    await expect(shown.get_by_text(re.compile(r"^\d+ results?$"))).to_be_visible()
    await expect(shown.get_by_text(page).first).to_be_attached()


async def test_the_other_language_shows_the_same_page_and_heading(open_page: Callable[..., Awaitable[Page]]) -> None:
    from playwright.async_api import expect

    page = await open_page("howto/recall/")
    await page.get_by_role("link", name="中文").first.click()
    await expect(page.get_by_role("heading", level=1)).to_have_text(re.compile("撤回消息"))
    assert page.url.endswith("zh/howto/recall/")
    await page.goto(page.url.replace("zh/howto/recall/", "topics/hosts/#allowed-hosts"))
    await page.get_by_role("link", name="中文").first.click()
    await expect(page.get_by_role("heading", name="允许的域名")).to_be_in_viewport()


async def test_every_public_name_has_a_place_in_the_reference(site: str) -> None:
    shown = {
        found.rpartition(".")[2]
        for page in (HTML / "reference").rglob("index.html")
        for found in re.findall(r'id="(webwx\.[\w.]+)"', page.read_text())
    }
    assert {*webwx.__all__, *webwx.testing.__all__} - shown == set()


async def test_every_event_has_its_json_and_the_websocket_its_messages(site: str) -> None:
    events = (HTML / "reference/events/index.html").read_text()
    kinds = [each for each in webwx.__all__ if _is_event(getattr(webwx, each)) and each not in {"Event", "Message"}]
    assert [each for each in kinds if f'href="../http-api/#{each.lower()}data"' not in events] == []
    api = (HTML / "reference/http-api/index.html").read_text()
    for name in ("ClientFrame", "ServerFrame", "Hello", "Ack", "ReadyFrame", "EventFrame", "ErrorFrame"):
        assert f'id="{name.lower()}"' in api


def _is_event(value: object) -> bool:
    return isinstance(value, type) and issubclass(value, webwx.Event)


@pytest.mark.parametrize("size", [WIDE, NARROW], ids=["wide", "narrow"])
@pytest.mark.parametrize(
    ("path", "untested"),
    [("", "never tested against the live service"), ("zh/", "从未在微信的线上服务上测试过")],
    ids=["en", "zh"],
)
async def test_the_home_page_answers_in_one_screen(
    open_page: Callable[..., Awaitable[Page]], path: str, untested: str, size: Any
) -> None:
    from playwright.async_api import expect

    home = (await open_page(path, size)).locator("article")
    await expect(home.get_by_role("row")).to_have_count(3)
    for each in (*await home.get_by_role("row").all(), home.get_by_text(untested), home.get_by_role("img"),
                 home.get_by_text("make demo"), home.get_by_text("await ctx.reply(message.text)")):  # fmt: skip
        await expect(each).to_be_in_viewport(ratio=1)


@pytest.mark.parametrize("path", ["", "zh/", "topics/errors/", "reference/http-api/", "zh/howto/recall/"])
async def test_nothing_is_wider_than_a_narrow_window(open_page: Callable[..., Awaitable[Page]], path: str) -> None:
    page = await open_page(path, NARROW)
    assert await page.evaluate("document.documentElement.scrollWidth") <= NARROW["width"]


@pytest.mark.parametrize(
    ("path", "size", "scheme"),
    [
        ("", WIDE, "light"), ("zh/", NARROW, "dark"), ("troubleshooting/", WIDE, "dark"),
        ("reference/commands/", NARROW, "light"), ("topics/errors/", WIDE, "light"), ("wire/", NARROW, "dark"),
    ],
)  # fmt: skip
async def test_axe_finds_nothing_serious(
    open_page: Callable[..., Awaitable[Page]], path: str, size: Any, scheme: str
) -> None:
    axe = pytest.importorskip(
        "axe_playwright_python.async_playwright", reason="axe is not here; `uv sync --group browser` brings it"
    ).Axe()
    page = await open_page(path, size, scheme)
    results = await axe.run(page)
    serious = [each for each in results.response["violations"] if each["impact"] in {"serious", "critical"}]
    assert [(each["id"], [node["html"][:200] for node in each["nodes"][:3]]) for each in serious] == []
