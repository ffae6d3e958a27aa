"""Bots inside a gateway: on which accounts they run, and when they end."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest
from tests.bot.conftest import until
from tests.gateway.conftest import SERVER

from webwx.bot.bot import Bot
from webwx.client.sending.rate_limit import RateLimit
from webwx.errors import InvalidSettings
from webwx.gateway.accounts.account_sends import TextContent
from webwx.gateway.bots.bots import AssignedBot, HostedBots, check_bots, view_of_run
from webwx.model.messages import TextMessage

if TYPE_CHECKING:
    from tests.gateway.conftest import Running, StartGateway

    from webwx.bot.context import Context
    from webwx.errors import LoggedOut
    from webwx.gateway.bots.bots import BotRun, HostedAccount
    from webwx.storage.tables.outbox import Outgoing


def echo(**choices: object) -> Bot:
    """Return a bot that answers each text."""
    bot = Bot(server=SERVER, **choices)  # type: ignore[arg-type]

    @bot.on(TextMessage)
    async def answer(ctx: Context, message: TextMessage) -> None:
        await ctx.reply(f"{bot.name} heard {message.text}")

    return bot


async def until_received(running: Running, text: str, who: str = "ahua", chat: str = "xiaoming") -> None:
    """Wait until the last message of a chat on a phone is this text."""

    def is_received() -> bool:
        found = running.world.inbox(who).get(chat)
        return found is not None and bool(found.messages) and found.messages[-1].text == text

    await until(is_received)


async def until_running(run: BotRun) -> None:
    await until(lambda: run.state == "running")


async def test_a_bot_answers_on_every_account_also_on_one_that_is_added_later(start_gateway: StartGateway) -> None:
    bots = HostedBots([AssignedBot(echo())])
    async with start_gateway(bots=bots) as running:
        await running.log_in("first")
        [first] = bots.runs
        await until_running(first)
        await running.log_in("second", who="ahua")
        first, second = bots.runs
        await until_running(second)
        running.world.say("ahua", "me", "ping")
        await until_received(running, "bot heard ping")
        assert [run.account.name for run in bots.find_runs("bot")] == ["first", "second"]
        assert first.bot.counts.delivered >= 1
        assert first.bot.counts is not second.bot.counts


async def test_a_bot_runs_on_the_accounts_that_it_or_the_configuration_names(start_gateway: StartGateway) -> None:
    bots = HostedBots([AssignedBot(echo(name="own", account="first")), AssignedBot(echo(name="given"), ("second",))])
    async with start_gateway(bots=bots) as running:
        await running.port.add_account("first")
        await running.port.add_account("second")
        assert [(run.bot.name, run.account.name) for run in bots.runs] == [("own", "first"), ("given", "second")]
        assert {run.state for run in bots.runs} == {"waiting"}


class HeldBots(HostedBots):
    """Bots that begin late, as on a busy machine."""

    def __init__(self, *bots: AssignedBot) -> None:
        super().__init__(bots)
        self._held: list[HostedAccount] = []

    def open_account(self, account: HostedAccount) -> int:
        self._held.append(account)
        return 1

    def release(self) -> None:
        for account in self._held:
            super().open_account(account)


@pytest.mark.parametrize("is_first_login", [True, False])
async def test_a_new_bot_gets_what_arrives_between_the_begin_of_its_account_and_its_own(
    start_gateway: StartGateway, *, is_first_login: bool
) -> None:
    bots = HeldBots(AssignedBot(echo()))
    if not is_first_login:
        async with start_gateway() as running:
            await running.log_in()
            running.world.say("ahua", "me", "before the bot")
            await running.until_text("before the bot")
    async with start_gateway(bots=bots) as running:
        if is_first_login:
            await running.log_in()
        await running.until_online("default")
        running.world.say("ahua", "me", "early")
        await running.until_text("early")
        bots.release()
        await until_received(running, "bot heard early")
        answers = [each.text for each in running.world.inbox("ahua")["xiaoming"].messages]
        assert "bot heard before the bot" not in answers


async def test_a_bot_gets_the_states_of_the_sends_of_its_accounts(start_gateway: StartGateway) -> None:
    bot, found = Bot(server=SERVER), list[tuple[str, str]]()

    @bot.on_send_changed
    async def note(send: Outgoing) -> None:
        found.append((send.text, send.state))

    bots = HostedBots([AssignedBot(bot)])
    async with start_gateway(bots=bots) as running:
        await running.log_in()
        [run] = bots.runs
        await until_running(run)
        await running.port.account(1).sends.send("filehelper", TextContent(text="of a program"))
        await until(lambda: ("of a program", "sent") in found)


async def test_a_bot_continues_after_the_login_has_ended_and_after_a_log_out(start_gateway: StartGateway) -> None:
    bot, ends = echo(), []

    @bot.on_logged_out
    def note(end: LoggedOut) -> None:
        ends.append(end.reason)

    bots = HostedBots([AssignedBot(bot)])
    async with start_gateway(bots=bots) as running:
        await running.log_in()
        [run] = bots.runs
        await until_running(run)
        running.world.log_out("me")
        await until(lambda: run.state == "waiting")
        await running.log_in()
        await until_running(run)
        await running.port.account(1).client.logout()
        running.world.wind(30)  # until the poll of the ended login is answered
        await until(lambda: run.state == "waiting")
        await running.log_in()
        await until_running(run)
        running.world.say("ahua", "me", "still there?")
        await until_received(running, "bot heard still there?")
    assert ends[0] == "phone"


async def test_a_bot_that_does_not_log_in_again_ends_with_its_login(start_gateway: StartGateway) -> None:
    bots = HostedBots([AssignedBot(echo(relogin=False))])
    async with start_gateway(bots=bots) as running:
        await running.log_in()
        [run] = bots.runs
        await until_running(run)
        running.world.log_out("me")
        await until(lambda: run.state == "ended")
        assert run.error
        assert run.error_code == "logged-out"


async def test_a_bot_that_cannot_run_is_retried_and_does_not_end_the_others(
    start_gateway: StartGateway, caplog: pytest.LogCaptureFixture
) -> None:
    waits: list[float] = []
    may_retry = asyncio.Event()

    async def sleep(seconds: float) -> None:
        waits.append(seconds)
        await may_retry.wait()

    bots = HostedBots([AssignedBot(echo(name="one")), AssignedBot(echo(name="two"))], sleep)
    async with start_gateway() as running:
        await running.log_in()
        account = running.port.account(1)
        async with account.client.subscribe("one", follow=False):  # another consumer of this name
            bots.open_account(account)
            await until(lambda: [run.state for run in bots.runs] == ["failed", "running"])
        may_retry.set()
        await until(lambda: [run.state for run in bots.runs] == ["running", "running"])
        await bots.close()
    assert waits
    assert "The bot one on account 1" in caplog.text


async def test_a_bot_that_ends_of_an_unforeseen_error_shows_a_sentence_and_the_code(
    start_gateway: StartGateway,
) -> None:
    has_failed, may_go_on = asyncio.Event(), asyncio.Event()

    async def sleep(_: float) -> None:
        has_failed.set()
        await may_go_on.wait()
        raise RuntimeError("a text of a chat")

    bots = HostedBots([AssignedBot(echo(name="one"))], sleep)
    async with start_gateway() as running:
        await running.log_in()
        account = running.port.account(1)
        async with account.client.subscribe("one", follow=False):  # another consumer of this name
            bots.open_account(account)
            await has_failed.wait()
            [run] = bots.runs
            assert (run.state, run.error_code) == ("failed", "already-running")
            may_go_on.set()
            await until(lambda: run.state == "ended")
        view = view_of_run(run)
        assert (view.error, view.error_code) == ("The gateway failed; its log says where.", "internal-error")
        await bots.close()


async def test_running_handlers_end_before_the_account_closes(start_gateway: StartGateway) -> None:
    bot, has_begun, may_end = Bot(server=SERVER), asyncio.Event(), asyncio.Event()

    @bot.on(TextMessage, text="work")
    async def work(ctx: Context, message: TextMessage) -> None:
        has_begun.set()
        await may_end.wait()
        await ctx.reply("done")

    bots = HostedBots([AssignedBot(bot)])
    async with start_gateway(bots=bots) as running:
        await running.log_in()
        await until_running(bots.runs[0])
        running.world.say("ahua", "me", "work")
        await has_begun.wait()
        running.gateway.begin_closing()
        asyncio.get_running_loop().call_later(0.01, may_end.set)
    assert bots.runs == ()
    await until_received(running, "done")


async def test_the_bots_of_a_removed_account_end(start_gateway: StartGateway) -> None:
    bots = HostedBots([AssignedBot(echo())])
    async with start_gateway(bots=bots) as running:
        await running.log_in()
        await until_running(bots.runs[0])
        await running.port.remove_account(1)
        assert bots.runs == ()


async def test_a_handler_can_act_with_another_account_of_the_gateway(start_gateway: StartGateway) -> None:
    bot = Bot(server=SERVER, account="first")

    @bot.on(TextMessage, text="tell them")
    async def tell(ctx: Context, message: TextMessage) -> None:
        await ctx.account("second").send_text("filehelper", "forwarded")

    bots = HostedBots([AssignedBot(bot)])
    async with start_gateway(bots=bots) as running:
        await running.log_in("first")
        await running.log_in("second", who="ahua")
        await until_running(bots.runs[0])
        running.world.say("ahua", "me", "tell them")
        await until_received(running, "forwarded", who="ahua", chat="filehelper")


# -- what is refused before the start ----------------------------------------------------------------------------------


def refusal(*bots: AssignedBot) -> str:
    with pytest.raises(InvalidSettings) as refused:
        check_bots(bots, host=None, server=SERVER)
    return str(refused.value)


def test_bots_that_cannot_run_together_are_refused_in_one_sentence() -> None:
    assert "have the name 'bot'" in refusal(AssignedBot(echo()), AssignedBot(echo(account="work")))
    assert "rate_limit=" in refusal(AssignedBot(echo(rate_limit=RateLimit())))
    assert "uses itself" in refusal(AssignedBot(echo(name="gateway")))
    assert "names the account 'work' itself" in refusal(AssignedBot(echo(account="work"), ("home",)))
    assert "another host or server" in refusal(AssignedBot(Bot(server="http://127.0.0.1:1")))
    lost = echo()

    @lost.on(TextMessage)
    async def needs(ctx: Context, message: TextMessage, *, database: object) -> None: ...

    assert "No value is provided for the parameter 'database'" in refusal(AssignedBot(lost))


def test_bots_of_different_accounts_may_have_the_same_name() -> None:
    check_bots(
        [AssignedBot(echo(account="work")), AssignedBot(echo(account="home")), AssignedBot(echo(), ("other",))],
        host=None, server=SERVER,
    )  # fmt: skip


def test_a_run_and_the_bots_have_a_short_repr() -> None:
    assert repr(HostedBots([AssignedBot(echo())])) == "HostedBots(1 bots, 0 runs)"
