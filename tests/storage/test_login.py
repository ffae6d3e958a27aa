"""The saved login: other users cannot read it, its content is never executed, and two processes lose nothing."""

from __future__ import annotations

import os
import pickle
import re
import shutil
import signal
import stat
import subprocess
import sys
import time
from collections import Counter
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar

import msgspec
import pytest
from tests.saved import LOGIN, SECRETS

from webwx.errors import AlreadyRunning, InvalidLogin, StorageError
from webwx.model.address_book import Contacts
from webwx.model.contacts import Contact, ContactId
from webwx.model.events import Item
from webwx.storage import login
from webwx.storage.login import LoginFile
from webwx.storage.passphrase import KeyringPassphrase
from webwx.storage.saved_login import LOGIN_VERSION, Ended, SavedLogin

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from tests.keyrings import MemoryKeyring

_TestT = TypeVar("_TestT", bound="Callable[..., Any]")
SAVED = SavedLogin(
    login=LOGIN,
    pending=(Item(kind="message", raw=msgspec.Raw(b'{"MsgId":"1",\n"Content":"\xff"}')),),
    ended=Ended(reason="phone", text="The login has ended."),
)
CONTACTS = Contacts([Contact(id=ContactId("@a"), nickname="张三😀", remark="Boss")])


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "me.json"


def write(path: Path, content: bytes) -> None:
    """Write a private file."""
    path.touch(mode=0o600)
    path.write_bytes(content)


class TestLoading:
    async def test_a_file_that_has_not_changed_for_a_while_is_not_read_again(
        self, path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(login, "_CLOCK_STEP", -1.0)
        store = LoginFile(path)
        await store.save(SAVED)

        saved = await store.load()
        assert saved == SAVED
        assert await store.load() is saved

    async def test_every_change_of_another_process_is_seen_by_the_next_call(self, path: Path) -> None:
        own, other = LoginFile(path), LoginFile(path)
        await own.save(SAVED)
        for number in range(100):
            ended = Ended(reason="phone", text=f"{number:03d}")
            await other.update(partial(msgspec.structs.replace, ended=ended))
            saved = await own.load()
            assert saved is not None
            assert saved.ended == ended
        await other.clear()
        assert await own.load() is None


class TestSyncing:
    async def test_ends_with_its_process(self, path: Path) -> None:
        with subprocess.Popen([sys.executable, "-c", HOLD, str(path)], stdout=subprocess.PIPE) as holder:
            assert holder.stdout is not None
            holder.stdout.readline()
            with pytest.raises(AlreadyRunning) as caught:
                await LoginFile(path).syncing().__aenter__()
            assert caught.value.pid == holder.pid
            holder.kill()

        async with LoginFile(path).syncing():
            pass


HOLD = """
import asyncio, sys, time
from webwx.storage.login import LoginFile

async def hold():
    async with LoginFile(sys.argv[1]).syncing():
        print("held", flush=True)
        time.sleep(60)

asyncio.run(hold())
"""


def needs_strace(test: _TestT) -> _TestT:
    """Mark a test that records syscalls; without strace it is skipped, which is a failure in CI."""
    missing = pytest.mark.skipif(shutil.which("strace") is None, reason="strace is what sees every call to the kernel")
    marked: _TestT = pytest.mark.verify(missing(test))
    return marked


class TestPrivacy:
    @pytest.fixture(autouse=True)
    def _open_umask(self) -> Iterator[None]:
        before = os.umask(0)
        yield
        os.umask(before)

    async def test_every_file_is_private(self, tmp_path: Path) -> None:
        store = LoginFile(tmp_path / "new" / "folder" / "me.json")
        await store.prepare()
        await store.save(SAVED)
        await store.save_contacts(CONTACTS)
        modes = {file.name: stat.S_IMODE(file.stat().st_mode) for file in (tmp_path / "new" / "folder").iterdir()}

        assert modes == dict.fromkeys([".me.json.lock", "me.contacts.json", "me.json"], 0o600)

    async def test_the_folder_is_private(self, tmp_path: Path) -> None:
        await LoginFile(tmp_path / "new" / "me.json").save(SAVED)

        assert stat.S_IMODE((tmp_path / "new").stat().st_mode) == 0o700

    async def test_a_folder_that_every_user_can_change_is_refused_for_reading_and_writing(self, path: Path) -> None:
        store = LoginFile(path)
        await store.save(SAVED)
        path.parent.chmod(0o777)

        with pytest.raises(InvalidLogin, match=r"mode 0777.*chmod 700"):
            await store.load()
        for change in (store.prepare, lambda: store.save(SAVED), lambda: store.update(lambda saved: saved)):
            with pytest.raises(StorageError, match=r"mode 0777.*chmod 700"):
                await change()
        path.parent.chmod(0o700)
        assert await store.load() == SAVED

    @pytest.mark.parametrize("name", ["lock", "sync"])
    async def test_a_lock_that_is_a_symbolic_link_is_refused(self, path: Path, name: str) -> None:
        (target := path.with_name("target")).write_text("precious")
        path.with_name(f".{path.name}.{name}").symlink_to(target)
        store = LoginFile(path)

        use = store.prepare if name == "lock" else store.syncing().__aenter__
        with pytest.raises(StorageError, match="is a symbolic link"):
            await use()
        assert target.read_text() == "precious"

    @pytest.mark.parametrize("mode", [0o644, 0o640, 0o604, 0o620, 0o601])
    async def test_a_file_that_others_can_access_is_refused_with_the_remedy(self, path: Path, mode: int) -> None:
        store = LoginFile(path)
        await store.save(SAVED)
        path.chmod(mode)

        for attempt in (store.load, lambda: store.update(lambda saved: saved)):
            with pytest.raises(InvalidLogin, match=rf"mode {mode:04o}.*chmod 600 '.*me\.json'"):
                await attempt()
        path.chmod(0o600)
        assert await store.load() == SAVED

    async def test_a_known_file_that_others_can_access_now_is_refused(
        self, path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(login, "_CLOCK_STEP", -1.0)
        store = LoginFile(path)
        await store.save(SAVED)
        await store.load()
        path.chmod(0o644)

        with pytest.raises(InvalidLogin, match="can be read by others"):
            await store.load()

    @needs_strace
    def test_no_wider_mode_is_ever_set(self, path: Path) -> None:
        """According to the kernel, every file is created with mode 0600, and no mode is made wider later."""
        trace = path.with_name("trace")
        watched = "openat,open,creat,chmod,fchmod,fchmodat,mkdir,mkdirat"
        subprocess.run(
            ["strace", "-f", "-e", f"trace={watched}", "-o", trace, sys.executable, "-c", SAVE_IN_A_NEW_FOLDER,
             path.parent / "new"],
            check=True,
        )  # fmt: skip
        made = [line for line in trace.read_text("utf-8", "replace").splitlines() if f'"{path.parent}/new' in line]

        assert [line for line in made if "mkdir" in line and "0700" not in line] == []
        assert [line for line in made if "O_CREAT" in line and "0600" not in line] == []
        assert [line for line in made if "chmod" in line] == []
        assert len([line for line in made if "O_CREAT" in line]) >= 2

    def test_no_repr_shows_a_key(self, path: Path) -> None:
        assert not [secret for secret in SECRETS if secret in f"{LoginFile(path)!r}{SAVED.login!r}"]


class TestReplacing:
    async def test_a_change_that_fails_leaves_only_the_old_file(self, path: Path) -> None:
        store = LoginFile(path)
        await store.save(SAVED)

        def fail(saved: SavedLogin) -> SavedLogin:
            raise RuntimeError

        with pytest.raises(RuntimeError):
            await store.update(fail)
        assert await store.load() == SAVED
        assert sorted(file.name for file in path.parent.iterdir()) == [".me.json.lock", "me.json"]

    async def test_a_write_that_fails_leaves_no_incomplete_file(self, path: Path) -> None:
        path.mkdir()  # No file can replace a folder that is not empty.

        with pytest.raises(StorageError, match="cannot be written"):
            await LoginFile(path).save(SAVED)
        assert sorted(file.name for file in path.parent.iterdir()) == [".me.json.lock", "me.json"]

    async def test_a_reader_during_a_save_sees_the_complete_old_file(self, path: Path) -> None:
        store = LoginFile(path)
        await store.save(SAVED)
        with path.open("rb") as reader:
            await store.save(msgspec.structs.replace(SAVED, ended=None))

            assert msgspec.json.decode(reader.read(), type=SavedLogin) == SAVED

    def test_a_kill_at_any_point_of_a_save_leaves_the_old_or_the_new_login(self, path: Path) -> None:
        """
        A child process saves and is killed before its first call of a C function, the next one before its second, and
        so on.
        """
        swept = subprocess.run([sys.executable, "-c", SWEEP, path], stdout=subprocess.PIPE, check=True, text=True)
        killed, old, new, torn = map(int, swept.stdout.split())

        assert torn == 0
        assert killed == old + new
        assert old > 10
        assert new > 1

    @needs_strace
    @pytest.mark.timeout(300)
    async def test_a_kill_at_any_syscall_of_a_save_leaves_the_old_or_the_new_login(self, path: Path) -> None:
        """A process saves and is killed at its first syscall, the next one at its second, and so on."""
        store = LoginFile(path)
        await store.save(SAVED)
        new = msgspec.structs.replace(SAVED, login=msgspec.structs.replace(LOGIN, nickname="new"))
        trace = path.with_name("trace")
        calls = traced_save(path, trace)

        found = []
        for name, turn in calls:
            await store.save(SAVED)
            killed = run_save(path, trace, f"-e inject={name}:signal=KILL:when={turn}")
            if killed:
                found.append("old" if await store.load() == SAVED else "new" if await store.load() == new else "torn")
        assert "torn" not in found
        assert found.count("old") >= 8
        assert found.count("new") >= 4

    @needs_strace
    async def test_a_save_flushes_the_file_before_the_rename_and_the_folder_after_it(self, path: Path) -> None:
        """A loss of power loses the page cache, so the order of the flushes matters."""
        await LoginFile(path).save(SAVED)
        names = [name for name, _ in traced_save(path, path.with_name("trace"))]
        [renamed] = [at for at, name in enumerate(names) if name.startswith("rename")]

        assert names[:renamed].count("fsync") == names[renamed:].count("fsync") == 1
        assert "write" not in names[names.index("fsync") : renamed]

    async def test_a_lock_is_free_again_after_a_failure(self, path: Path) -> None:
        store = LoginFile(path)
        await store.save(SAVED)

        def fail(saved: SavedLogin) -> SavedLogin:
            raise ZeroDivisionError

        for _ in range(2):
            with pytest.raises(ZeroDivisionError):
                await store.update(fail)


def run_save(path: Path, trace: Path, *options: str) -> bool:
    """Run a process under strace that saves, and return whether it was killed."""
    watched = " ".join(["-f", "-e trace=%desc,%file,kill", *options])
    done = subprocess.run(["strace", *watched.split(), "-o", trace, sys.executable, "-c", SAVE_ONCE, path], check=False)
    assert done.returncode in {0, -signal.SIGKILL}
    return done.returncode != 0


def traced_save(path: Path, trace: Path) -> list[tuple[str, int]]:
    """Return the syscalls of a save in order, each with the number of calls of its name so far."""
    assert not run_save(path, trace)
    seen: Counter[str] = Counter()
    calls, within = [], False
    for line in trace.read_text("utf-8", "replace").splitlines():
        called = re.match(r"\d+ +(\w+)\(", line)
        if called is None:
            continue
        seen[called[1]] += 1
        if called[1] == "kill":  # The marks before and after the save.
            within = not within
        elif within:
            calls.append((called[1], seen[called[1]]))
    return calls


SAVE_ONCE = """
import asyncio, os, sys
import msgspec
from webwx.storage.login import LoginFile

store = LoginFile(sys.argv[1])
old = asyncio.run(store.load())
new = msgspec.structs.replace(old, login=msgspec.structs.replace(old.login, nickname="new"))
save = store.save(new)
os.kill(os.getpid(), 0)
try:
    save.send(None)  # never waits, and a loop would make syscalls of its own
except StopIteration:
    pass
os.kill(os.getpid(), 0)
"""

SAVE_IN_A_NEW_FOLDER = """
import asyncio, os, sys
from tests.saved import LOGIN
from webwx.storage.saved_login import SavedLogin
from webwx.storage.login import LoginFile

os.umask(0)
asyncio.run(LoginFile(sys.argv[1] + "/me.json").save(SavedLogin(login=LOGIN)))
"""

SWEEP = """
import asyncio, os, signal, sys
import msgspec
from tests.saved import LOGIN
from webwx.errors import WxError
from webwx.storage.saved_login import SavedLogin
from webwx.storage.login import LoginFile

store = LoginFile(sys.argv[1])
OLD = SavedLogin(login=LOGIN)
NEW = SavedLogin(login=msgspec.structs.replace(LOGIN, nickname="new" * 1000))

def child(calls):
    def count(frame, event, argument):
        nonlocal calls
        if event == "c_call":
            calls -= 1
            if calls < 0:
                os.kill(os.getpid(), signal.SIGKILL)
    save = store.save(NEW)
    sys.setprofile(count)
    try:
        save.send(None)  # never waits, and a loop would make calls of its own
    except StopIteration:
        pass
    sys.setprofile(None)
    os._exit(0)

killed = old = new = torn = 0
for calls in range(1000):
    asyncio.run(store.save(OLD))
    pid = os.fork() or child(calls)
    if not os.WIFSIGNALED(os.waitpid(pid, 0)[1]):
        break
    killed += 1
    try:
        loaded = asyncio.run(store.load())
    except WxError:
        loaded = None
    old, new, torn = old + (loaded == OLD), new + (loaded == NEW), torn + (loaded not in (OLD, NEW))
print(killed, old, new, torn)
"""


class _Bomb:
    def __reduce__(self) -> tuple[object, tuple[str]]:
        return (os.system, (f"touch {os.environ['MARKER_FILE']}",))


class TestUnreadable:
    async def test_a_pickle_is_not_run(self, path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        marker = path.with_name("marker")
        monkeypatch.setenv("MARKER_FILE", str(marker))
        write(path, pickle.dumps(_Bomb()))

        with pytest.raises(InvalidLogin):
            await LoginFile(path).load()
        assert not marker.exists()

    @pytest.mark.parametrize(
        "content",
        [
            b"", b"{}", b"null", b"\xff\xfe", b"[" * 100_000, msgspec.json.encode(SAVED)[:-10],
            b'{"x":' + b"[" * 200_000 + b"]" * 200_000 + b"}", b'{"x":' + b'{"x":' * 200_000,
        ],
        ids=["empty", "object", "null", "binary", "list", "half", "deep", "deep and half"],
    )  # fmt: skip
    async def test_a_damaged_file_is_renamed_and_a_new_login_can_be_saved(self, path: Path, content: bytes) -> None:
        write(path, content)
        store = LoginFile(path)

        with pytest.raises(InvalidLogin, match=r"is damaged; it was moved to me\.json\.invalid-\d+, so log in again"):
            await store.load()
        [aside] = path.parent.glob("me.json.invalid-*")
        assert aside.read_bytes() == content
        assert stat.S_IMODE(aside.stat().st_mode) == 0o600
        assert await store.load() is None
        await store.save(SAVED)
        assert await store.load() == SAVED

    async def test_a_change_renames_a_damaged_file(self, path: Path) -> None:
        write(path, b"{}")

        with pytest.raises(InvalidLogin, match="log in again"):
            await LoginFile(path).update(lambda saved: saved)
        assert not path.exists()

    async def test_a_truncated_file_is_never_accepted(self, path: Path) -> None:
        whole = msgspec.json.encode(SAVED)
        for size in range(0, len(whole), 7):
            write(path, whole[:size])
            with pytest.raises(InvalidLogin):
                await LoginFile(path).load()

    async def test_a_folder_in_place_of_the_file_is_renamed(self, path: Path) -> None:
        path.mkdir(mode=0o700)

        with pytest.raises(InvalidLogin, match="is a folder; it was moved"):
            await LoginFile(path).load()
        assert await LoginFile(path).load() is None

    async def test_an_error_names_the_version_of_a_newer_file(self, path: Path) -> None:
        write(path, msgspec.json.encode(msgspec.structs.replace(SAVED, version=LOGIN_VERSION + 1)))

        with pytest.raises(InvalidLogin, match=f"version {LOGIN_VERSION + 1}, this webwx reads {LOGIN_VERSION}"):
            await LoginFile(path).load()

    async def test_a_folder_that_cannot_be_written_is_an_error(self, tmp_path: Path) -> None:
        blocked = tmp_path / "file"
        blocked.write_bytes(b"")

        with pytest.raises(StorageError, match="Nothing can be written beside"):
            await LoginFile(blocked / "me.json").save(SAVED)

    async def test_the_error_shows_no_content_of_the_file(self, path: Path) -> None:
        write(path, msgspec.json.encode(SAVED).replace(b'"pass_ticket":"', b'"pass_ticket":7,"x":"'))

        with pytest.raises(InvalidLogin) as caught:
            await LoginFile(path).load()
        assert not [secret for secret in SECRETS if secret in str(caught.value)]

    @pytest.mark.parametrize("content", [b"", b"{}", b"\xff"])
    async def test_damaged_contacts_count_as_missing(self, path: Path, content: bytes) -> None:
        path.with_name("me.contacts.json").write_bytes(content)

        assert len(await LoginFile(path).load_contacts()) == len(Contacts())


class TestPreparing:
    async def test_raises_if_the_folder_cannot_be_written(self, tmp_path: Path) -> None:
        (tmp_path / "file").write_bytes(b"")

        with pytest.raises(StorageError, match="Nothing can be written beside"):
            await LoginFile(tmp_path / "file" / "me.json").prepare()


@pytest.mark.usefixtures("memory_keyring")
class TestInTheKeyring:
    async def test_a_login_is_encrypted_with_a_generated_passphrase(self, path: Path) -> None:
        await LoginFile(path, passphrase=KeyringPassphrase("me")).save(SAVED)

        assert await LoginFile(path, passphrase=KeyringPassphrase("me")).load() == SAVED
        assert not [secret for secret in SECRETS if secret.encode() in path.read_bytes()]
        with pytest.raises(InvalidLogin, match="is encrypted"):
            await LoginFile(path).load()

    async def test_loading_makes_no_keyring_entry_and_preparing_makes_one(
        self, path: Path, memory_keyring: MemoryKeyring
    ) -> None:
        store = LoginFile(path, passphrase=KeyringPassphrase("me"))
        assert (await store.load(), len(await store.load_contacts()), memory_keyring.entries) == (None, 1, {})
        await store.prepare()

        assert len(memory_keyring.entries) == 1

    async def test_the_keyring_entry_is_deleted_with_the_login(self, path: Path, memory_keyring: MemoryKeyring) -> None:
        store = LoginFile(path, passphrase=KeyringPassphrase("me"))
        await store.save(SAVED)
        await store.clear()

        assert memory_keyring.entries == {}
        await store.save(SAVED)
        assert await store.load() == SAVED

    async def test_a_file_that_changed_just_before_a_slow_read_is_read_again(
        self, path: Path, memory_keyring: MemoryKeyring, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """While a key is derived, another change may leave the file with the same times, size and number."""
        await LoginFile(path, passphrase=KeyringPassphrase("me")).save(SAVED)
        get_password = memory_keyring.get_password

        def slow(service: str, username: str) -> str | None:
            # As if a step of the clock had just passed.
            monkeypatch.setattr(login, "_CLOCK_STEP", time.time() - path.stat().st_ctime)
            return get_password(service, username)

        monkeypatch.setattr(memory_keyring, "get_password", slow)
        monkeypatch.setattr(login, "_CLOCK_STEP", 60.0)
        store = LoginFile(path, passphrase=KeyringPassphrase("me"))
        first = await store.load()
        assert first == SAVED
        assert await store.load() is not first

    async def test_a_login_without_its_keyring_entry_is_an_error_and_stays(
        self, path: Path, memory_keyring: MemoryKeyring
    ) -> None:
        await LoginFile(path, passphrase=KeyringPassphrase("me")).save(SAVED)
        memory_keyring.entries.clear()

        with pytest.raises(InvalidLogin, match="no passphrase for the login 'me'"):
            await LoginFile(path, passphrase=KeyringPassphrase("me")).load()
        assert path.exists()


COUNT = """
import asyncio, sys
import msgspec
from webwx.storage.saved_login import SavedLogin
from webwx.storage.login import LoginFile

def count(saved: SavedLogin) -> SavedLogin:
    login = msgspec.structs.replace(saved.login, last_client_id=saved.login.last_client_id + 1)
    return msgspec.structs.replace(saved, login=login)

for _ in range(200):
    asyncio.run(LoginFile(sys.argv[1]).update(count))
"""


async def test_two_processes_that_change_one_login_lose_nothing(path: Path) -> None:
    store = LoginFile(path)
    await store.save(SAVED)
    writers = [subprocess.Popen([sys.executable, "-c", COUNT, str(path)]) for _ in range(2)]

    assert [writer.wait(30) for writer in writers] == [0, 0]
    saved = await store.load()
    assert saved is not None
    assert saved.login.last_client_id == 400


RESERVE = """
import asyncio, sys
from webwx.storage.login import LoginFile

store = LoginFile(sys.argv[1])
print(*(asyncio.run(store.reserve_id(1_000)) for _ in range(500)))
"""


def test_two_processes_never_get_the_same_id(path: Path) -> None:
    takers = [
        subprocess.Popen([sys.executable, "-c", RESERVE, str(path)], stdout=subprocess.PIPE, text=True)
        for _ in range(2)
    ]
    taken = [int(each) for taker in takers for each in taker.communicate(timeout=30)[0].split()]

    assert sorted(taken) == list(range(1_000, 2_000))
