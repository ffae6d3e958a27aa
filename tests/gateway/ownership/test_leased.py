"""Gateways that share a database: what each answers for the accounts that it runs, and for those of the others."""

from __future__ import annotations

import asyncio
import logging
import re
from typing import TYPE_CHECKING

import pytest
from tests.bot.conftest import until
from tests.client.conftest import PNG
from tests.gateway.cluster_nodes import node
from tests.postgres import TemporarySchema
from tests.storage.statement_log import StatementLog
from tests.turns import let_others_run

from webwx.bot.bot import Bot
from webwx.gateway.accounts.account_sends import MediaContent
from webwx.gateway.accounts.database_account import DatabaseAccount
from webwx.gateway.bots.bots import AssignedBot, HostedBots
from webwx.gateway.config import GatewayConfig, ListenTable
from webwx.gateway.problems import GatewayProblem
from webwx.gateway.serve import listen, serve_started
from webwx.model.messages import TextMessage

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator
    from pathlib import Path

    from webwx.bot.context import Context
    from webwx.gateway.accounts.account import AccountStatus
    from webwx.sandbox.core import SandboxCore

pytestmark = pytest.mark.verify

OF_ACCOUNT = re.compile(
    r"\b(consumers|entries|outbox|conversations|saved_logins|logins|login_names|contacts|send_pieces)\b"
    r"|(INTO|DELETE FROM) records"
)
"""Statements for one account; records are read from time to time as well."""


async def test_an_account_logs_in_at_a_gateway_that_runs_none_and_another_one_runs_it(
    schema: TemporarySchema, sandbox: SandboxCore, tmp_path: Path
) -> None:
    async with (
        node(schema, sandbox, tmp_path / "front", capacity=0) as front,
        node(schema, sandbox, tmp_path / "worker") as worker,
    ):
        number = await front.log_in("work")
        account = await worker.until_owned(number)
        assert account.name == "work"
        status = await front.until_state(number, "online")
        assert (status.name, status.nickname) == ("work", "小明")
        assert isinstance(front.port.account(number), DatabaseAccount)
        login = account.logins.present
        assert login is not None
        assert login.state == "confirmed"


async def test_an_account_that_another_gateway_has_just_added_is_found(
    schema: TemporarySchema, sandbox: SandboxCore, tmp_path: Path
) -> None:
    async with (
        node(schema, sandbox, tmp_path / "a", capacity=0) as one,
        node(schema, sandbox, tmp_path / "b", capacity=0) as other,
    ):
        account = await one.port.add_account("new")
        assert await other.port.look_up_account("new") == account.number
        assert await other.port.look_up_account("newer") is None
        assert (await other.port.account(account.number).status()).name == "new"


async def test_states_reach_each_reader_and_those_of_owned_accounts_only_where_they_run(
    schema: TemporarySchema, sandbox: SandboxCore, tmp_path: Path
) -> None:
    async def until_online(states: AsyncGenerator[AccountStatus, None]) -> int:
        async with asyncio.timeout(20):
            return await anext(status.number async for status in states if status.state == "online")

    async with (
        node(schema, sandbox, tmp_path / "front", capacity=0) as front,
        node(schema, sandbox, tmp_path / "worker") as worker,
    ):
        *reached, other = [
            asyncio.ensure_future(until_online(states))
            for states in (
                front.port.watch_states(), worker.port.watch_states(), worker.port.watch_states(owned=True),
                front.port.watch_states(owned=True),
            )
        ]  # fmt: skip
        number = await front.log_in("work")
        assert await asyncio.gather(*reached) == [number] * 3
        await let_others_run()
        assert not other.done()
        other.cancel()
        await asyncio.wait([other])


async def test_an_account_is_handed_over_and_its_owner_is_known(
    schema: TemporarySchema, sandbox: SandboxCore, tmp_path: Path
) -> None:
    async with node(schema, sandbox, tmp_path / "front", capacity=0) as front:
        async with node(schema, sandbox, tmp_path / "a") as first:
            number = await first.log_in()
            await first.until_owned(number)
            await front.until_state(number, "online")
            assert await first.port.elsewhere(number) is None
            owner = await front.port.elsewhere(number, is_fresh=True)
            assert owner is not None
            assert owner.address == "http://a"
            assert first.port.owns(number, owner.epoch)
            assert not first.port.owns(number, owner.epoch + 1)
            assert not front.port.owns(number, owner.epoch)
        assert await front.port.elsewhere(number, is_fresh=True) is None
        await front.until_state(number, "degraded")
        async with node(schema, sandbox, tmp_path / "b") as second:
            await second.until_owned(number)
            next_owner = await front.port.elsewhere(number, is_fresh=True)
            assert next_owner is not None
            assert (next_owner.address, next_owner.epoch) == ("http://b", owner.epoch + 1)


async def test_an_account_that_was_lost_to_another_process_is_closed_without_an_error(
    schema: TemporarySchema, sandbox: SandboxCore, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    bots = HostedBots([AssignedBot(bot := Bot(name="echo"))])
    bot.on(TextMessage)(lambda ctx, message: None)
    async with node(schema, sandbox, tmp_path / "a", bots=bots) as lost:
        number = await lost.log_in()
        await lost.until_owned(number)
        async with asyncio.timeout(20):
            while [run.state for run in bots.runs] != ["running"]:  # noqa: ASYNC110 - no event announces it
                await asyncio.sleep(0.02)

            schema.execute(
                "INSERT INTO workers (worker, address, capacity, expires) VALUES ('b', '', 9, now() + interval '1 h');"
                " UPDATE accounts SET worker = 'b', epoch = epoch + 1"
            )
            while bots.runs:  # noqa: ASYNC110 - as above
                await asyncio.sleep(0.02)

        assert isinstance(lost.port.account(number), DatabaseAccount)
    assert [record.getMessage() for record in caplog.records if record.levelno >= logging.ERROR] == []


async def test_an_account_is_handed_over_while_a_request_for_it_is_open(
    schema: TemporarySchema, sandbox: SandboxCore, tmp_path: Path
) -> None:
    async with node(schema, sandbox, tmp_path / "a") as first:
        number = await first.log_in()
        await first.until_owned(number)
        key = (await first.gateway.keys.create("test", ("admin",))).text
        listener, ready = listen(GatewayConfig(listen=ListenTable(port=0))), asyncio.Event()
        serving = asyncio.ensure_future(serve_started(first.gateway, listener, ready.set))
        await ready.wait()
        async with node(schema, sandbox, tmp_path / "b") as second:
            reader, writer = await asyncio.open_connection(*listener.socket.getsockname())
            body = b'{"to": "filehelper", "text": "held"}'
            head = (
                f"POST /api/v1/accounts/{number}/messages HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n"
                f"Authorization: Bearer {key}\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
            )
            writer.write(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n" + head.encode() + body[:5])
            await reader.readuntil(b"ok")  # so the gateway has received what follows it as well
            serving.cancel()
            account = await second.until_owned(number)
            assert not serving.done()
            writer.write(body[5:])
            answer = await reader.read()
            writer.close()
            assert answer.partition(b"\r\n")[0] == b"HTTP/1.1 201 Created"
            assert [(each.text, each.state) for each in await account.client.list_sends()] == [("held", "sent")]
            with pytest.raises(asyncio.CancelledError):
                await serving


async def test_a_send_for_an_account_whose_handlers_end_is_made_by_the_next_owner(
    schema: TemporarySchema, sandbox: SandboxCore, tmp_path: Path
) -> None:
    bot, has_begun, may_end = Bot(), asyncio.Event(), asyncio.Event()

    @bot.on(TextMessage, text="work")
    async def work(ctx: Context, message: TextMessage) -> None:
        has_begun.set()
        await may_end.wait()

    bots = HostedBots([AssignedBot(bot)])
    async with node(schema, sandbox, tmp_path / "a", bots=bots) as first:
        number = await first.log_in()
        left = await first.until_owned(number)
        await until(lambda: [run.state for run in bots.runs] == ["running"])
        async with node(schema, sandbox, tmp_path / "b") as second:
            sandbox.world.say("ahua", "me", "work")
            await has_begun.wait()
            first.gateway.begin_closing()
            await until(lambda: isinstance(first.port.account(number), DatabaseAccount))
            sent = await first.port.account(number).sends.enqueue("filehelper", "meanwhile")
            assert sent.state == "queued"
            may_end.set()
            account = await second.until_owned(number)
            async with asyncio.timeout(20):
                while [each.state for each in await account.client.list_sends()] != ["sent"]:  # noqa: ASYNC110 - by a task
                    await asyncio.sleep(0.02)
            assert [each.text for each in await account.client.list_sends()] == ["meanwhile"]
            with pytest.raises(GatewayProblem, match="handed over"):
                await left.sends.enqueue("filehelper", "too late")


async def test_a_login_in_progress_is_found_by_the_other_gateways(
    schema: TemporarySchema, sandbox: SandboxCore, tmp_path: Path
) -> None:
    async with (
        node(schema, sandbox, tmp_path / "a", capacity=0) as one,
        node(schema, sandbox, tmp_path / "b", capacity=0) as other,
    ):
        account = await one.port.add_account("work")
        await account.logins.begin("qr")
        await other.port.directory.load()
        place = await other.port.elsewhere(account.number)
        assert place is not None
        assert (place.address, place.epoch) == ("http://a", 0)
        assert one.port.owns(account.number, 0)
        assert not other.port.owns(account.number, 0)
        assert (await account.status()).state == "logging_in"
        await account.logins.cancel()


async def test_a_removed_account_is_run_by_no_process_until_its_next_login(
    schema: TemporarySchema, sandbox: SandboxCore, tmp_path: Path
) -> None:
    async with node(schema, sandbox, tmp_path / "a") as worker:
        number = await worker.log_in("work")
        await worker.until_owned(number)
        assert await worker.port.remove_account(number)
        assert worker.port.find_account("work") is None
        await asyncio.to_thread(_until_unwanted, schema)
        again = await worker.log_in("work")
        assert again == number + 1
        await worker.until_owned(again)


async def test_a_queued_file_waits_for_the_next_owner_until_its_account_is_removed(
    schema: TemporarySchema, sandbox: SandboxCore, tmp_path: Path
) -> None:
    path = tmp_path / "upload"
    path.write_bytes(PNG)
    path.chmod(0o600)
    sandbox.world.refuse_next("webwxuploadmedia", 1205, times=1_000)
    async with node(schema, sandbox, tmp_path / "front", capacity=0) as front:
        async with node(schema, sandbox, tmp_path / "a") as owner:
            number = await owner.log_in()
            account = await owner.until_owned(number)
            content = MediaContent(kind="image", path=path, name="cat.png")
            assert (await account.sends.enqueue_file("filehelper", content)).state == "queued"
            assert len(list((tmp_path / "a").glob("gateway-copies/*/*/*"))) == 1
        assert list((tmp_path / "a").glob("gateway-copies/*")) == []
        assert await asyncio.to_thread(_rows_of_files, schema) == (1, 1)
        await front.until_state(number, "degraded")
        assert await front.port.remove_account(number)
        assert await asyncio.to_thread(_rows_of_files, schema) == (0, 0)


async def test_copies_of_a_killed_process_are_deleted_and_those_of_others_stay(
    schema: TemporarySchema, sandbox: SandboxCore, tmp_path: Path
) -> None:
    async with node(schema, sandbox, tmp_path / "a") as living:
        copies = [tmp_path / "a" / "gateway-copies" / worker / "1" for worker in ("dead", living.port.node.worker)]
        for folder in copies:
            folder.mkdir(parents=True)
        async with node(schema, sandbox, tmp_path / "a"):
            assert [folder.exists() for folder in copies] == [False, True]


def _rows_of_files(schema: TemporarySchema) -> tuple[int, int]:
    """Return the number of pieces of files, and of sends that wait for the background."""
    pieces = schema.execute("SELECT count(*) FROM send_pieces")
    return int(pieces), int(schema.execute("SELECT count(*) FROM outbox WHERE background AND file <> ''"))


def _until_unwanted(schema: TemporarySchema) -> None:
    while schema.execute("SELECT count(*) FROM accounts WHERE wanted OR worker IS NOT NULL").strip() != "0":
        pass


async def test_a_worker_takes_an_account_with_few_statements(
    schema: TemporarySchema, sandbox: SandboxCore, tmp_path: Path
) -> None:
    people = ["me", *(sandbox.world.add_person(f"Account {number}").id for number in range(1, 20))]

    def bots() -> HostedBots:
        bot = Bot(name="echo")

        @bot.on(TextMessage)
        async def answer(ctx: Context, message: TextMessage) -> None:
            await ctx.reply(message.text)

        return HostedBots([AssignedBot(bot)])

    async with node(schema, sandbox, tmp_path / "front", capacity=0) as front:
        numbers = [await front.log_in(f"a{place}", person) for place, person in enumerate(people)]
        hosted = bots()
        async with node(schema, sandbox, tmp_path / "first", capacity=len(people), bots=hosted):
            await until(lambda: [run.state for run in hosted.runs] == ["running"] * len(people))
        log, hosted = StatementLog(schema), bots()
        next_one = node(
            schema, sandbox, tmp_path / "next", capacity=len(people), bots=hosted, look_for_sends=3_600.0
        )  # fmt: skip
        async with next_one as worker:
            await until(lambda: [run.state for run in hosted.runs] == ["running"] * len(people))
            for number in numbers:
                await worker.until_owned(number)
            counts = log.statements()
    # Without those that share executions, and those that are executed from time to time for all accounts.
    per_account = {
        text: count // len(people) for text, count in counts.items() if count >= len(people) and OF_ACCOUNT.search(text)
    }
    # Mostly 12; a busy machine repeats some looks and shares fewer reads. It was 58 before reads and locks were shared.
    assert 0 < sum(per_account.values()) <= 24, per_account
