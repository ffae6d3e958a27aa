"""The session of the console in a browser: its tabs, other gateways of the host, and pages of other ports."""

from __future__ import annotations

import asyncio
import contextlib
import json
from typing import TYPE_CHECKING

import httpx
import pytest
from aiohttp import web
from tests.browser.console.console_user import button

from webwx.client.accounts import Accounts
from webwx.gateway.access.sessions import HEADER
from webwx.gateway.app import Gateway
from webwx.gateway.config import GatewayConfig, ListenTable
from webwx.gateway.ownership.sole import LocalGateway
from webwx.gateway.serve import listen, serve
from webwx.storage.open import open_records

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from playwright.async_api import Browser, Page, Route
    from tests.browser.console.console_user import ServedGateway

pytestmark = pytest.mark.verify


async def is_signed_in(page: Page) -> None:
    await page.get_by_text("Live", exact=True).wait_for()


async def test_a_reload_a_second_tab_and_a_later_visit_need_no_new_link(console: Page, gateway: ServedGateway) -> None:
    await console.reload()
    await is_signed_in(console)
    second = await console.context.new_page()
    await second.goto(gateway.url)
    await is_signed_in(second)
    await console.close()
    await second.close()
    later = await second.context.new_page()
    await later.goto(f"{gateway.url}/#/chats")
    await is_signed_in(later)


async def test_the_end_of_a_session_ends_it_in_all_tabs(console: Page, gateway: ServedGateway) -> None:
    second = await console.context.new_page()
    await second.goto(gateway.url)
    await is_signed_in(second)
    await button(second, "End session").click()
    for page in (second, console):
        await page.get_by_role("heading", name="This browser has no session").wait_for()
    assert await second.evaluate("localStorage.getItem('webwx.session')") is None


LOAD = """
async (path) => {
  const { load } = await import("/console/api.js");
  const picture = new Image();
  window.outcome = new Promise((resolve) => {
    load(picture, path);
    picture.addEventListener("load", () => resolve("shown"));
    picture.addEventListener("error", () => resolve("refused"));
  });
}
"""

PICTURE = "<svg xmlns='http://www.w3.org/2000/svg' width='1' height='1'/>"


@pytest.mark.parametrize(("answers", "outcome"), [([401, 200], "shown"), ([401, 401], "refused")])
async def test_a_picture_that_is_loaded_when_its_signature_has_expired_is_signed_again(
    console: Page, answers: list[int], outcome: str
) -> None:
    left = list(answers)

    async def answer(route: Route) -> None:
        if len(left) == len(answers):
            await console.evaluate(
                "() => { performance.now = () => 1e9; }"
            )  # the page is much older than the signature
        status = left.pop(0)
        await route.fulfill(status=status, content_type="image/svg+xml", body=PICTURE if status == 200 else "")

    await console.route("**/media?signature=*", answer)
    await console.evaluate(LOAD, "/accounts/1/messages/1/media")
    assert await console.evaluate("outcome") == outcome
    assert left == []


@contextlib.asynccontextmanager
async def another_gateway(folder: Path) -> AsyncIterator[tuple[Gateway, str]]:
    """Serve a second gateway of this machine; yield it with its address."""
    records = open_records(folder / "another.db")
    port = LocalGateway(lambda on_state: Accounts(folder / "another", on_state=on_state), folder / "another", records)
    config, ready = GatewayConfig(listen=ListenTable(port=0)), asyncio.Event()
    gateway, listener = Gateway(config, records, port, folder / "another-files"), listen(config)
    serving = asyncio.ensure_future(serve(gateway, listener, ready.set))
    await ready.wait()
    yield gateway, listener.url
    serving.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await serving


async def test_two_gateways_of_one_host_do_not_end_each_others_sessions(
    console: Page, gateway: ServedGateway, tmp_path: Path, chromium: Browser
) -> None:
    async with another_gateway(tmp_path) as (other, url):
        context = await chromium.new_context()
        first, second = await context.new_page(), await context.new_page()
        await first.goto(await gateway.link())
        await is_signed_in(first)
        await second.goto(f"{url}/#code={await other.sessions.create_code()}")
        await second.get_by_role("heading", name="First steps").wait_for()
        await button(second, "End session").click()
        await second.get_by_role("heading", name="This browser has no session").wait_for()
        await first.reload()
        await is_signed_in(first)
        await context.close()


ATTACK = """
async (url) => {
  const tried = {};
  const note = async (name, attempt) => {
    try { tried[name] = String(await attempt()); } catch (error) { tried[name] = `refused: ${error.name}`; }
  };
  const key = { name: "stolen", scopes: ["admin"] };
  const body = JSON.stringify(key);
  const paths = ["/api/v1/keys", "/api/v1/accounts", "/api/v1/events/stream", "/api/v1/console/signatures?path=/api"];
  for (const mode of ["cors", "no-cors"]) {
    for (const path of paths) {
      await note(`${mode} ${path}`, async () => (await fetch(url + path, { mode, credentials: "include" })).text());
    }
    for (const type of ["text/plain", "application/json", "application/x-www-form-urlencoded"]) {
      await note(`${mode} ${type}`, async () =>
        (await fetch(`${url}/api/v1/keys`, { method: "POST", mode, credentials: "include", body,
          headers: { "Content-Type": type } })).text());
    }
    await note(`${mode} header`, async () =>
      (await fetch(`${url}/api/v1/keys`, { method: "POST", mode, credentials: "include", body,
        headers: { "Content-Type": "application/json", "webwx-console": "1" } })).text());
  }
  const loaded = (tag, path) => new Promise((resolve) => {
    const element = document.createElement(tag);
    element.addEventListener("load", () => resolve("loaded"));
    element.addEventListener("error", () => resolve(""));
    element.src = url + path;
    document.body.append(element);
  });
  for (const tag of ["img", "script"]) {
    for (const path of ["/api/v1/accounts/1/login/qr?format=svg", "/api/v1/accounts", "/console/api.js"]) {
      await note(`${tag} ${path}`, () => loaded(tag, path));
    }
  }
  const frame = document.createElement("iframe");
  frame.src = url;
  document.body.append(frame);
  await new Promise((resolve) => frame.addEventListener("load", resolve));
  await note("frame", () => frame.contentWindow.localStorage.getItem("webwx.session"));
  const opened = window.open(url);
  await note("window", async () => {
    while (!opened.closed) await new Promise((resolve) => setTimeout(resolve, 20)); // it is cut off from its opener
    return opened.location?.href ?? "";
  });
  await note("storage", () => localStorage.getItem("webwx.session") ?? "");
  return tried;
}
"""
"""What a page can try: read with and without permission, act by forms and fetch, load elements, frames and windows."""


async def test_a_page_of_another_port_of_this_machine_can_neither_read_nor_act(
    console: Page, gateway: ServedGateway
) -> None:
    received: list[web.Request] = []

    async def page(request: web.Request) -> web.Response:
        received.append(request)
        return web.Response(text="<!doctype html><title>evil</title><body></body>", content_type="text/html")

    app = web.Application()
    app.router.add_route("*", "/{path:.*}", page)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    secret = await console.evaluate("localStorage.getItem('webwx.session')")
    assert secret
    attacker = await console.context.new_page()
    await attacker.goto(f"http://127.0.0.1:{runner.addresses[0][1]}/")
    tried = await attacker.evaluate(ATTACK, gateway.url)

    assert {outcome for outcome in tried.values() if not outcome.startswith("refused")} == {""}, json.dumps(tried)
    assert received
    assert not any(secret in f"{request.path_qs} {request.headers}" for request in received)
    async with httpx.AsyncClient(base_url=gateway.url) as program:  # the program of that port, with what it was sent
        for request in received:
            stolen = {"Cookie": request.headers.get("Cookie", ""), HEADER: "1"}
            assert (await program.get("/api/v1/accounts", headers=stolen)).status_code == 401
            key = {"name": "stolen", "scopes": ["admin"]}
            assert (await program.post("/api/v1/keys", headers=stolen, json=key)).status_code in {401, 429}
    assert await gateway.gateway.keys.find() == []
    await runner.cleanup()
