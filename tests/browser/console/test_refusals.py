"""A request that the gateway refuses because of a field is explained beside that field, in every panel."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import pytest
from tests.browser.console.console_user import button, open_screen
from tests.gateway.adapters.toy import build, importable

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from pathlib import Path

    from playwright.async_api import Locator, Page
    from tests.browser.console.console_user import ServedGateway

    from webwx.sandbox.world import World

pytestmark = pytest.mark.verify


class Refusal(NamedTuple):
    """What a user enters, and where the refusal of the gateway is shown."""

    screen: str
    open: str
    """Button that opens the panel."""
    send: str
    entered: dict[str, str]
    """Texts to enter, by the label of their field."""
    field: str
    """Label of the field that is invalid."""
    reason: str
    """Part of what is shown."""
    own_words: str = ""
    """Part of the English sentence of the gateway that is shown below it."""


ENGLISH = (
    Refusal("Accounts", "Add account", "Add account", {"Name": "../x"}, "Name", "cannot name an account"),
    Refusal("Keys", "New key", "Create key", {"Name": "a", "Last day": "9999-12-31"}, "Last day", "before the year"),
    Refusal(
        "Webhooks", "New webhook", "Create webhook", {"Name": "a", "Address": "http://127.0.0.1/"}, "Address", "private"
    ),
    Refusal(
        "Webhooks", "New webhook", "Create webhook",
        {"Name": "a", "Address": "https://example.com/", "Events": "mesage.*"}, "Events", "No type of event",
    ),
    Refusal(
        "Notifications", "New address", "Create address", {"Name": "a", "Time zone": "Moon"}, "Time zone",
        "no time zone",
    ),
    Refusal(
        "Incoming files", "New rule", "Create rule", {"Name": "a", "Folder": "../b"}, "Folder", "below the root"
    ),
    Refusal(
        "Connected programs", "New program", "Create program", {"Name": "a", "Chats that it sees": "everyone"},
        "Chats that it sees", "not a chat",
    ),
    Refusal(
        "Connected programs", "New program", "Create program", {"Name": "a", "Options": '{"absent": 1}'}, "Options",
        "absent",
    ),
)  # fmt: skip

CHINESE = (
    Refusal("账号", "添加账号", "添加账号", {"名称": "../x"}, "名称", "这个名称不可用。", "'../x' cannot name"),
    Refusal(
        "密钥",
        "新建密钥",
        "创建密钥",
        {"名称": "a", "最后有效日期": "9999-12-31"},
        "最后有效日期",
        "有效期须晚于现在，且早于 9999 年。",
    ),
    Refusal(
        "Webhook",
        "新建 Webhook",
        "创建 Webhook",
        {"名称": "a", "地址": "https://example.com/", "事件": "mesage.*"},
        "事件",
        "没有这样的事件类型。",
        "'mesage.*'",
    ),
    Refusal(
        "Webhook",
        "新建 Webhook",
        "创建 Webhook",
        {"名称": "a", "地址": "http://127.0.0.1/"},
        "地址",
        "网关不连接这个地址",
    ),
    Refusal(
        "已连接的程序",
        "新建程序",
        "创建程序",
        {"名称": "a", "可查看的会话": "everyone"},
        "可查看的会话",
        "会话无效：请填写 filehelper、编号或 *。",
        "everyone",
    ),
)


@pytest.mark.parametrize(
    ("how", "refusals"),
    [({"locale": "en-US"}, ENGLISH), ({"locale": "zh-CN", "viewport": {"width": 390, "height": 700}}, CHINESE)],
    ids=["wide", "narrow"],
)
async def test_a_refusal_is_shown_beside_the_field_that_it_is_about(
    open_console: Callable[..., Awaitable[Page]],
    gateway: ServedGateway,
    world: World,
    tmp_path: Path,
    how: dict[str, object],
    refusals: tuple[Refusal, ...],
) -> None:
    await gateway.log_in(world)
    page = await open_console(**how)
    folder = tmp_path / "toy"
    folder.mkdir()
    with importable(folder):
        gateway.gateway.programs.entries = build(folder)
        for refusal in refusals:
            await open_screen(page, refusal.screen)
            await button(page, refusal.open).click()
            panel = page.get_by_role("dialog")
            await enter(panel, refusal.entered)
            await button(panel, refusal.send).click()
            await see_refusal(page, panel, refusal)
            await page.keyboard.press("Escape")
            await panel.wait_for(state="detached")


async def enter(panel: Locator, texts: dict[str, str]) -> None:
    for label, text in texts.items():
        field = panel.get_by_label(label, exact=True)
        if not await field.is_visible():
            await panel.locator("summary").click()
        await field.fill(text)


async def see_refusal(page: Page, panel: Locator, refusal: Refusal) -> None:
    """Wait until the field is marked as invalid, is described by the reason and has the focus, until it is changed."""
    field = panel.get_by_label(refusal.field, exact=True)
    beside = panel.get_by_role("alert").filter(has_text=refusal.reason)
    await beside.wait_for()
    assert await field.get_attribute("aria-invalid") == "true"
    described_by = (await field.get_attribute("aria-describedby") or "").split()
    assert await beside.get_attribute("id") in described_by
    if refusal.own_words:
        await beside.locator(".own-words[lang=en]").filter(has_text=refusal.own_words).wait_for()
    assert await field.evaluate("field => field === document.activeElement")
    assert await panel.locator(".panel-foot [role=alert]").inner_text() == ""
    await page.keyboard.press("End")
    await page.keyboard.press("Backspace")
    if await field.get_attribute("type") != "date":
        await beside.wait_for(state="detached")
        assert await field.get_attribute("aria-invalid") is None


async def test_the_refused_scopes_of_a_key_are_explained_beside_them(
    open_console: Callable[..., Awaitable[Page]],
) -> None:
    page = await open_console()
    await open_screen(page, "Keys")
    await button(page, "New key").click()
    panel = page.get_by_role("dialog", name="New key")
    await panel.get_by_label("Name", exact=True).fill("a")
    scopes = panel.get_by_role("group").first
    first = scopes.get_by_role("checkbox").first
    await first.uncheck()
    await button(panel, "Create key").click()
    await scopes.get_by_role("alert").filter(has_text="A key needs a scope").wait_for()
    assert await first.get_attribute("aria-invalid") == "true"
    assert await first.evaluate("box => box === document.activeElement")
    await scopes.get_by_role("checkbox").nth(1).check()
    await scopes.get_by_role("alert").filter(has_text="A key needs a scope").wait_for(state="detached")
    assert await first.get_attribute("aria-invalid") is None


async def test_a_refusal_that_is_about_no_field_is_shown_above_the_buttons(
    open_console: Callable[..., Awaitable[Page]], gateway: ServedGateway
) -> None:
    await gateway.gateway.port.add_account("home")
    page = await open_console()
    await open_screen(page, "Accounts")
    await button(page, "Add account").click()
    panel = page.get_by_role("dialog", name="New account")
    await panel.get_by_label("Name", exact=True).fill("work")
    await page.context.set_offline(True)
    await button(panel, "Add account").click()
    await panel.locator(".panel-foot").get_by_role("alert").get_by_text("does not answer").wait_for()
    assert await panel.locator("[aria-invalid]").count() == 0


async def test_a_chinese_page_says_in_chinese_why_the_gateway_refuses(
    open_console: Callable[..., Awaitable[Page]], gateway: ServedGateway, world: World
) -> None:
    await gateway.log_in(world)
    page = await open_console(locale="zh-CN")
    await open_screen(page, "密钥")
    answers = page.locator("#screen > [role=alert]")
    await page.route(
        "**/api/v1/keys/*", lambda route: route.fulfill(status=404, json={"code": "not-found", "title": "Not."})
    )
    await gateway.gateway.keys.create("grafana", ("read",))
    await page.reload()
    await button(page, "删除").click()
    await button(page.get_by_role("dialog"), "删除").click()
    await answers.get_by_text("不存在，或无权访问。", exact=True).wait_for()


async def test_a_chinese_sentence_that_says_little_has_that_of_the_gateway_below_it(
    open_console: Callable[..., Awaitable[Page]],
) -> None:
    page = await open_console(locale="zh-CN")
    await page.get_by_role("navigation").wait_for()
    shown = await page.evaluate(
        """async () => {
            const { inWords } = await import("./console/problem-words.js");
            const explanation = "The only reason.";
            const fields = ["template", "secret", "kinds", "zone"];
            return fields.map((field) => inWords({ code: "invalid-request", field, explanation }).detail);
        }"""
    )
    assert shown == ["The only reason.", "The only reason.", "", ""]
