"""A web page of another origin, which tries to log in at a sandbox that confirms every login."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

import pytest
from aiohttp import web

from webwx.sandbox.clock import SystemClock
from webwx.sandbox.core import SandboxCore
from webwx.sandbox.options import Options
from webwx.sandbox.serve import serve

if TYPE_CHECKING:
    from collections.abc import Callable

    from playwright.async_api import Browser

    from webwx.sandbox.world import World

pytestmark = pytest.mark.verify

LOG_IN = """
async (url) => {
  const load = (path) => new Promise((resolve) => {
    const script = document.createElement("script");
    script.addEventListener("load", resolve);
    script.addEventListener("error", resolve);
    script.src = url + path;
    document.body.append(script);
  });
  window.QRLogin = {};
  await load("/jslogin?appid=wx782c26e4c19acffb&fun=new&lang=en_US");
  for (let number = 0; number < 3; number++) {
    await load(`/cgi-bin/mmwebwx-bin/login?loginicon=true&uuid=${window.QRLogin.uuid}&tip=0`);
  }
  return [window.QRLogin.uuid ?? "", window.redirect_uri ?? ""];
}
"""


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
async def test_a_page_of_another_origin_cannot_log_in_with_scripts(
    chromium: Browser, make_world: Callable[..., World], host: str
) -> None:
    async def page(_: web.Request) -> web.Response:
        return web.Response(text="<!doctype html><body></body>", content_type="text/html")

    app = web.Application()
    app.router.add_get("/", page)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    world = make_world(clock=SystemClock(), rng=random.Random(2), options=Options(auto_confirm=True))
    sandbox = await serve(SandboxCore(world))
    context = await chromium.new_context()
    attacker, owner = await context.new_page(), await context.new_page()
    await attacker.goto(f"http://{host}:{runner.addresses[0][1]}/")
    await owner.goto(f"{sandbox.url}/phone")

    assert await attacker.evaluate(LOG_IN, sandbox.url) == ["", ""]
    assert all(await owner.evaluate(LOG_IN, sandbox.url))  # so the scripts are those of a login
    await context.close()
    await sandbox.close()
    await runner.cleanup()
