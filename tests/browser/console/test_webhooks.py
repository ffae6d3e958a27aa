"""The screen of the webhooks: create, test, deliveries, sending again, and what was given up."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from tests.browser.console.console_user import button, open_screen
from tests.gateway.webhook_receiver import webhook_receiver

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from playwright.async_api import Page
    from tests.browser.console.console_user import ServedGateway

    from webwx.sandbox.world import World

pytestmark = pytest.mark.verify


async def create(page: Page, url: str, name: str = "n8n") -> str:
    """Create a webhook by its form, and return its secret."""
    await open_screen(page, "Webhooks")
    await button(page, "New webhook").click()
    form = page.get_by_role("dialog", name="New webhook")
    await form.get_by_label("Name").fill(name)
    await form.get_by_label("Address", exact=True).fill(url)
    await form.get_by_label("The address may be on this machine").check()
    await form.get_by_label("Events").fill("message.text, friend.requested")
    await button(form, "Create webhook").click()
    shown = page.get_by_role("dialog", name=f"Secret of {name}")
    secret: str = await shown.locator("pre").inner_text()
    await page.keyboard.press("Enter")  # Close has the focus
    await shown.wait_for(state="detached")
    return secret


async def test_a_webhook_is_created_by_form_and_its_deliveries_appear(
    console: Page, gateway: ServedGateway, world: World
) -> None:
    async with webhook_receiver() as receiver:
        secret = await create(console, receiver.url)
        assert secret.startswith("whsec_")
        await console.get_by_role("link", name="n8n").click()
        await button(console, "Send a test").click()
        await console.get_by_text("The test was accepted: 200").wait_for()
        assert (await receiver.requests.get()).event["type"] == "webhook.test"
        world.say("ahua", "me", "hello <b>webhook</b>")
        assert await receiver.texts(1) == ["hello <b>webhook</b>"]
        delivered = console.get_by_role("row").filter(has_text="message.text")
        await delivered.get_by_text("200", exact=True).wait_for()
        await delivered.get_by_role("button", name="Send again").focus()
        await console.keyboard.press("Enter")
        assert await receiver.texts(1) == ["hello <b>webhook</b>"]
        await console.get_by_text("Events that are sent again: 1.").wait_for()
        await console.get_by_role("row").filter(has_text="sent again").wait_for()
        await button(console, "Send a period again").click()
        period = console.get_by_role("dialog", name="Send a period again")
        await period.get_by_label("From").wait_for()
        await console.keyboard.press("Enter")  # the last hour
        assert await receiver.texts(1) == ["hello <b>webhook</b>"]
        await period.wait_for(state="detached")
    assert secret not in await console.content()


async def test_types_of_events_are_chosen_by_names_with_the_keyboard(console: Page, gateway: ServedGateway) -> None:
    await open_screen(console, "Webhooks")
    await button(console, "New webhook").click()
    form = console.get_by_role("dialog", name="New webhook")
    await form.get_by_label("Name").fill("n8n")
    await form.get_by_label("Address", exact=True).fill("https://hooks.example.com/in")
    chosen, events = form.get_by_role("list", name="Chosen").get_by_role("listitem"), form.get_by_label("Events")
    await chosen.filter(has_text="All messages").get_by_text("message.*", exact=True).wait_for()
    await events.focus()
    await console.keyboard.type("friend request")
    await console.keyboard.press("Enter")
    await console.keyboard.type("account.state,")  # those who know the identifiers write them
    await console.keyboard.type("Text")
    await console.keyboard.press("Enter")  # a part of all messages, in their place
    assert [await each.inner_text() for each in await chosen.locator("span").all()] == [
        "Friend request friend.requested", "State of an account account.state", "Text message.text",
    ]  # fmt: skip
    await button(form, "Remove State of an account").focus()
    await console.keyboard.press("Enter")
    assert await button(form, "Remove Text").evaluate("each => each === document.activeElement")
    await events.focus()
    await console.keyboard.type("file")
    await button(form, "Create webhook").focus()  # what is not added yet counts
    await console.keyboard.press("Enter")
    await console.get_by_role("dialog", name="Secret of n8n").wait_for()
    [webhook] = await gateway.gateway.webhooks.find()
    assert webhook.types == ("friend.requested", "message.text", "message.file")
    await console.keyboard.press("Enter")
    await console.get_by_role("row").filter(has_text="Friend request friend.requested").wait_for()


async def test_the_names_of_events_are_completed(console: Page) -> None:
    await open_screen(console, "Webhooks")
    await button(console, "New webhook").click()
    form = console.get_by_role("dialog", name="New webhook")
    events = form.get_by_label("Events")
    suggested = await events.evaluate("input => [...input.list.options].map(({ value, label }) => [value, label])")
    assert ["Friend request", "friend.requested"] in suggested
    assert ["All messages", "message.*"] in suggested
    await events.evaluate("""input => {
        input.value = "Friend request";  // as a browser that completes it
        input.dispatchEvent(new InputEvent("input", { bubbles: true, inputType: "insertReplacementText" }));
    }""")
    await form.get_by_role("listitem").filter(has_text="Friend request").wait_for()
    assert await events.input_value() == ""


async def test_a_test_that_fails_is_explained(console: Page) -> None:
    async with webhook_receiver() as receiver:
        receiver.answer = lambda _: "500 No"
        await create(console, receiver.url)
        await console.get_by_role("link", name="n8n").click()
        await button(console, "Send a test").click()
        await console.get_by_role("alert").filter(has_text="The test failed. The server answered 500.").wait_for()
        await console.get_by_role("row").filter(has_text="webhook.test").get_by_text("500", exact=True).wait_for()


async def test_an_address_that_is_refused_is_explained_in_the_form(console: Page) -> None:
    await open_screen(console, "Webhooks")
    await button(console, "New webhook").click()
    form = console.get_by_role("dialog", name="New webhook")
    await form.get_by_label("Name").fill("n8n")
    await form.get_by_label("Address", exact=True).fill("http://127.0.0.1:9999/")
    await console.keyboard.press("Enter")
    await form.get_by_role("alert").filter(has_text="private").wait_for()
    await console.keyboard.press("Escape")
    await console.get_by_text("No webhooks yet").wait_for()


async def test_a_webhook_is_changed_disabled_rotated_and_deleted(console: Page) -> None:
    async with webhook_receiver() as receiver:
        secret = await create(console, receiver.url)
        await console.get_by_role("link", name="n8n").click()
        await button(console, "Edit").click()
        form = console.get_by_role("dialog", name="n8n")
        await form.get_by_label("Name").fill("renamed")
        await form.get_by_label("Chats").fill("阿华")
        await button(form, "Save").click()
        await console.get_by_role("heading", name="renamed").wait_for()
        await console.get_by_text("Chats: 阿华").wait_for()
        await button(console, "Disable").click()
        await console.get_by_text("disabled", exact=True).wait_for()
        await button(console, "Enable").click()
        await console.get_by_text("active", exact=True).wait_for()
        await button(console, "Replace secret").click()
        await button(console.get_by_role("dialog"), "Replace secret").click()
        shown = console.get_by_role("dialog", name="Secret of renamed")
        assert await shown.locator("pre").inner_text() != secret
        await console.keyboard.press("Enter")
        await button(console, "Delete").click()
        await button(console.get_by_role("dialog"), "Delete").click()
        await console.get_by_text("No webhooks yet").wait_for()


async def test_an_event_that_was_given_up_is_delivered_again(
    console: Page, gateway: ServedGateway, world: World
) -> None:
    async with webhook_receiver() as receiver:
        await create(console, receiver.url)
        [webhook] = await gateway.gateway.webhooks.find()
        receiver.answer = lambda _: "500 No"
        world.say("ahua", "me", "refused")
        assert await receiver.texts(1) == ["refused"]
        await give_up_all(gateway, webhook.id)
        receiver.answer = lambda _: "200 OK"
        await console.get_by_role("link", name="n8n").click()
        dead = (
            console.get_by_role("table", name="Events that were given up")
            .get_by_role("row")
            .filter(has_text="message.text")
        )
        await dead.get_by_role("button", name="Deliver again").click()
        assert await receiver.texts(1) == ["refused"]
        await console.get_by_text("The event is delivered again.").wait_for()


async def give_up_all(gateway: ServedGateway, webhook_id: str) -> None:
    """Make every waiting event of a webhook a dead letter, as after the last attempt."""
    from msgspec.structs import replace

    webhooks, deliveries = gateway.gateway.webhooks, gateway.gateway.deliveries
    webhook = await webhooks.change(webhook_id, lambda each: replace(each, enabled=False))
    assert webhook is not None
    await deliveries.apply(webhook_id)
    async with gateway.gateway.port.account(1).events.consume(webhook.consumer) as consumer:
        for event in await consumer.take():
            await consumer.give_up(event.event.number, "The server answered 500.")
    await webhooks.change(webhook_id, lambda each: replace(each, enabled=True))
    await deliveries.apply(webhook_id)


async def test_the_screen_is_chinese_and_fits_a_narrow_dark_window(
    open_console: Callable[..., Awaitable[Page]], gateway: ServedGateway, world: World
) -> None:
    await gateway.log_in(world)
    page = await open_console(locale="zh-CN", viewport={"width": 360, "height": 640}, color_scheme="dark")
    await page.goto(f"{gateway.url}/#/webhooks")
    await button(page, "新建 Webhook").click()
    form = page.get_by_role("dialog", name="新建 Webhook")
    await form.get_by_label("名称", exact=True).fill("n8n")
    await form.get_by_label("地址", exact=True).fill("https://hooks.example.com/in/with/a/long/path/that/has/to/wrap")
    assert await page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    await button(form, "创建 Webhook").click()
    await page.get_by_role("dialog", name="n8n 的密钥").wait_for()
    await page.keyboard.press("Enter")
    await page.get_by_role("link", name="n8n").click()
    await button(page, "发送测试").wait_for()
    assert await page.evaluate("document.documentElement.scrollWidth <= innerWidth")
