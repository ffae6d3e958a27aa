"""Several accounts in one process: their logins, progress, states and journals do not mix."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

import pytest
from tests.client.conftest import SERVER, take

from webwx.client.accounts import Accounts, LoginProgress, SavedAccount
from webwx.client.sending.rate_limit import RateLimit
from webwx.client.state import LoginState
from webwx.errors import InvalidSettings, LoggedOut, LoginTimeout, NotLoggedIn, NotOnThisHost
from webwx.model.messages import TextMessage
from webwx.protocol.hosts import Desktop
from webwx.storage.open import open_storage
from webwx.transport.runner import Timeouts

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.carriers import Counted

    from webwx.client.state import StateChange
    from webwx.sandbox.world import World
    from webwx.storage.base import Storage

    NewAccounts = Callable[..., Accounts]


@pytest.fixture
def new_accounts(world: World, counted: Counted, tmp_path: Path) -> NewAccounts:
    def make(storage: Storage | Path = tmp_path, **options: Any) -> Accounts:
        return Accounts(
            storage, server=SERVER, transport=counted, clock=world.clock.now, timeouts=Timeouts(retry=0), **options
        )

    return make


async def log_in(accounts: Accounts, world: World, account: str, who: str) -> list[str]:
    """Log an account in with a phone; return the names of the steps."""
    steps: list[str] = []
    async for progress in accounts.log_in(account):
        steps.append(progress.step)
        match progress:
            case LoginProgress(step="code", code=code):
                assert code is not None
                world.scan(who)
            case LoginProgress(step="scanned"):
                world.confirm()
            case LoginProgress(step="confirmed"):
                assert progress.account is not None
    return steps


async def test_the_steps_of_a_login_are_reported(new_accounts: NewAccounts, world: World) -> None:
    async with new_accounts() as accounts:
        assert await log_in(accounts, world, "work", "me") == ["code", "scanned", "confirmed"]
        assert (await accounts.open("work")).account.nickname == "小明"


async def test_a_valid_saved_login_needs_no_code(new_accounts: NewAccounts, world: World) -> None:
    async with new_accounts() as accounts:
        await log_in(accounts, world, "work", "me")
    async with new_accounts() as accounts:
        assert await log_in(accounts, world, "work", "me") == ["confirmed"]


async def test_a_cancelled_login_is_reported_and_another_code_is_shown(new_accounts: NewAccounts, world: World) -> None:
    steps = []

    async def cancel_each_code(accounts: Accounts) -> None:
        async for progress in accounts.log_in(max_codes=2):
            steps.append(progress.step)
            match progress.step:
                case "code":
                    world.scan("me")
                case "scanned":
                    world.cancel()

    async with new_accounts() as accounts:
        with pytest.raises(LoginTimeout):
            await cancel_each_code(accounts)
        assert steps == ["code", "scanned", "cancelled"] * 2
        with pytest.raises(NotLoggedIn):
            await accounts.open()


async def test_leaving_the_loop_cancels_the_login(new_accounts: NewAccounts, world: World) -> None:
    async with new_accounts() as accounts:
        steps = accounts.log_in()
        assert (await anext(steps)).step == "code"
        await steps.aclose()
        assert accounts.client().state is LoginState.NEW


async def test_two_accounts_write_to_each_other_and_have_their_own_journals(
    new_accounts: NewAccounts, world: World
) -> None:
    async with new_accounts() as accounts:
        await log_in(accounts, world, "mine", "me")
        await log_in(accounts, world, "other", "ahua")
        mine, other = await accounts.open("mine"), await accounts.open("other")
        await mine.send_text("阿华", "你好")
        [message] = await take(other, 1)

        assert isinstance(message, TextMessage)
        assert message.text == "你好"
        assert await accounts.open("mine") is mine
        assert [each.text for each in await other.history() if isinstance(each, TextMessage)] == ["你好"]
        assert len(await mine.list_sends()) == 1
        assert await other.list_sends() == []
        assert repr(accounts).endswith("2 open)")


async def test_saved_logins_are_listed_with_their_states(
    new_accounts: NewAccounts, world: World, tmp_path: Path
) -> None:
    async with new_accounts() as accounts:
        assert await accounts.list_accounts() == []
        await log_in(accounts, world, "work", "me")
        await log_in(accounts, world, "default", "ahua")
        world.log_out("ahua")
        with pytest.raises(LoggedOut):
            await (await accounts.open()).check()
    broken = tmp_path / "logins" / "web.json"
    broken.write_text("{}")

    ended, unreadable, saved = await new_accounts().list_accounts()
    assert (ended.account, ended.state, ended.reason, ended.nickname) == ("default", "ended", "phone", "阿华")
    assert unreadable == SavedAccount(account="default", place="web", state="unreadable")
    assert (saved.account, saved.state, saved.host, saved.server) == ("work", "saved", "web", SERVER)
    assert broken.read_text() == "{}"


async def test_an_encrypted_login_is_listed_without_its_content(
    new_accounts: NewAccounts, world: World, tmp_path: Path
) -> None:
    pytest.importorskip("cryptography", reason="webwx[crypto] is not installed")
    encrypted = open_storage(tmp_path, passphrase="three words long")
    async with new_accounts(encrypted) as accounts:
        await log_in(accounts, world, "work", "me")
        [saved] = await accounts.list_accounts()

        assert (saved.state, saved.nickname) == ("encrypted", None)
    async with new_accounts(encrypted) as accounts:
        assert (await accounts.open("work")).account.nickname == "小明"


@pytest.mark.skipif(sys.platform == "win32", reason="a file has no mode there")
async def test_a_login_that_cannot_be_opened_is_unreadable(
    new_accounts: NewAccounts, world: World, tmp_path: Path
) -> None:
    (tmp_path / "logins" / "web.json").mkdir(parents=True)
    [found] = await new_accounts().list_accounts()
    assert found.state == "unreadable"


async def test_changes_of_state_have_the_name_of_the_account(new_accounts: NewAccounts, world: World) -> None:
    changes: list[tuple[str, LoginState]] = []

    def note(account: str, change: StateChange) -> None:
        changes.append((account, change.state))

    async with new_accounts(on_state=note) as accounts:
        await log_in(accounts, world, "work", "me")
        world.log_out("me")
        with pytest.raises(LoggedOut):
            await (await accounts.open("work")).check()

    assert changes == [
        ("work", LoginState.LOGGING_IN),
        ("work", LoginState.ONLINE),
        ("work", LoginState.LOGGED_OUT),
    ]


async def test_an_account_without_a_login_cannot_be_opened(new_accounts: NewAccounts) -> None:
    async with new_accounts() as accounts:
        with pytest.raises(NotLoggedIn):
            await accounts.open("work")
        with pytest.raises(InvalidSettings):
            await accounts.open("../work")


async def test_an_account_has_other_arguments_than_the_others(new_accounts: NewAccounts, world: World) -> None:
    async with new_accounts() as accounts:
        await accounts.configure("helper", host="filehelper", rate_limit=RateLimit(burst=2))
        await log_in(accounts, world, "helper", "me")
        await log_in(accounts, world, "other", "ahua")
        helper, other = await accounts.open("helper"), await accounts.open("other")

        assert (helper.account.host, other.account.host) == ("filehelper", "web")
        limited = await helper.rate_limit_state()
        assert limited is not None
        assert limited.limit.burst == 2
        assert await other.rate_limit_state() is None
        assert sorted(await accounts.list_changes()) == ["helper", "other"]


async def test_a_client_is_closed_and_created_again_with_other_arguments(
    new_accounts: NewAccounts, world: World
) -> None:
    async with new_accounts() as accounts:
        assert not await accounts.has_logged_in("work")
        await log_in(accounts, world, "work", "me")
        before = await accounts.open("work")
        await before.send_text("filehelper", "before")
        await accounts.configure("work", rate_limit=RateLimit())
        after = await accounts.open("work")

        assert after is not before
        assert await after.rate_limit_state() is not None
        assert len(await after.list_sends()) == 1
        assert await accounts.has_logged_in("work")
        await accounts.configure("work", host="filehelper")
        assert not await accounts.has_logged_in("work")
        assert accounts.client("work").state is LoginState.NEW


async def test_a_host_without_its_values_is_refused(new_accounts: NewAccounts) -> None:
    async with new_accounts() as accounts:
        accounts.check_host("web")
        with pytest.raises(NotOnThisHost):
            accounts.check_host("desktop")
        with pytest.raises(NotOnThisHost):
            accounts.check_host("example.org")
        with pytest.raises(NotOnThisHost):
            accounts.check_host("wx9.qq.com")
    async with new_accounts(desktop=Desktop(client_version="2.0.0", extspam="opaque")) as accounts:
        accounts.check_host("desktop")


async def test_an_account_can_log_in_at_a_host_that_the_user_allows(new_accounts: NewAccounts) -> None:
    async with new_accounts(allowed_hosts=("wx9.qq.com",)) as accounts:
        accounts.check_host("wx9.qq.com")
