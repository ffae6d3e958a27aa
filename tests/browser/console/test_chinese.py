"""English sentences of the gateway are Chinese on a Chinese page, or stand below a Chinese one, marked as English."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import pytest_asyncio
from msgspec.structs import replace
from tests.browser.console.console_user import button, english_in, open_screen

from webwx.errors import Timeout
from webwx.gateway.adapters.confirmation import SendToConfirm
from webwx.gateway.adapters.program import Program, StoredProgram
from webwx.gateway.incoming_files.rules import IncomingFileRule
from webwx.gateway.webhooks.webhooks import StoredWebhook

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from pathlib import Path

    from playwright.async_api import Page
    from tests.browser.console.console_user import ServedGateway

    from webwx.sandbox.world import World

pytestmark = pytest.mark.verify

CLOSED = "http://127.0.0.1:1024/"
"""An address at which nothing listens."""


@pytest_asyncio.fixture(loop_scope="session")
async def page(gateway: ServedGateway, world: World, open_console: Callable[..., Awaitable[Page]]) -> Page:
    """The Chinese console of a gateway with one account."""
    await gateway.log_in(world)
    return await open_console(locale="zh-CN")


async def test_the_end_of_a_login_and_a_login_that_fails_are_explained_in_chinese(
    page: Page, gateway: ServedGateway, world: World
) -> None:
    account = gateway.gateway.port.account(1)
    world.log_out("me")
    await account.check()
    await open_screen(page, "运行状况")
    await page.get_by_role("row").get_by_text("微信已结束登录，请重新登录。").wait_for()
    assert await english_in(page) == []
    await open_screen(page, "账号")
    await page.get_by_text("微信已结束登录，请重新登录。").wait_for()
    await button(page, "登录").click()
    await button(page, "停止").wait_for()
    await account.logins.cancel()
    await page.get_by_role("alert").filter(has_text="登录已停止。").wait_for()
    assert await english_in(page) == []


async def test_deliveries_and_what_was_given_up_are_explained_in_chinese(
    page: Page, gateway: ServedGateway, world: World
) -> None:
    app = gateway.gateway
    made = await app.webhooks.create(
        StoredWebhook(id="", name="n8n", url=CLOSED, allow_private=True, created_at=0, secret="")
    )
    async with app.port.account(1).events.consume(made.webhook.consumer) as consumer:
        world.say("ahua", "me", "你好")
        for event in await consumer.take():
            await consumer.give_up(event.event.number, "not-accepted: The server answered 500.")
    await open_screen(page, "Webhook")
    await page.get_by_role("link", name="n8n").click()
    await page.get_by_text("服务器已应答，但没有接受此事件。").first.wait_for()
    await button(page, "发送测试").click()
    await page.get_by_role("alert").filter(has_text="无法建立连接，未发送任何内容。").wait_for()
    row = page.get_by_role("row").filter(has_text="Webhook 测试")
    await row.get_by_text("无法建立连接，未发送任何内容。").wait_for()
    assert await english_in(page) == []


async def test_a_file_that_was_not_saved_is_explained_in_chinese(
    page: Page, gateway: ServedGateway, world: World, tmp_path: Path
) -> None:
    app = gateway.gateway
    rule = await app.incoming_file_rules.create(IncomingFileRule(id="", name="scans", folder="", created_at=0))
    await app.incoming_files.apply(rule.id)
    (tmp_path / "incoming").rmdir()
    world.file("ahua", "me", b"x", "a.txt")
    await open_screen(page, "接收文件")
    await page.get_by_role("link", name="scans").click()
    outcome = page.get_by_role("row").filter(has_text="此机器上的状态不允许此操作。")
    await outcome.get_by_text("disk that is not mounted").wait_for()
    assert await english_in(page) == []


async def test_the_last_error_of_a_program_is_explained_in_chinese(page: Page, gateway: ServedGateway) -> None:
    app = gateway.gateway
    program = await app.programs.create(
        StoredProgram(id="", name="bot", adapter="mcp", account=1, digest="", created_at=0)
    )
    app.peers.note_error(program.program.id, Timeout("There was no answer."), "There was no answer.")
    await open_screen(page, "已连接的程序")
    await page.get_by_role("row").get_by_text("没有及时收到应答。").wait_for()
    await page.get_by_role("row").get_by_text("AI 智能体（MCP）").wait_for()
    assert await english_in(page) == []
    await page.get_by_role("link", name="bot").click()
    await page.get_by_text("没有及时收到应答。").wait_for()
    assert await english_in(page) == []


async def test_events_and_actions_of_agents_have_chinese_names(
    page: Page, gateway: ServedGateway, world: World
) -> None:
    await open_screen(page, "实时事件")
    world.say("ahua", "me", "你好")
    row = page.get_by_role("option").filter(has_text="文字消息")
    await row.get_by_text("message.text", exact=True).wait_for()
    assert await english_in(page) == []
    records = gateway.gateway.records
    await records.append_audit("program 1", "mcp.send_text", target="filehelper", detail="waiting_for_owner", time=0)
    await records.append_audit("program 1", "mcp.reply", target="12", detail="chat-not-allowed", time=0)
    await open_screen(page, "运行状况")
    await page.get_by_role("row").filter(has_text="AI 智能体：发送文字").get_by_text("等待你确认").wait_for()
    await (
        page.get_by_role("row")
        .filter(has_text="AI 智能体：回复消息")
        .get_by_text("此程序不能使用这个会话。")
        .wait_for()
    )
    assert await english_in(page) == []


async def test_the_events_of_a_webhook_have_chinese_names(page: Page, gateway: ServedGateway) -> None:
    types = ("message.text", "friend.*")
    await gateway.gateway.webhooks.create(
        StoredWebhook(id="", name="n8n", url="https://hooks.example.com/in", types=types, created_at=0, secret="")
    )
    await open_screen(page, "Webhook")
    await page.get_by_role("row").filter(has_text="文字消息 message.text").get_by_text("所有好友事件").wait_for()
    assert await english_in(page) == []
    await page.get_by_role("link", name="n8n").click()
    await page.get_by_text("事件：文字消息 message.text, 所有好友事件 friend.*").wait_for()
    assert await english_in(page) == []
    await button(page, "编辑").click()
    form = page.get_by_role("dialog", name="n8n")
    await form.get_by_role("list", name="已选").get_by_text("文字消息").wait_for()
    await form.get_by_label("事件", exact=True).fill("好友请求")
    await button(form, "保存").click()
    await page.get_by_text("事件：文字消息 message.text, 好友请求 friend.requested").wait_for()
    assert await english_in(page) == []


async def test_a_send_that_was_accepted_and_not_made_is_explained_in_chinese(
    page: Page, gateway: ServedGateway
) -> None:
    app = gateway.gateway
    made = await app.programs.create(
        StoredProgram(
            id="", name="assistant", adapter="mcp", account=1, digest="", created_at=0, options={"confirm": "phone"}
        )
    )
    wanted = SendToConfirm("k", 1, "Boss", is_group=False, kind="text", text="hello")
    asked = await app.confirmations.ask(Program(made.program, None), wanted)
    await app.confirmations.stored.change(asked, lambda each: replace(each, state="failed", error="stale-contact"))
    await open_screen(page, "已连接的程序")
    await page.get_by_role("link", name="assistant").click()
    sends = page.get_by_role("region", name="等待你确认")
    await sends.get_by_text("没有等待确认的消息。").wait_for()
    await sends.get_by_text("你已同意，但未能发送。 这个 id 属于以前的登录，现在不再有效。").wait_for()
    assert await english_in(page) == []
