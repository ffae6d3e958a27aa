"""The sends of an account that runs in this process: at once, or in the background, where they survive a restart."""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING

import msgspec
import pytest
from tests.client.conftest import PNG

from webwx.client.state import LoginState, StateChange
from webwx.errors import ConnectFailed, InvalidRequest, NotAPicture, SendOutcomeUnknown
from webwx.gateway.accounts.account_sends import MediaContent, TextContent
from webwx.gateway.sends.former_promises import KINDS
from webwx.representations.accounts import AccountSettings

if TYPE_CHECKING:
    from pathlib import Path

    from tests.carriers import Counted
    from tests.gateway.conftest import Running, StartGateway

    from webwx.gateway.accounts.local_account import LocalAccount
    from webwx.representations.sends import MediaKind
    from webwx.storage.tables.outbox import State


def picture(folder: Path, kind: MediaKind = "image", content: bytes = PNG) -> MediaContent:
    """Return a picture in a new file."""
    path = folder / "upload"
    path.write_bytes(content)
    path.chmod(0o600)
    return MediaContent(kind=kind, path=path, name="cat.png")


async def until_settled(account: LocalAccount, client_id: str) -> State:
    """Wait until no background send is left, and return the state of a send."""
    async with asyncio.timeout(20):
        while (await account.status()).queued:  # noqa: ASYNC110 - no event marks the end of the last send
            await asyncio.sleep(0)
    send = await account.client.find_send(client_id=client_id)
    assert send is not None
    return send.state


def send_files(running: Running) -> list[Path]:
    return list((running.folder / "gateway-sends").glob("*/*"))


def sent_files(running: Running) -> int:
    return len(running.world.inbox("me")["filehelper"].messages)


async def log_out(running: Running) -> None:
    running.world.log_out("me")
    while (await running.port.account(1).check()).state != "logged_out":
        pass


async def test_a_send_in_progress_is_finished_before_the_end(start_gateway: StartGateway) -> None:
    async with start_gateway() as running:
        await running.log_in()
        sending = asyncio.ensure_future(
            running.port.account(1).sends.send("filehelper", TextContent(text="last"), wait=20)
        )
        await asyncio.sleep(0)
    assert (await sending).state == "sent"
    assert running.world.inbox("me")["filehelper"].messages[-1].text == "last"


async def test_a_repeated_send_has_the_receipt_even_if_its_answer_is_not_awaited(online: Running) -> None:
    account = online.port.account(1)
    first = await account.sends.send("filehelper", TextContent(text="once"), key="k", wait=20)
    again = await account.sends.send("filehelper", TextContent(text="once"), key="k", wait=0)
    assert first.receipt is not None
    assert (again.state, again.receipt) == ("sent", first.receipt)


async def test_a_file_for_the_background_is_sent_after_a_restart_and_its_deletion(
    start_gateway: StartGateway, tmp_path: Path
) -> None:
    async with start_gateway() as running:
        await running.log_in()
        await log_out(running)
        content = picture(tmp_path)
        account = running.port.account(1)
        sent = await account.sends.enqueue_file("filehelper", content, key="cat")
        again = await account.sends.enqueue_file("filehelper", content, key="cat")
        assert (sent.state, again.client_id) == ("queued", sent.client_id)
        content.path.unlink()
        assert len(send_files(running)) == 1
        assert (await account.status()).queued == 1
    async with start_gateway() as running:
        assert len(send_files(running)) == 1
        await running.log_in()
        assert await until_settled(running.port.account(1), sent.client_id) == "sent"
        assert (sent_files(running), send_files(running)) == (1, [])
    async with start_gateway() as running:
        assert (await running.port.account(1).status()).queued == 0
        assert sent_files(running) == 1


async def test_a_file_that_may_have_been_sent_stays_unknown_through_a_restart(
    start_gateway: StartGateway, counted: Counted, tmp_path: Path
) -> None:
    async with start_gateway() as running:
        await running.log_in()
        counted.lose_answers("webwxsendmsgimg")
        account = running.port.account(1)
        sent = await account.sends.enqueue_file("filehelper", picture(tmp_path), key="cat")
        assert await until_settled(account, sent.client_id) == "unknown"
        assert send_files(running) == []
    async with start_gateway() as running:
        account = running.port.account(1)
        assert await until_settled(account, sent.client_id) == "unknown"
        with pytest.raises(SendOutcomeUnknown):
            await account.sends.send("filehelper", picture(tmp_path), key="cat")
    assert counted.calls.count("webwxsendmsgimg") == 1


async def test_a_file_that_is_not_sent_in_time_is_sent_once_in_the_background(
    online: Running, counted: Counted, tmp_path: Path
) -> None:
    account, content = online.port.account(1), picture(tmp_path)
    may_upload = counted.hold("webwxuploadmedia")
    sent = await account.sends.send("filehelper", content, key="cat", wait=0)
    content.path.unlink()
    assert sent.state in {"queued", "sending"}
    may_upload.set()
    assert await until_settled(account, sent.client_id) == "sent"
    assert counted.calls.count("webwxsendmsgimg") == sent_files(online) == 1
    assert send_files(online) == []


async def test_a_file_that_cannot_be_sent_fails_in_the_background(online: Running, tmp_path: Path) -> None:
    account = online.port.account(1)
    sent = await account.sends.enqueue_file("filehelper", picture(tmp_path, "image", b"no picture"))
    assert await until_settled(account, sent.client_id) == "failed"
    assert send_files(online) == []
    with pytest.raises(NotAPicture):
        await account.sends.send("filehelper", picture(tmp_path, "image", b"no picture"))
    assert send_files(online) == []


async def test_an_interrupted_upload_is_repeated(online: Running, counted: Counted, tmp_path: Path) -> None:
    account = online.port.account(1)
    counted.lose_answers("webwxuploadmedia")
    sent = await account.sends.enqueue_file("filehelper", picture(tmp_path, "file"), key="cat")
    async with asyncio.timeout(20):
        while "webwxsendappmsg" not in counted.calls:
            account.note_state(StateChange(state=LoginState.ONLINE, before=LoginState.DEGRADED))
            await asyncio.sleep(0)
    assert await until_settled(account, sent.client_id) == "sent"
    assert sent_files(online) == 1


async def test_a_queued_file_is_sent_again_from_its_kept_file(
    online: Running, counted: Counted, tmp_path: Path
) -> None:
    account, content = online.port.account(1), picture(tmp_path)
    counted.lose_answers("webwxuploadmedia", 1_000)
    sent = await account.sends.enqueue_file("filehelper", content, key="cat")
    content.path.unlink()
    with pytest.raises(ConnectFailed):
        await account.sends.retry(sent.client_id)
    counted.lose_answers("webwxuploadmedia", 0)
    again = None
    async with asyncio.timeout(20):
        while again is None:
            with contextlib.suppress(ConnectFailed):  # the attempt that it has joined had begun before
                again = await account.sends.retry(sent.client_id)
    assert (again.state, again.client_id) == ("sent", sent.client_id)
    assert await until_settled(account, sent.client_id) == "sent"
    assert (await account.sends.retry(sent.client_id)).receipt == again.receipt
    assert (sent_files(online), send_files(online)) == (1, [])


async def test_a_file_that_is_being_sent_is_not_sent_twice_by_a_retry(
    online: Running, counted: Counted, tmp_path: Path
) -> None:
    account = online.port.account(1)
    sent = await account.sends.enqueue_file("filehelper", picture(tmp_path), key="cat")
    retries = [account.sends.retry(sent.client_id) for _ in range(2)]
    assert [each.state for each in await asyncio.gather(*retries)] == ["sent"] * 2
    assert await until_settled(account, sent.client_id) == "sent"
    assert counted.calls.count("webwxsendmsgimg") == sent_files(online) == 1


async def test_a_retry_of_a_file_that_takes_long_continues_in_the_background(online: Running, tmp_path: Path) -> None:
    await log_out(online)
    account = online.port.account(1)
    sent = await account.sends.enqueue_file("filehelper", picture(tmp_path), key="cat")
    await online.log_in()
    assert (await account.sends.retry(sent.client_id, wait=0)).state in {"queued", "sending", "sent"}
    assert await until_settled(account, sent.client_id) == "sent"


async def test_a_refused_file_is_not_kept_for_a_retry(online: Running, tmp_path: Path) -> None:
    account = online.port.account(1)
    sent = await account.sends.enqueue_file("filehelper", picture(tmp_path, "image", b"no picture"), key="cat")
    assert await until_settled(account, sent.client_id) == "failed"
    with pytest.raises(InvalidRequest, match="same key"):
        await account.sends.retry(sent.client_id)


async def test_a_queued_file_that_is_gone_fails_with_one_sentence(
    online: Running, counted: Counted, tmp_path: Path
) -> None:
    account = online.port.account(1)
    counted.lose_answers("webwxuploadmedia", 1_000)
    sent = await account.sends.enqueue_file("filehelper", picture(tmp_path), key="cat")
    with pytest.raises(ConnectFailed):
        await account.sends.retry(sent.client_id)
    counted.lose_answers("webwxuploadmedia", 0)
    send_files(online)[0].unlink()
    with pytest.raises(InvalidRequest) as refused:
        await account.sends.retry(sent.client_id)
    assert str(refused.value) == "The file of this send is not stored any more; send it again with the same key."
    failed = await account.client.find_send(client_id=sent.client_id)
    assert failed is not None
    assert failed.state == "failed"
    again = await account.sends.send("filehelper", picture(tmp_path), key="cat")
    assert (again.state, again.client_id, sent_files(online)) == ("sent", sent.client_id, 1)


async def test_requests_with_one_key_at_once_keep_one_file(online: Running, tmp_path: Path) -> None:
    await log_out(online)
    account, content = online.port.account(1), picture(tmp_path)
    sent = await asyncio.gather(*(account.sends.enqueue_file("filehelper", content, key="cat") for _ in range(3)))
    assert len({each.client_id for each in sent}) == len(send_files(online)) == 1
    await online.log_in()
    assert await until_settled(account, sent[0].client_id) == "sent"
    assert (sent_files(online), send_files(online)) == (1, [])


async def test_a_removed_account_leaves_nothing_for_the_background(online: Running, tmp_path: Path) -> None:
    await log_out(online)
    account = online.port.account(1)
    await account.sends.enqueue_file("filehelper", picture(tmp_path))
    await account.sends.enqueue("filehelper", "later")
    assert (await account.status()).queued == 2
    await online.port.remove_account(1)

    assert send_files(online) == []
    number = await online.log_in()
    assert (await online.port.account(number).status()).queued == 0
    rows = await online.port.account(number).client.list_sends()
    assert {(row.state, row.background, row.file) for row in rows} == {("queued", False, "")}


async def test_promises_of_the_version_before_are_kept(start_gateway: StartGateway, tmp_path: Path) -> None:
    async with start_gateway() as running:
        await running.log_in()
        client = running.port.account(1).client
        text = await client.queue_text("filehelper", "promised", key="text")
        file = await client.queue_file("filehelper", "cat.png", kind="image", key="file")
        for row, kind, name in ((text, "promise", ""), (file, "promise.file", "0123")):
            body = msgspec.json.encode({"number": row.number, "file": name})
            await running.gateway.records.put(kind, f"1/{row.number:012d}", body, version=0, time=0)
    folder = tmp_path / "gateway-sends" / "1"
    folder.mkdir(parents=True)
    (folder / "0123").write_bytes(PNG)
    async with start_gateway() as running:
        assert {row.state for row in await running.settled()} == {"sent"}
        assert [await running.gateway.records.find(kind) for kind in KINDS] == [[], []]
        async with asyncio.timeout(20):
            while send_files(running):  # noqa: ASYNC110 - no event marks the deletion
                await asyncio.sleep(0)
        assert sent_files(running) == 2


async def test_files_that_wait_are_sent_after_a_new_login_in_which_their_receiver_has_another_id(
    start_gateway: StartGateway, tmp_path: Path
) -> None:
    async with start_gateway() as running:
        await running.log_in()
        account = running.port.account(1)
        await account.sends.send("阿华", TextContent(text="before"), wait=20)
        await log_out(running)
        waiting = [await account.sends.enqueue_file("阿华", picture(tmp_path), key=name) for name in ("one", "two")]
        await running.log_in()
        assert [await until_settled(account, each.client_id) for each in waiting] == ["sent", "sent"]


async def test_a_text_that_waits_for_the_rate_limit_longer_than_its_request_is_a_background_send(
    start_gateway: StartGateway,
) -> None:
    async with start_gateway() as running:
        await running.port.add_account("default", AccountSettings(rate_limit="on"))
        await running.log_in()
        sends = running.port.account(1).sends
        for text in "12345":
            await sends.send("filehelper", TextContent(text=text))
        sent = await sends.send("filehelper", TextContent(text="6"), wait=0.1)
        assert (sent.state, len(sends)) == ("queued", 1)
        running.port.stop_waiting()
    async with start_gateway() as running:
        account = running.port.account(1)
        row = await account.client.find_send(client_id=sent.client_id)
        assert row is not None
        assert (row.state, row.background, len(account.sends)) == ("queued", True, 1)
        running.port.stop_waiting()
