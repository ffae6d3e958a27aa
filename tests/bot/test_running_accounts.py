"""A handler that acts with another account of its process."""

from __future__ import annotations

import asyncio
import threading
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import pytest
from tests.bot.conftest import until
from tests.bot.test_context import context, text_from
from tests.postgres import new_schema

from webwx.bot.bot import Bot, start
from webwx.bot.router import Router
from webwx.bot.running_accounts import RunningAccounts
from webwx.client.client import AsyncClient
from webwx.errors import InvalidRequest, UnknownContact
from webwx.model.messages import Event, TextMessage
from webwx.settings import Settings

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from tests.bot.conftest import OpenClient

    from webwx.bot.context import Context
    from webwx.bot.sync_context import SyncContext
    from webwx.testing import Sandbox


@pytest.fixture(autouse=True)
def home(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The folder of the test for logins and journals of accounts."""
    monkeypatch.setenv("WEBWX_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("WEBWX_CONFIG", str(tmp_path / "none.toml"))


async def logged_in_bot(sandbox: Sandbox, account: str, person: str, router: Router) -> Bot:
    """Log an account in, and return its bot."""
    settings = Settings.read(account=account, server=sandbox.url)
    storage = settings.open_storage()
    store = storage.login(settings.login_name)
    async with AsyncClient(server=sandbox.url, store=store) as client:
        await client.login(show_qr=lambda _: sandbox.person(person).confirms_login())
    await storage.close()
    bot = Bot(account=account, server=sandbox.url)
    bot.include(router)
    return bot


@asynccontextmanager
async def running(*bots: Bot) -> AsyncIterator[None]:
    """Run bots of several accounts in this process, from the moment that all of them are ready."""
    ready = asyncio.Semaphore(0)
    task = asyncio.create_task(start(*bots, on_ready=lambda *_: ready.release()))
    try:
        for _ in bots:
            await ready.acquire()
        yield
    finally:
        task.cancel()
        await asyncio.wait([task])


async def test_handlers_of_two_accounts_send_once_with_one_of_them_despite_failures_and_a_restart(
    webwx_sandbox: Sandbox,
) -> None:
    sandbox, router = webwx_sandbox, Router()
    calls: list[str] = []

    @router.on(TextMessage, group=False)
    async def pass_on(ctx: Context, message: TextMessage) -> None:
        calls.append(message.text)
        await ctx.account("work").send_text("张三", f"{message.text} 1")
        await ctx.account("work").send_text("张三", f"{message.text} 2")
        if calls.count(message.text) == 1:
            raise ZeroDivisionError

    bots = [await logged_in_bot(sandbox, *names, router) for names in (("family", "小明"), ("work", "阿华"))]
    for number in (1, 2):
        async with running(*bots):
            if number == 1:
                sandbox.person("李雷").say("to family", to="小明")
                sandbox.person("李雷").say("to work", to="阿华")
            await until(lambda: sorted(calls) == sorted(["to family", "to work"] * number))  # noqa: B023

    received = [message.text for message in sandbox.person("张三").chat("阿华")]
    assert sorted(received) == ["to family 1", "to family 2", "to work 1", "to work 2"]


async def test_sends_of_an_error_handler_with_another_account_are_not_those_of_the_handler(
    webwx_sandbox: Sandbox,
) -> None:
    sandbox, router = webwx_sandbox, Router()
    attempts: list[int] = []

    @router.on(TextMessage, group=False)
    async def buy(ctx: Context, message: TextMessage) -> None:
        other = ctx.account("work")
        attempts.append(ctx.attempt)
        if ctx.attempt == 1:
            raise LookupError
        await other.send_text("张三", "sold")

    @router.error(LookupError)
    async def sold_out(ctx: Context, event: Event | None, error: LookupError) -> None:
        await ctx.account("work").send_text("张三", "sorry")
        raise error

    names = (("family", "小明", router), ("work", "阿华", Router()))
    bots = [await logged_in_bot(sandbox, *each) for each in names]
    async with running(*bots):
        sandbox.person("李雷").say("buy", to="小明")
        await until(lambda: attempts == [1, 2])
        await until(lambda: [message.text for message in sandbox.person("张三").chat("阿华")] == ["sorry", "sold"])


async def test_an_error_handler_sends_once_with_another_account_whatever_the_handler_has_sent_before(
    webwx_sandbox: Sandbox,
) -> None:
    sandbox, router = webwx_sandbox, Router()
    reported: list[int] = []

    @router.on(TextMessage, group=False)
    async def buy(ctx: Context, message: TextMessage) -> None:
        if ctx.attempt == 1:
            await ctx.account("work").send_text("张三", "sold")
        raise LookupError

    @router.error(LookupError)
    async def sold_out(ctx: Context, event: Event | None, error: LookupError) -> None:
        await ctx.account("work").send_text("张三", "sorry")
        reported.append(ctx.attempt)
        raise error

    names = (("family", "小明", router), ("work", "阿华", Router()))
    bots = [await logged_in_bot(sandbox, *each) for each in names]
    async with running(*bots):
        sandbox.person("李雷").say("buy", to="小明")
        await until(lambda: len(reported) > 1)
        assert [message.text for message in sandbox.person("张三").chat("阿华")] == ["sold", "sorry"]


async def test_a_report_with_another_account_takes_no_key_of_a_later_attempt(webwx_sandbox: Sandbox) -> None:
    sandbox, router = webwx_sandbox, Router()
    done: list[int] = []

    @router.on(TextMessage, group=False)
    async def buy(ctx: Context, message: TextMessage) -> None:
        await ctx.account("work").send_text("张三", "one")
        if ctx.attempt == 1:
            raise LookupError
        await ctx.account("work").send_text("张三", "two")
        done.append(ctx.attempt)

    names = (("family", "小明", router), ("work", "阿华", Router()))
    bots = [await logged_in_bot(sandbox, *each) for each in names]

    @bots[0].on_error
    async def report(ctx: Context, event: Event | None, error: BaseException) -> None:
        await ctx.account("work").send_text("张三", "failed")

    async with running(*bots):
        sandbox.person("李雷").say("buy", to="小明")
        await until(lambda: bool(done))
        assert [message.text for message in sandbox.person("张三").chat("阿华")] == ["one", "failed", "two"]


async def test_plain_function_acts_with_another_account_as_well(webwx_sandbox: Sandbox) -> None:
    sandbox, router = webwx_sandbox, Router()
    heard: list[str] = []

    @router.on(TextMessage)
    def pass_on(ctx: SyncContext, message: TextMessage) -> None:
        heard.append(ctx.account("work").client.account.nickname)
        ctx.account("work").send_text("张三", message.text)

    bots = [await logged_in_bot(sandbox, *names, router) for names in (("family", "小明"), ("work", "阿华"))]
    async with running(*bots):
        sandbox.person("李雷").say("hey", to="小明")
        await until(lambda: [message.text for message in sandbox.person("张三").chat("阿华")] == ["hey"])
    assert heard == ["阿华"]


@pytest.mark.verify
async def test_bots_of_two_accounts_share_the_connections_to_a_database(
    webwx_sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WEBWX_STORAGE", new_schema().url)
    monkeypatch.setenv("WEBWX_PASSPHRASE", "three words long")
    sandbox, router = webwx_sandbox, Router()

    @router.on(TextMessage, group=False)
    async def answer(ctx: Context, message: TextMessage) -> None:
        await ctx.reply(f"{message.text}!")

    bots = [await logged_in_bot(sandbox, *names, router) for names in (("family", "小明"), ("work", "阿华"))]
    before = connections()
    async with running(*bots):
        sandbox.person("李雷").say("hey", to="小明")
        sandbox.person("李雷").say("you", to="阿华")
        await until(
            lambda: [sandbox.person("李雷").chat(name)[-1].text for name in ("小明", "阿华")] == ["hey!", "you!"]
        )
        assert connections() == before + 1


def connections() -> int:
    """Return the number of threads with connections to a database."""
    return sum(thread.name == "webwx postgres" for thread in threading.enumerate())


async def test_account_without_a_bot_here_is_an_error_that_names_those_that_have_one(open_client: OpenClient) -> None:
    errors: list[InvalidRequest] = []
    bot, other = Bot(account="family"), Bot(account="work", name="other")

    @bot.every(seconds=1)
    async def tick(ctx: Context) -> None:
        assert ctx.account("work").client is ctx.client
        with pytest.raises(UnknownContact, match="A timer or another account has no chat"):
            await ctx.account("work").reply("?")
        with pytest.raises(InvalidRequest) as raised:
            ctx.account("school")
        errors.append(raised.value)

    async with open_client() as client:
        task = asyncio.create_task(start(bot, other, client=client))
        await until(lambda: bool(errors))
        task.cancel()
        await asyncio.wait([task])
    assert str(errors[0]).startswith(
        "No bot that runs here serves an account 'school' (known accounts: 'family', 'work'). "
        "Pass a bot with this account="
    )


async def test_context_outside_of_a_bot_has_no_other_account(open_client: OpenClient) -> None:
    async with open_client() as client:
        with pytest.raises(InvalidRequest, match="Only a function of a bot"):
            context(client, text_from(client, "阿华")).account("work")


def test_bots_with_their_own_clients_have_no_account_names() -> None:
    with pytest.raises(InvalidRequest, match="none has a name"):
        RunningAccounts().client_of("work")
