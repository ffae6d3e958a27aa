"""The blocking client: the same methods on one loop thread, for any number of threads, and interruptible."""

from __future__ import annotations

import asyncio
import inspect
import os
import signal
import threading
from concurrent.futures import ThreadPoolExecutor
from itertools import islice
from typing import TYPE_CHECKING

import pytest
from tests.client.conftest import PNG, SERVER, refuse_code, saved_in
from tests.client.forked import in_fork

from webwx.client.blocking import Client
from webwx.client.client import AsyncClient
from webwx.errors import EmptyText, MediaUnavailable, NotLoggedIn
from webwx.model.messages import ImageMessage, MessageRecalled, TextMessage
from webwx.storage.login import LoginMemory
from webwx.transport.loopback import Loopback

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from webwx.client.state import StateChange
    from webwx.model.login import QrCode
    from webwx.protocol.http import Request, Response
    from webwx.sandbox.core import SandboxCore
    from webwx.sandbox.world import World
    from webwx.storage.saved_login import LoginStore
    from webwx.storage.sqlite.journal import SqliteJournal
    from webwx.transport.runner import Transport


@pytest.fixture
def log_in(
    world: World, sandbox: SandboxCore, phone_of: Callable[[str], Callable[[QrCode], object]]
) -> Callable[..., Client]:
    def log_in(
        who: str = "me",
        *,
        store: LoginStore | None = None,
        transport: Transport | None = None,
        journal: Path | None = None,
    ) -> Client:
        client = Client(
            server=SERVER, store=store, transport=transport or Loopback(sandbox), clock=world.clock.now, journal=journal
        )
        client.login(show_qr=phone_of(who))
        return client

    return log_in


def public(kind: type) -> dict[str, object]:
    return {name: getattr(kind, name) for name in dir(kind) if not name.startswith("_")}


class TestParity:
    def test_both_clients_have_the_same_methods(self) -> None:
        assert set(public(Client)) == set(public(AsyncClient))

    @pytest.mark.parametrize("name", [*(name for name, v in public(AsyncClient).items() if callable(v)), "__init__"])
    def test_a_method_has_the_same_parameters(self, name: str) -> None:
        one, other = (inspect.signature(getattr(kind, name)).parameters for kind in (AsyncClient, Client))

        assert list(other.values()) == list(one.values())

    @pytest.mark.parametrize("name", public(AsyncClient))
    def test_a_method_has_the_full_docstring_in_blocking_words(self, name: str) -> None:
        shown = inspect.getdoc(getattr(Client, name))
        assert shown
        assert shown == str(inspect.getdoc(getattr(AsyncClient, name))).replace("`async with`", "`with`")

    def test_both_classes_have_the_same_docstrings_of_parameters(self) -> None:
        assert inspect.getdoc(Client) == inspect.getdoc(AsyncClient)

    @pytest.mark.parametrize("name", public(AsyncClient))
    def test_results_are_returned_without_await(self, name: str) -> None:
        assert not inspect.iscoroutinefunction(getattr(Client, name))


def test_the_main_job(world: World, log_in: Callable[..., Client]) -> None:
    with log_in() as me, log_in("ahua") as friend:
        receipt = me.send_text(me.contacts.find(nickname="阿华"), "你好😀")
        events = friend.events(include_all=False)
        text = next(events)
        assert isinstance(text, TextMessage)
        assert text.text == "你好😀"

        friend.mark_read(text.chat)
        assert world.inbox("ahua")["xiaoming"].unread == 0
        assert friend.reply(text, "hi").chat == text.chat

        me.recall(receipt)
        notice = next(events)
        assert isinstance(notice, MessageRecalled)
        assert notice.original == text
        events.close()

        friend.recall(friend.send_image("小明", PNG))
        _own_recall, _reply, image, gone = islice(me.events(include_all=False), 4)
        assert isinstance(image, ImageMessage)
        with pytest.raises(MediaUnavailable):
            me.download(image)
        assert me.download(me.forward(gone, "filehelper")) == PNG

        assert me.check() == me.account
        assert len(me.list_contacts()) == len(me.contacts)
        me.logout()
        with pytest.raises(NotLoggedIn):
            me.check()


def test_state_changes_and_the_steps_of_a_login_are_reported(world: World, sandbox: SandboxCore) -> None:
    def show(_: QrCode) -> None:
        world.scan("me")

    def step(name: str) -> None:
        steps.append(name)
        world.confirm()  # The client knows by now that the code was scanned.

    changes: list[StateChange] = []
    steps: list[str] = []
    with Client(server=SERVER, transport=Loopback(sandbox), clock=world.clock.now, on_state=changes.append) as client:
        client.login(show_qr=show, on_step=step)
        client.logout()

    assert steps == ["scanned"]
    assert [change.state.value for change in changes] == ["logging_in", "online", "logged_out"]


def test_a_client_with_a_path_leaves_only_the_journal(
    world: World, sandbox: SandboxCore, phone_of: Callable[[str], Callable[[QrCode], object]], tmp_path: Path
) -> None:
    path, store = tmp_path / "me.journal", LoginMemory()
    for number in range(3):
        with Client(
            server=SERVER, store=store, transport=Loopback(sandbox), clock=world.clock.now, journal=path
        ) as client:
            client.login(show_qr=phone_of("me"))
            client.send_text("filehelper", f"text {number}")
        assert [each.name for each in tmp_path.iterdir()] == [path.name]
    with Client(store=store, journal=str(path)) as client:
        client.resume()
        assert len(client.list_sends()) == 3


def test_a_client_with_a_path_can_be_used_after_it_was_closed(
    world: World, sandbox: SandboxCore, phone_of: Callable[[str], Callable[[QrCode], object]], tmp_path: Path
) -> None:
    client = Client(
        server=SERVER, transport=Loopback(sandbox), clock=world.clock.now, journal=tmp_path / "me.journal"
    )  # fmt: skip
    client.login(show_qr=phone_of("me"))
    client.send_text("filehelper", "before")
    client.close()
    client.send_text("filehelper", "after")
    assert [send.text for send in client.list_sends()] == ["after", "before"]
    client.close()
    assert [each.name for each in tmp_path.iterdir()] == ["me.journal"]


def test_an_error_is_raised_unchanged(log_in: Callable[..., Client]) -> None:
    with log_in() as client, pytest.raises(EmptyText):
        client.send_text("filehelper", "")


def test_a_saved_login_is_resumed(log_in: Callable[..., Client], world: World, sandbox: SandboxCore) -> None:
    store = LoginMemory()
    first = log_in(store=store)
    second = Client(server=SERVER, store=store, transport=Loopback(sandbox), clock=world.clock.now)

    assert second.resume() == first.account
    assert second.login(show_qr=refuse_code) == first.account


class TestWithAJournal:
    @pytest.fixture
    def client(
        self,
        world: World,
        sandbox: SandboxCore,
        journal: SqliteJournal,
        phone_of: Callable[[str], Callable[[QrCode], object]],
    ) -> Iterator[Client]:
        with Client(server=SERVER, transport=Loopback(sandbox), clock=world.clock.now, journal=journal) as client:
            client.login(show_qr=phone_of("me"))
            yield client

    def test_the_states_of_sends_are_followed_without_await(self, client: Client) -> None:
        sends = client.follow_sends()
        client.send_text("阿华", "hi", key="1")
        for send in sends:
            if send.state == "sent":
                assert send.text == "hi"
                break

    def test_the_history_is_read_without_await(self, world: World, client: Client) -> None:
        receipt = client.send_text("阿华", "hi", key="1")

        assert client.send_text("阿华", "hi", key="1") == receipt
        assert [getattr(each, "text", "") for each in client.history("阿华")] == ["hi"]
        assert len(client.search("hi")) == len(client.list_sends("sent")) == 1
        found = client.find_send(key="1")
        assert found is not None
        assert found.receipt == receipt
        assert client.find_message("1") is None


def test_clients_in_two_threads_share_one_loop(world: World, log_in: Callable[..., Client]) -> None:
    def chat(who: str, to: str) -> list[str]:
        with log_in(who) as client:
            return [client.send_text(to, str(number)).message_id for number in range(20)]

    with ThreadPoolExecutor(2) as threads:
        one, other = threads.map(chat, ("me", "ahua"), ("阿华", "小明"))

    assert len({*one, *other}) == 40
    assert [
        message.id for message in world.inbox("ahua")["xiaoming"].messages if message.sender.id == "xiaoming"
    ] == one
    assert len([thread for thread in threading.enumerate() if thread.name == "webwx"]) == 1


def test_the_repr_of_a_client_has_no_key(log_in: Callable[..., Client]) -> None:
    assert repr(log_in()) == "Client(Login(web, logged in))"


class Interrupting:
    """Sends Ctrl-C during a call, and never answers the call."""

    def __init__(self, inner: Transport, endpoint: str) -> None:
        self.cancelled = threading.Event()
        self._inner = inner
        self._endpoint = endpoint

    async def send(self, request: Request) -> Response:
        if request.endpoint != self._endpoint:
            return await self._inner.send(request)
        os.kill(os.getpid(), signal.SIGINT)
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            for _ in range(5):
                await asyncio.sleep(0)  # As a connection that takes some time to close.
            self.cancelled.set()
            raise
        raise AssertionError("nothing sets that event")

    async def close(self) -> None:
        await self._inner.close()


class TestCtrlC:
    def test_cancels_a_call_and_leaves_the_client_usable(
        self, log_in: Callable[..., Client], sandbox: SandboxCore
    ) -> None:
        carrier = Interrupting(Loopback(sandbox), "webwxgetmsgimg")
        client = log_in(transport=carrier)
        with pytest.raises(KeyboardInterrupt):
            client.download("1")

        assert carrier.cancelled.is_set()
        assert client.send_text("filehelper", "hi").message_id

    def test_cancels_waiting_for_events_and_saves_the_remaining_ones(
        self, log_in: Callable[..., Client], sandbox: SandboxCore, world: World
    ) -> None:
        carrier = Interrupting(Loopback(sandbox), "synccheck")
        store = LoginMemory()
        client = log_in(transport=carrier, store=store)
        with pytest.raises(KeyboardInterrupt):
            next(client.events())

        assert carrier.cancelled.is_set()
        client.close()
        assert asyncio.run(saved_in(store)).login.user_id == client.account.id


class TestFork:
    def test_a_new_client_works_in_a_forked_child(self, log_in: Callable[..., Client], tmp_path: Path) -> None:
        parent = log_in(journal=tmp_path / "parent.journal")
        parent.send_text("filehelper", "before")

        def work() -> str:
            with log_in("ahua", journal=tmp_path / "child.journal") as child:
                child.send_text("filehelper", "from the child")
                return " ".join(each.text for each in child.list_sends())

        assert in_fork(work) == "from the child"
        parent.send_text("filehelper", "after")
        assert [each.text for each in parent.list_sends()] == ["after", "before"]
        parent.close()

    def test_a_client_of_the_parent_is_refused_in_a_forked_child(
        self, log_in: Callable[..., Client], tmp_path: Path
    ) -> None:
        with log_in(journal=tmp_path / "parent.journal") as parent, parent.events() as events:
            refusal = "LocalStateError: This {} was made before the fork of this process, and belongs to the parent"

            def leave() -> str:
                with parent:
                    return "left"

            assert in_fork(lambda: parent.send_text("filehelper", "x").message_id).startswith(refusal.format("client"))
            assert in_fork(lambda: str(next(events))).startswith(refusal.format("stream"))
            assert in_fork(leave) == "left"
            assert parent.send_text("filehelper", "after").message_id
