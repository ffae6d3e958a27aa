"""The saved login: nobody else can read it, nothing in it is run, and two processes lose nothing."""

from __future__ import annotations

import os
import pickle
import stat
import subprocess
import sys
from typing import TYPE_CHECKING

import msgspec
import pytest
from tests.saved import LOGIN, SECRETS

from webwx.errors import AlreadyRunning, InvalidLogin
from webwx.model.contacts import Contact, ContactId
from webwx.model.events import Item
from webwx.store.saved_login import VERSION, Ended, LoginFile, LoginMemory, LoginStore, SavedLogin

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

SAVED = SavedLogin(
    login=LOGIN,
    pending=(Item(kind="message", raw=msgspec.Raw(b'{"MsgId":"1",\n"Content":"\xff"}')),),
    ended=Ended(reason="phone", text="The login has ended."),
)
CONTACTS = [Contact(id=ContactId("@a"), nickname="张三😀", remark="Boss")]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "me.json"


@pytest.fixture(params=["file", "memory"])
def store(request: pytest.FixtureRequest, path: Path) -> LoginStore:
    return LoginFile(path) if request.param == "file" else LoginMemory()


class TestEveryStore:
    def test_gives_back_what_was_saved(self, store: LoginStore) -> None:
        store.save(SAVED)

        assert store.load() == SAVED

    def test_has_nothing_at_first(self, store: LoginStore) -> None:
        assert store.load() is None
        assert store.load_contacts() == []

    def test_changes_what_is_saved(self, store: LoginStore) -> None:
        store.save(SAVED)
        store.update(lambda saved: msgspec.structs.replace(saved, ended=None))

        assert store.load() == msgspec.structs.replace(SAVED, ended=None)

    def test_changes_nothing_when_nothing_is_saved(self, store: LoginStore) -> None:
        store.update(lambda saved: SAVED)

        assert store.load() is None

    def test_keeps_contacts(self, store: LoginStore) -> None:
        store.save_contacts(CONTACTS)

        assert store.load_contacts() == CONTACTS

    def test_forgets_both(self, store: LoginStore) -> None:
        store.save(SAVED)
        store.save_contacts(CONTACTS)
        store.clear()
        store.clear()

        assert store.load() is None
        assert store.load_contacts() == []


class TestSyncing:
    def test_one_at_a_time(self, store: LoginStore) -> None:
        with store.syncing(), pytest.raises(AlreadyRunning) as caught, store.syncing():
            pass

        assert caught.value.pid == os.getpid()

    def test_the_next_one_when_the_first_has_ended(self, store: LoginStore) -> None:
        for _ in range(2):
            with store.syncing():
                pass

    def test_does_not_keep_others_from_changing_the_login(self, store: LoginStore) -> None:
        store.save(SAVED)
        with store.syncing():
            store.update(lambda saved: msgspec.structs.replace(saved, pending=()))

        saved = store.load()
        assert saved is not None
        assert saved.pending == ()

    def test_g5_ends_with_its_process_however_that_ends(self, path: Path) -> None:
        with subprocess.Popen([sys.executable, "-c", HOLD, str(path)], stdout=subprocess.PIPE) as holder:
            assert holder.stdout is not None
            holder.stdout.readline()
            with pytest.raises(AlreadyRunning) as caught, LoginFile(path).syncing():
                pass
            assert caught.value.pid == holder.pid
            holder.kill()

        with LoginFile(path).syncing():
            pass


HOLD = """
import sys, time
from webwx.store.saved_login import LoginFile

with LoginFile(sys.argv[1]).syncing():
    print("held", flush=True)
    time.sleep(60)
"""


class TestG2Privacy:
    @pytest.fixture(autouse=True)
    def _open_umask(self) -> Iterator[None]:
        before = os.umask(0)
        yield
        os.umask(before)

    def test_every_file_is_its_owners_alone(self, tmp_path: Path) -> None:
        store = LoginFile(tmp_path / "new" / "folder" / "me.json")
        store.save(SAVED)
        store.save_contacts(CONTACTS)
        modes = {file.name: stat.S_IMODE(file.stat().st_mode) for file in (tmp_path / "new" / "folder").iterdir()}

        assert modes == dict.fromkeys([".me.json.lock", "me.contacts.json", "me.json"], 0o600)

    def test_the_folder_too(self, tmp_path: Path) -> None:
        LoginFile(tmp_path / "new" / "me.json").save(SAVED)

        assert stat.S_IMODE((tmp_path / "new").stat().st_mode) == 0o700

    def test_a_file_that_others_could_read_is_private_after_the_next_change(self, path: Path) -> None:
        path.write_bytes(msgspec.json.encode(SAVED))
        path.chmod(0o644)
        LoginFile(path).update(lambda saved: saved)

        assert stat.S_IMODE(path.stat().st_mode) == 0o600

    def test_no_key_is_shown(self, path: Path) -> None:
        assert not [secret for secret in SECRETS if secret in f"{LoginFile(path)!r}{SAVED.login!r}"]


class TestG3Replacing:
    def test_a_change_that_fails_leaves_the_old_file_and_no_other(self, path: Path) -> None:
        store = LoginFile(path)
        store.save(SAVED)

        def fail(saved: SavedLogin) -> SavedLogin:
            raise RuntimeError

        with pytest.raises(RuntimeError):
            store.update(fail)
        assert store.load() == SAVED
        assert sorted(file.name for file in path.parent.iterdir()) == [".me.json.lock", "me.json"]

    def test_a_write_that_fails_leaves_no_half_file(self, path: Path) -> None:
        path.mkdir()  # nothing can take its place

        with pytest.raises(OSError, match="directory"):
            LoginFile(path).save(SAVED)
        assert sorted(file.name for file in path.parent.iterdir()) == [".me.json.lock", "me.json"]

    def test_who_reads_meanwhile_sees_the_old_one_whole(self, path: Path) -> None:
        store = LoginFile(path)
        store.save(SAVED)
        with path.open("rb") as reader:
            store.save(msgspec.structs.replace(SAVED, ended=None))

            assert msgspec.json.decode(reader.read(), type=SavedLogin) == SAVED

    def test_a_lock_is_free_again_after_a_failure(self, path: Path) -> None:
        store = LoginFile(path)
        store.save(SAVED)
        for _ in range(2):
            with pytest.raises(ZeroDivisionError):
                store.update(lambda saved: 1 // 0)


class _Bomb:
    def __reduce__(self) -> tuple[object, tuple[str]]:
        return (os.system, (f"touch {os.environ['CANARY_FILE']}",))


class TestUnreadable:
    def test_g1_a_pickle_is_not_run(self, path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        canary = path.with_name("canary")
        monkeypatch.setenv("CANARY_FILE", str(canary))
        path.write_bytes(pickle.dumps(_Bomb()))

        with pytest.raises(InvalidLogin):
            LoginFile(path).load()
        assert not canary.exists()

    @pytest.mark.parametrize(
        "content", [b"", b"{}", b"null", b"\xff\xfe", b"[" * 100_000, msgspec.json.encode(SAVED)[:-10]]
    )
    def test_g4_a_damaged_file_says_what_to_do(self, path: Path, content: bytes) -> None:
        path.write_bytes(content)

        with pytest.raises(InvalidLogin, match="log in again"):
            LoginFile(path).load()

    def test_g4_a_file_cut_anywhere_is_never_taken_for_a_whole_one(self, path: Path) -> None:
        whole = msgspec.json.encode(SAVED)
        for size in range(0, len(whole), 7):
            path.write_bytes(whole[:size])
            with pytest.raises(InvalidLogin):
                LoginFile(path).load()

    def test_g4_a_folder_is_no_file(self, path: Path) -> None:
        path.mkdir()

        with pytest.raises(InvalidLogin, match="cannot be read"):
            LoginFile(path).load()

    def test_g4_another_version_is_named(self, path: Path) -> None:
        path.write_bytes(msgspec.json.encode(msgspec.structs.replace(SAVED, version=VERSION + 1)))

        with pytest.raises(InvalidLogin, match=f"version {VERSION + 1}, this webwx reads {VERSION}"):
            LoginFile(path).load()

    def test_the_error_shows_nothing_of_the_file(self, path: Path) -> None:
        path.write_bytes(msgspec.json.encode(SAVED).replace(b'"pass_ticket":"', b'"pass_ticket":7,"x":"'))

        with pytest.raises(InvalidLogin) as caught:
            LoginFile(path).load()
        assert not [secret for secret in SECRETS if secret in str(caught.value)]

    @pytest.mark.parametrize("content", [b"", b"{}", b"\xff"])
    def test_contacts_can_be_fetched_again_so_they_are_none(self, path: Path, content: bytes) -> None:
        path.with_name("me.contacts.json").write_bytes(content)

        assert LoginFile(path).load_contacts() == []


COUNT = """
import sys
import msgspec
from webwx.store.saved_login import LoginFile, SavedLogin

def count(saved: SavedLogin) -> SavedLogin:
    login = msgspec.structs.replace(saved.login, last_client_id=saved.login.last_client_id + 1)
    return msgspec.structs.replace(saved, login=login)

for _ in range(200):
    LoginFile(sys.argv[1]).update(count)
"""


def test_two_processes_that_change_one_login_lose_nothing(path: Path) -> None:
    store = LoginFile(path)
    store.save(SAVED)
    writers = [subprocess.Popen([sys.executable, "-c", COUNT, str(path)]) for _ in range(2)]

    assert [writer.wait(30) for writer in writers] == [0, 0]
    saved = store.load()
    assert saved is not None
    assert saved.login.last_client_id == 400
