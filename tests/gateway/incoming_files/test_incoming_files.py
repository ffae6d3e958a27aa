"""Incoming files reach the folder of their rule: whole, under a free name, again after a failure, never twice."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import msgspec
import pytest
from tests.carriers import Counted
from tests.client.virtual_loop import on_virtual_clock
from tests.gateway.conftest import HoldingLoopback

from webwx.gateway.config import GatewayConfig, IncomingFilesTable
from webwx.gateway.incoming_files.incoming_files import (
    PAUSES,
    REMEMBERED_FILES,
    FileFolder,
    FileTooLarge,
    IncomingFile,
    IncomingFileOutcomes,
)
from webwx.gateway.incoming_files.rules import IncomingFileRule
from webwx.storage.open import open_records

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from tests.gateway.conftest import Running, StartGateway

    from webwx.protocol.http import Request, Response
    from webwx.sandbox.core import SandboxCore
    from webwx.transport.runner import Transport

MEDIA = "webwxgetmedia"
"""Name of the call that downloads a file."""


class Pauses:
    """A sleep that notes its seconds, and lasts until it is released."""

    def __init__(self) -> None:
        self.seconds: list[float] = []
        self.begun = asyncio.Event()
        self.released = asyncio.Event()

    async def __call__(self, seconds: float) -> None:
        self.seconds.append(seconds)
        self.begun.set()
        await self.released.wait()
        await asyncio.sleep(0)


@pytest.fixture
def pauses() -> Pauses:
    return Pauses()


class HeldMedia(Counted):
    """Carries requests, and holds those for media until they are released."""

    def __init__(self, inner: Transport) -> None:
        super().__init__(inner)
        self.open = 0
        """Number of requests for media that are not answered."""
        self.released = asyncio.Event()
        self.released.set()

    async def send(self, request: Request) -> Response:
        if request.endpoint == MEDIA:
            self.open += 1
            await self.released.wait()
            self.open -= 1
        return await super().send(request)


@pytest.fixture
def counted(sandbox: SandboxCore) -> HeldMedia:
    """Carries and counts the requests of all accounts."""
    return HeldMedia(HoldingLoopback(sandbox))


@pytest.fixture
def root(tmp_path: Path) -> Path:
    path = tmp_path / "root"
    path.mkdir()
    return path


@pytest.fixture
def config(root: Path) -> GatewayConfig:
    return GatewayConfig(incoming_files=IncomingFilesTable(root=str(root), keep_free=0))


@pytest.fixture
async def saving(start_gateway: StartGateway, config: GatewayConfig, pauses: Pauses) -> AsyncIterator[Running]:
    """A gateway with an account that is logged in, and a root for incoming files."""
    async with start_gateway(config, sleep=pauses) as running:
        await running.log_in()
        yield running


async def added(running: Running, **fields: Any) -> IncomingFileRule:
    """Store a rule, and begin to save files."""
    given: dict[str, Any] = {"id": "", "name": "n", "folder": "", "created_at": 0}
    rule = await running.gateway.incoming_file_rules.create(IncomingFileRule(**given | fields))
    await running.gateway.incoming_files.apply(rule.id)
    return rule


async def enable(running: Running, rule: IncomingFileRule, *, is_enabled: bool = True) -> None:
    """Enable or disable a rule."""
    rules = running.gateway.incoming_file_rules
    await rules.change(rule.id, lambda each: msgspec.structs.replace(each, enabled=is_enabled))
    await running.gateway.incoming_files.apply(rule.id)


async def until(running: Running, rule: IncomingFileRule, *outcomes: str) -> list[IncomingFile]:
    """Wait until the latest files have these outcomes, the newest first, and return them."""
    async with asyncio.timeout(20):
        while True:
            files = await running.gateway.incoming_files.outcomes.find(rule.id)
            if [each.outcome for each in files] == list(outcomes):
                return files
            await asyncio.sleep(0)


def contents(root: Path) -> dict[str, bytes]:
    """Return the content of every file below a folder, by its path."""
    return {str(path.relative_to(root)): path.read_bytes() for path in root.rglob("*") if path.is_file()}


async def test_a_file_is_saved_in_the_folder_of_its_rule(saving: Running, root: Path) -> None:
    rule = await added(saving, folder="phone/scans", pattern="{sender} {name}")
    saving.world.say("ahua", "me", "no file")
    saving.world.file("ahua", "me", b"%PDF-1", "报告.pdf")
    [file] = await until(saving, rule, "saved")
    assert contents(root) == {"phone/scans/阿华 报告.pdf": b"%PDF-1"}
    assert (file.name, file.size, file.account) == ("阿华 报告.pdf", 6, 1)


async def test_a_file_never_replaces_another_one(saving: Running, root: Path) -> None:
    rule = await added(saving)
    (root / "a.txt").write_bytes(b"mine")
    for content in (b"one", b"two"):
        saving.world.file("ahua", "me", content, "a.txt")
    await until(saving, rule, "saved", "saved")
    assert contents(root).keys() == {"a.txt", "a (2).txt", "a (3).txt"}
    assert (root / "a.txt").read_bytes() == b"mine"


@pytest.mark.parametrize("name", ["../../evil.sh", "/etc/cron.d/evil", ".bashrc", "a\x00\n.txt", "..", "x" * 500])
async def test_no_received_name_leaves_the_folder(saving: Running, root: Path, name: str) -> None:
    rule = await added(saving, folder="in")
    saving.world.file("ahua", "me", b"x", name)
    await until(saving, rule, "saved")
    [path] = contents(root)
    assert path.startswith("in/")
    assert not path.removeprefix("in/").startswith(".")
    assert path.count("/") == 1


async def test_a_file_that_is_too_large_is_not_saved(saving: Running, root: Path) -> None:
    rule = await added(saving, max_bytes=5)
    saving.world.file("ahua", "me", b"123456", "large.txt")
    saving.world.file("ahua", "me", b"12345", "small.txt")
    await until(saving, rule, "saved", "too_large")
    assert contents(root) == {"small.txt": b"12345"}


async def test_a_file_that_is_too_large_is_not_downloaded(saving: Running, counted: HeldMedia) -> None:
    rule = await added(saving, max_bytes=5)
    saving.world.file("ahua", "me", b"123456", "large.txt")
    await until(saving, rule, "too_large")
    assert MEDIA not in counted.calls


def test_a_file_that_is_larger_than_announced_is_not_saved(root: Path, tmp_path: Path) -> None:
    (tmp_path / "received").write_bytes(b"123456")
    folder = FileFolder(IncomingFilesTable(root=str(root), keep_free=0), "in")
    with pytest.raises(FileTooLarge):
        folder.save(tmp_path / "received", "a.txt", 5, is_repeated=False)
    assert contents(root) == {}


async def test_a_file_that_the_network_does_not_deliver_is_tried_again_without_a_limit(
    saving: Running, root: Path, pauses: Pauses, counted: HeldMedia
) -> None:
    pauses.released.set()
    rule = await added(saving)
    counted.lose_answers(MEDIA, 40)
    saving.world.file("ahua", "me", b"x", "a.txt")
    await until(saving, rule, "saved")
    assert contents(root) == {"a.txt": b"x"}
    assert len(pauses.seconds) > len(PAUSES) + 1
    assert pauses.seconds == [5, 30, 120, 600] + [1800] * (len(pauses.seconds) - 4)


@on_virtual_clock
async def test_two_files_of_a_rule_are_downloaded_at_once(
    start_gateway: StartGateway, config: GatewayConfig, counted: HeldMedia
) -> None:
    async with start_gateway(config) as running:
        await running.log_in()
        rule = await added(running)
        counted.released.clear()
        for number in range(5):
            running.world.file("ahua", "me", b"x", f"{number}.txt")
        await asyncio.sleep(10)
        assert counted.open == 2
        counted.released.set()
        await until(running, rule, *["saved"] * 5)


@on_virtual_clock
async def test_a_hundred_files_of_a_rule_wait_in_memory_for_another_attempt(
    start_gateway: StartGateway, config: GatewayConfig, root: Path, pauses: Pauses
) -> None:
    root.rmdir()
    async with start_gateway(config, sleep=pauses) as running:
        await running.log_in()
        await added(running)
        for number in range(105):
            running.world.file("ahua", "me", b"x", f"{number}.txt")
        await asyncio.sleep(100)
        assert len(pauses.seconds) == 100
        root.mkdir()
        pauses.released.set()
        await asyncio.sleep(100)
    assert len(contents(root)) == 105


async def test_a_missing_root_is_shown_and_the_file_is_saved_once_it_is_back(
    saving: Running, root: Path, pauses: Pauses
) -> None:
    rule = await added(saving)
    root.rmdir()
    saving.world.file("ahua", "me", b"x", "a.txt")
    [file] = await until(saving, rule, "retrying")
    assert ("root" in file.error, file.error_code) == (True, "local-state-error")
    assert not root.exists()
    await pauses.begun.wait()
    root.mkdir()
    pauses.released.set()
    await until(saving, rule, "saved")
    assert (contents(root), pauses.seconds) == ({"a.txt": b"x"}, [PAUSES[0]])


async def test_a_link_out_of_the_root_is_not_followed(saving: Running, root: Path, tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (root / "in").symlink_to(outside)
    rule = await added(saving, folder="in/deeper")
    saving.world.file("ahua", "me", b"x", "a.txt")
    [file] = await until(saving, rule, "retrying")
    assert "link" in file.error
    assert list(outside.iterdir()) == []


async def test_a_disk_without_free_space_gets_no_file(start_gateway: StartGateway, root: Path, pauses: Pauses) -> None:
    config = GatewayConfig(incoming_files=IncomingFilesTable(root=str(root), keep_free=2**62))
    async with start_gateway(config, sleep=pauses) as running:
        await running.log_in()
        rule = await added(running)
        running.world.file("ahua", "me", b"x", "a.txt")
        [file] = await until(running, rule, "retrying")
    assert "keep_free" in file.error
    assert contents(root) == {}


async def test_a_file_that_the_platform_does_not_serve_becomes_a_dead_letter(
    saving: Running, root: Path, pauses: Pauses
) -> None:
    pauses.released.set()
    rule = await added(saving)
    fault = saving.world.faults.add("media_gone")
    saving.world.file("ahua", "me", b"x", "a.txt")
    [file] = await until(saving, rule, "failed")
    assert file.error_code == "media-unavailable"
    assert pauses.seconds == list(PAUSES)
    assert contents(root) == {}
    [letter] = await saving.port.account(1).client.list_dead_letters(consumer=rule.consumer, limit=10)
    assert (letter.attempts, letter.error) == (len(PAUSES) + 1, "media-unavailable")
    saving.world.faults.remove(fault.number)
    assert await saving.port.account(1).client.revive(letter.event.number, consumer=rule.consumer)
    await until(saving, rule, "saved")


async def test_after_a_restart_a_failed_file_waits_for_its_time_unless_its_rule_has_changed(
    start_gateway: StartGateway, config: GatewayConfig, pauses: Pauses, counted: HeldMedia
) -> None:
    later = Pauses()
    async with start_gateway(config, sleep=pauses) as running:
        await running.log_in()
        rule = await added(running)
        fault = running.world.faults.add("media_gone")
        running.world.file("ahua", "me", b"x", "a.txt")
        await pauses.begun.wait()
        running.world.faults.remove(fault.number)
    calls = counted.calls.count(MEDIA)
    async with start_gateway(config, sleep=later) as running:
        await later.begun.wait()
        assert (len(pauses.seconds), counted.calls.count(MEDIA)) == (1, calls)
        assert 0 < later.seconds[0] <= PAUSES[0]
        await running.gateway.incoming_files.apply(rule.id)
        await until(running, rule, "saved")


async def test_a_restart_saves_what_arrived_in_between_and_nothing_twice(
    start_gateway: StartGateway, config: GatewayConfig, root: Path, pauses: Pauses
) -> None:
    async with start_gateway(config, sleep=pauses) as running:
        await running.log_in()
        rule = await added(running)
        running.world.file("ahua", "me", b"1", "a.txt")
        await until(running, rule, "saved")
        root.rename(root.with_name("away"))
        running.world.file("ahua", "me", b"2", "b.txt")
        await until(running, rule, "retrying", "saved")
    root.with_name("away").rename(root)
    (root / "b.txt").write_bytes(b"2")  # as a crash before the acknowledgement leaves it
    async with start_gateway(config, sleep=pauses) as running:
        await until(running, rule, "saved", "saved")
        running.world.file("ahua", "me", b"3", "c.txt")
        await until(running, rule, "saved", "saved", "saved")
    assert contents(root) == {"a.txt": b"1", "b.txt": b"2", "c.txt": b"3"}


async def test_a_saved_file_that_was_moved_away_is_not_saved_again_after_a_restart(
    start_gateway: StartGateway, config: GatewayConfig, root: Path
) -> None:
    async with start_gateway(config) as running:
        await running.log_in()
        rule = await added(running)
        running.world.file("ahua", "me", b"1", "a.txt")
        await until(running, rule, "saved")
    (root / "a.txt").unlink()
    async with start_gateway(config) as running:
        running.world.file("ahua", "me", b"2", "b.txt")
        await until(running, rule, "saved", "saved")
    assert contents(root) == {"b.txt": b"2"}


async def test_a_file_whose_acknowledgement_was_lost_is_not_saved_again_after_it_was_moved_away(
    start_gateway: StartGateway, config: GatewayConfig, root: Path, pauses: Pauses
) -> None:
    async with start_gateway(config, sleep=pauses) as running:
        await running.log_in()
        rule = await added(running)
        root.rename(root.with_name("away"))
        running.world.file("ahua", "me", b"1", "a.txt")
        [file] = await until(running, rule, "retrying")
        saved = msgspec.structs.replace(file, outcome="saved", name="a.txt", error="")
        await running.gateway.incoming_files.outcomes.add(rule.id, saved)  # what an attempt stores at its end
    root.with_name("away").rename(root)
    async with start_gateway(config) as running:
        running.world.file("ahua", "me", b"2", "b.txt")
        await until(running, rule, "saved", "saved")
    assert contents(root) == {"b.txt": b"2"}


async def test_files_of_a_new_login_are_saved(saving: Running, root: Path) -> None:
    rule = await added(saving)
    saving.world.log_out("me")
    assert (await saving.port.account(1).check()).state == "logged_out"
    await saving.log_in()
    saving.world.file("ahua", "me", b"x", "after.txt")
    await until(saving, rule, "saved")
    assert contents(root) == {"after.txt": b"x"}


async def test_a_disabled_rule_saves_its_files_once_it_is_enabled(saving: Running, root: Path) -> None:
    rule = await added(saving)
    await enable(saving, rule, is_enabled=False)
    saving.world.file("ahua", "me", b"x", "a.txt")
    saving.world.say("ahua", "me", "after the file")
    await saving.until_text("after the file")
    assert contents(root) == {}
    await enable(saving, rule)
    await until(saving, rule, "saved")


async def test_a_deleted_rule_leaves_its_files_and_no_outcomes(saving: Running, root: Path) -> None:
    rule = await added(saving)
    saving.world.file("ahua", "me", b"x", "a.txt")
    await until(saving, rule, "saved")
    await saving.gateway.incoming_file_rules.delete(rule.id)
    await saving.gateway.incoming_files.apply(rule.id)
    assert await saving.gateway.incoming_files.outcomes.find(rule.id) == []
    assert contents(root) == {"a.txt": b"x"}


async def test_without_a_root_no_file_is_saved(online: Running) -> None:
    rule = await added(online)
    online.world.file("ahua", "me", b"x", "a.txt")
    online.world.say("ahua", "me", "after the file")
    await online.until_text("after the file")
    assert await online.gateway.incoming_files.outcomes.find(rule.id) == []


async def test_the_latest_outcomes_are_stored_one_for_each_file(tmp_path: Path) -> None:
    records = open_records(tmp_path / "gateway.db")
    outcomes = IncomingFileOutcomes(records)
    for number in range(REMEMBERED_FILES + 5):
        await outcomes.add("r", IncomingFile(account=1, number=number, outcome="retrying", time=0))
    await outcomes.add("r", IncomingFile(account=1, number=50, outcome="saved", time=1))
    found = await IncomingFileOutcomes(records).find("r")
    assert (len(found), found[0].number, found[0].outcome) == (REMEMBERED_FILES, 50, "saved")
    assert [each.number for each in found].count(50) == 1
    await records.close()
