"""
A client inside a page: script elements for the assignments, `fetch` for all else, and a browser that applies its rules.

The page has the platform's real origin, and the browser reaches every real host by the sandbox's proxy. Cookies by
domain, preflight requests, other hosts and compressed answers are up to the browser, as for the platform's own page.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
import pytest_asyncio

from webwx.sandbox.clock import SystemClock
from webwx.sandbox.core import SandboxCore
from webwx.sandbox.options import Options
from webwx.sandbox.serve import serve

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from playwright.async_api import Browser, Page

    from webwx.sandbox.world import World

pytestmark = pytest.mark.verify

CLIENT = """
const load = (url) => new Promise((resolve, reject) => {
  const script = document.createElement("script");
  script.onload = resolve;
  script.onerror = reject;
  script.src = url;
  document.head.append(script);
});
const api = "/cgi-bin/mmwebwx-bin";
const ask = async (url, more = {}) => (await fetch(url, { credentials: "include", ...more })).text();
const post = async (call, body) => JSON.parse(await ask(`${api}/${call}`, {
  method: "POST", body: JSON.stringify({ BaseRequest: base, ...body }),
}));
let base = {};
let keys;

async function login() {
  window.QRLogin = {};
  await load("https://login.wx.qq.com/jslogin?appid=wx782c26e4c19acffb&fun=new&lang=zh_CN");
  const uuid = encodeURIComponent(window.QRLogin.uuid);
  for (let tip = 1; window.code !== 200; tip = 0) {
    await load(`https://login.wx.qq.com${api}/login?loginicon=true&uuid=${uuid}&tip=${tip}&_=${Math.random()}`);
  }
  const xml = await ask(`${window.redirect_uri}&fun=new&version=v2`);
  const tag = (name) => new DOMParser().parseFromString(xml, "text/xml").querySelector(name).textContent;
  base = { Uin: tag("wxuin"), Sid: tag("wxsid"), Skey: tag("skey"), DeviceID: "e123456789012345" };
  keys = await post("webwxinit", {});
  return keys.User.NickName;
}

async function contacts() {
  const found = [];
  let seq = 0;
  do {
    const page = JSON.parse(await ask(`${api}/webwxgetcontact?seq=${seq}&skey=${encodeURIComponent(base.Skey)}`));
    found.push(...page.MemberList);
    seq = page.Seq;
  } while (seq);
  return Object.fromEntries(found.map((each) => [each.NickName, each.UserName]));
}

async function hear() {
  const key = keys.SyncKey.List.map((pair) => `${pair.Key}_${pair.Val}`).join("|");
  await load(`https://webpush.wx.qq.com${api}/synccheck?sid=${encodeURIComponent(base.Sid)}&uin=${base.Uin}`
    + `&synckey=${encodeURIComponent(key)}&_=${Math.random()}`);
  keys = await post("webwxsync", { SyncKey: keys.SyncKey, rr: ~Date.now() });
  return [window.synccheck.selector, ...keys.AddMsgList.map((message) => message.Content)];
}

async function upload(content) {
  const form = new FormData();
  const ticket = {
    UploadType: 2, BaseRequest: base, ClientMediaId: Date.now(), TotalLen: content.length, StartPos: 0,
    DataLen: content.length, MediaType: 4,
  };
  form.append("mediatype", "doc");
  form.append("uploadmediarequest", JSON.stringify(ticket));
  form.append("filename", new Blob([content], { type: "text/plain" }), "报告.txt");
  const url = `https://file.wx.qq.com${api}/webwxuploadmedia?f=json`;
  return JSON.parse(await ask(url, { method: "POST", body: form, headers: { mmweb_appid: "own" } })).MediaId;
}
"""


@pytest.fixture
def world(make_world: Callable[..., World]) -> World:
    """A world that is strict about hosts and cookies, with more contacts than fit into one page."""
    options = Options(auto_confirm=True, strict_hosts=True, strict_cookies=True, contact_page_size=3)
    world = make_world(options=options, clock=SystemClock())
    world.set_saved("me", "hiking", is_saved=True)
    return world


@pytest_asyncio.fixture(loop_scope="session")
async def page(chromium: Browser, world: World) -> AsyncIterator[Any]:
    """A page at https://wx.qq.com."""
    served = await serve(SandboxCore(world), tls=True)
    assert served.tls is not None
    context = await chromium.new_context(proxy={"server": served.tls.proxy}, ignore_https_errors=True)
    page = await context.new_page()
    await page.goto("https://wx.qq.com/")
    await page.add_script_tag(content=CLIENT)
    yield page
    await context.close()
    await served.close()


async def test_a_page_logs_in_reads_contacts_receives_and_uploads(page: Page, world: World) -> None:
    assert await page.evaluate("login()") == "小明"
    contacts = await page.evaluate("contacts()")
    assert {"小明", "阿华", "张三", "李雷", "周末爬山"} < set(contacts)
    world.say("ahua", "me", "在吗")
    assert await page.evaluate("hear()") == ["2", "在吗"]
    media_id = await page.evaluate("upload('a report')")
    session = world.logins.live(world.person("me"))
    assert session is not None
    assert session.media[media_id].content == b"a report"


async def test_a_page_of_another_origin_reads_nothing(page: Page) -> None:
    await page.evaluate("login()")
    await page.goto("https://wechatapp.com/")
    call = "fetch('https://wx.qq.com/cgi-bin/mmwebwx-bin/webwxgetcontact', {credentials: 'include'})"
    assert await page.evaluate(f"{call}.then(() => 'read', () => 'refused')") == "refused"
