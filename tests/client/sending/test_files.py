"""Files on this machine: safe names, no overwritten file, no partial file."""

from __future__ import annotations

import errno
import hashlib
import io
import os
import stat
import subprocess
import sys
import tempfile
from functools import partial
from pathlib import Path

import pytest

from webwx.client.sending import files
from webwx.errors import InvalidRequest, LocalStateError, NoSuchFile
from webwx.transport import file_chunks

HOSTILE = [
    "../x",
    "../../../../etc/passwd",
    "..\\x",
    "..\\..\\x.txt",
    "/etc/x",
    "/root/.ssh/authorized_keys",
    "//host/share/x",
    "C:\\x",
    "C:x",
    "c:/windows/system32/x",
    "\\\\host\\share\\x",
    "a\0b",
    "\0",
    "CON",
    "con",
    "con.txt",
    "NUL",
    "aux.tar.gz",
    "COM1",
    "LPT9.txt",
    "COM¹",
    ".bashrc",
    "..bashrc",
    ". .x",
    ".",
    "..",
    "...",
    "",
    " ",
    "/",
    "\\",
    "a/b",
    "a\\b",
    "a/",
    "a/.",
    "./a",
    "~/x",
    "~",
    "-rf",
    "x\n",
    "x\r\ny",
    "\x1b[2Jx",
    "x\x7f",
    "x ",
    "x.",
    "x. .",
    300 * "汉",
    300 * "汉" + ".txt",
    "x." + 300 * "y",
    "\u202egpj.exe",
    "\u2066x\u2069",
    "\u200bx",
    "\ufeffx",
    "a\u2028b",
    "\ud800x",
    "e\u0301.txt",
    "x:stream",
    'a<b>|?*".txt',
    "%2e%2e%2fx",
    "$(id)",
    "`id`",
    "x;y",
    "😀.png",
    "desktop.ini",
    "x" * 255,
]


KILLED_AT_EACH_CALL = """
import os, signal, sys
from pathlib import Path
from webwx.client.sending import files

folder = Path(sys.argv[1])
if sys.argv[2] == "False":
    vars(os).pop("O_TMPFILE", None)
status = None
for moment in range(1, 100):
    child = os.fork()
    if not child:
        left = moment

        def kill(event, _):
            global left
            if event == "open" or event.startswith(("os.", "tempfile.")):
                left -= 1
                if left == 0:
                    os.kill(os.getpid(), signal.SIGKILL)

        sys.addaudithook(kill)
        place = files.Place(folder)
        with place.begin() as file:
            for _ in range(3):
                file.write(b"x" * 1000)
            place.keep(file, "a.txt")
        os._exit(0)
    _, status = os.waitpid(child, 0)
    for path in folder.iterdir():
        print(path.name, path.stat().st_size)
        path.unlink()
    if not status:
        break
"""
"""Stores a file repeatedly, in processes that are killed at the first system call, the second, and so on."""


def can_have_nameless_files(folder: Path) -> bool:
    try:
        os.close(os.open(folder, os.O_TMPFILE | os.O_RDWR))
    except OSError:
        return False
    return True


def everything(root: Path) -> dict[str, bytes]:
    return {str(each.relative_to(root)): each.read_bytes() for each in root.rglob("*") if each.is_file()}


class TestNames:
    @pytest.mark.parametrize("name", HOSTILE)
    def test_a_hostile_name_stays_inside_the_folder(self, tmp_path: Path, name: str) -> None:
        folder = tmp_path / "in"
        folder.mkdir()
        (tmp_path / "x").write_bytes(b"outside")
        place = files.Place(folder)
        with place.begin() as file:
            file.write(b"content")
            kept = place.keep(file, name)

        assert everything(tmp_path) == {"x": b"outside", f"in/{kept.name}": b"content"}
        assert kept.parent == folder
        assert len(os.fsencode(kept.name)) <= 200
        assert not kept.name.startswith(".")
        assert all(sign.isprintable() for sign in kept.name)

    @pytest.mark.parametrize(
        ("name", "safe"),
        [
            ("我的文档.txt", "我的文档.txt"),
            ("a b.tar.gz", "a b.tar.gz"),
            ("../../.bashrc", "bashrc"),
            ("CON.txt", "_CON.txt"),
            ("a/b", "b"),
            ("a/..", "a"),
            ("C:\\dir\\x", "x"),
            ("\u202egpj.exe", "gpj.exe"),
            ("e\u0301", "é"),
            ("...", "file"),
            ("", "file"),
            ("x:y", "x_y"),
            ("console.txt", "console.txt"),
            (300 * "a" + ".txt", 196 * "a" + ".txt"),
            (100 * "汉", 66 * "汉"),
        ],
    )
    def test_a_name_is_cleaned(self, name: str, safe: str) -> None:
        assert files.safe_name(name) == safe

    def test_further_files_of_one_name_get_numbers(self, tmp_path: Path) -> None:
        place = files.Place(tmp_path)
        names = []
        for content in (b"1", b"2", b"3"):
            with place.begin() as file:
                file.write(content)
                names.append(place.keep(file, "a.tar.gz").name)

        assert names == ["a.tar.gz", "a.tar (2).gz", "a.tar (3).gz"]
        assert everything(tmp_path) == dict(zip(names, (b"1", b"2", b"3"), strict=True))

    def test_a_long_name_is_shortened_for_its_number(self, tmp_path: Path) -> None:
        place = files.Place(tmp_path)
        for _ in range(2):
            with place.begin() as file:
                kept = place.keep(file, 300 * "汉" + ".txt")

        assert kept.name.endswith("汉 (2).txt")
        assert len(kept.name.encode()) <= 200

    @pytest.mark.parametrize("target", ["elsewhere", "nowhere"])
    def test_an_existing_link_is_not_followed(self, tmp_path: Path, target: str) -> None:
        folder = tmp_path / "in"
        folder.mkdir()
        (tmp_path / "elsewhere").write_bytes(b"outside")
        (folder / "a.txt").symlink_to(tmp_path / target)
        place = files.Place(folder)
        with place.begin() as file:
            file.write(b"content")
            kept = place.keep(file, "a.txt")

        assert kept == folder / "a (2).txt"
        assert (tmp_path / "elsewhere").read_bytes() == b"outside"
        assert not (tmp_path / "nowhere").exists()


class TestPlace:
    def test_a_file_is_private(self, tmp_path: Path) -> None:
        place = files.Place(tmp_path)
        with place.begin() as file:
            assert stat.S_IMODE(os.fstat(file.fileno()).st_mode) == 0o600
            kept = place.keep(file, "a")

        assert stat.S_IMODE(kept.stat().st_mode) == 0o600

    def test_an_unfinished_file_is_deleted(self, tmp_path: Path) -> None:
        with files.Place(tmp_path).begin() as file:
            file.write(b"half")

        assert list(tmp_path.iterdir()) == []

    @pytest.mark.parametrize("has_nameless_files", [True, False])
    def test_a_name_appears_with_the_complete_file(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, has_nameless_files: bool
    ) -> None:
        if not has_nameless_files:
            monkeypatch.delattr(os, "O_TMPFILE", raising=False)
        place = files.Place(tmp_path)
        with place.begin() as file:
            file.write(b"con")
            assert [each.name for each in tmp_path.iterdir() if not each.name.startswith(".webwx-")] == []
            file.write(b"tent")
            kept = place.keep(file, "a")
            assert kept.read_bytes() == b"content"

        assert everything(tmp_path) == {"a": b"content"}

    @pytest.mark.skipif(not hasattr(os, "fork"), reason="no other system kills without a word")
    @pytest.mark.parametrize("has_nameless_files", [True, False])
    def test_a_killed_process_leaves_the_complete_file_or_none(self, tmp_path: Path, has_nameless_files: bool) -> None:
        done = subprocess.run(
            [sys.executable, "-c", KILLED_AT_EACH_CALL, tmp_path, str(has_nameless_files)],
            check=True, capture_output=True, text=True,
        )  # fmt: skip
        found = [line.split() for line in done.stdout.splitlines()]

        assert found[-1] == ["a.txt", "3000"]
        assert {tuple(each) for each in found if not each[0].startswith(".webwx-")} == {("a.txt", "3000")}
        if has_nameless_files and can_have_nameless_files(tmp_path):
            assert {each[0] for each in found} == {"a.txt"}

    def test_a_file_system_without_links_is_supported(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        def refuse(*_: object, **__: object) -> None:
            raise OSError(errno.EPERM, "Operation not permitted")

        monkeypatch.delattr(os, "O_TMPFILE", raising=False)
        monkeypatch.setattr(os, "link", refuse)
        place = files.Place(tmp_path)
        for content in (b"1", b"2"):
            with place.begin() as file:
                file.write(content)
                place.keep(file, "a.txt")

        assert everything(tmp_path) == {"a.txt": b"1", "a (2).txt": b"2"}

    def test_a_path_is_used_unchanged_and_never_overwritten(self, tmp_path: Path) -> None:
        place = files.Place(tmp_path / "CON .txt")
        with place.begin() as file:
            assert place.keep(file, "another") == tmp_path / "CON .txt"
        with pytest.raises(InvalidRequest, match="already exists"):
            files.Place(tmp_path / "CON .txt")

    def test_a_path_that_another_program_created_meanwhile_is_not_overwritten(self, tmp_path: Path) -> None:
        place = files.Place(tmp_path / "a")
        with place.begin() as file:
            (tmp_path / "a").write_bytes(b"theirs")
            with pytest.raises(LocalStateError, match="meanwhile"):
                place.keep(file, "a")

        assert everything(tmp_path) == {"a": b"theirs"}

    def test_a_copy_is_found_under_its_name_or_a_numbered_one(self, tmp_path: Path) -> None:
        place = files.Place(tmp_path)
        for content in (b"1", b"2"):
            with place.begin() as file:
                file.write(content)
                assert place.find_copy(file, "a.txt") is None
                place.keep(file, "a.txt")
        (tmp_path / "a (3).txt").symlink_to(tmp_path / "a.txt")

        for content, name in ((b"1", "a.txt"), (b"2", "a (2).txt"), (b"3", None)):
            with place.begin() as file:
                file.write(content)
                assert place.find_copy(file, "a.txt") == (name and tmp_path / name)

    def test_a_missing_folder_is_an_error(self, tmp_path: Path) -> None:
        with pytest.raises(NoSuchFile):
            files.Place(tmp_path / "no" / "a")

    def test_a_deleted_folder_is_an_error(self, tmp_path: Path) -> None:
        (tmp_path / "in").mkdir()
        place = files.Place(tmp_path / "in")
        (tmp_path / "in").rmdir()

        with pytest.raises(LocalStateError), place.begin():
            pass

    def test_a_name_that_cannot_be_written_is_an_error(self, tmp_path: Path) -> None:
        place = files.Place(tmp_path / (300 * "a"))
        with place.begin() as file, pytest.raises(LocalStateError, match="cannot be written"):
            place.keep(file, "a")


class TestPreparing:
    def test_a_file_has_a_digest_and_a_date(self, tmp_path: Path) -> None:
        path = tmp_path / "报告.pdf"
        path.write_bytes(b"%PDF")
        os.utime(path, (1560000000, 1560000000))
        ready = files.prepare_file(path, "")

        assert (ready.name, ready.size, ready.content_type, ready.kind) == ("报告.pdf", 4, "application/pdf", "doc")
        assert ready.md5 == hashlib.md5(b"%PDF").hexdigest()
        assert ready.modified == "Sat Jun 08 2019 13:20:00 GMT+0000 (UTC)"

    def test_a_file_whose_later_changes_would_show_is_not_read_twice(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        path = tmp_path / "a.pdf"
        path.write_bytes(b"%PDF")
        assert files.prepare_file(path, "").stamp is None
        for name in ("SETTLED_AFTER", "SETTLED_AFTER_COARSE"):
            monkeypatch.setattr(file_chunks, name, -60)
        with path.open("rb") as file:
            assert files.prepare_file(path, "").stamp == file_chunks.stamp_of(file)

    def test_bytes_get_a_name_of_their_kind(self) -> None:
        assert files.prepare_image(b"\xff\xd8\xff", "").name == "picture.jpg"
        assert files.prepare_image(b"GIF89a", "").name == "sticker.gif"
        assert files.prepare_video(b"\0\0\0\x18ftyp", "").name == "video.mp4"
        assert files.prepare_file(b"x", "").name == "file"

    def test_a_stream_has_a_digest_and_the_name_of_its_file(self, tmp_path: Path) -> None:
        path = tmp_path / "报告.pdf"
        path.write_bytes(b"%PDF")
        with path.open("rb") as stream, files.opened_source(stream) as source:
            ready = files.prepare_file(source, "")

        assert (ready.name, ready.size, ready.content_type) == ("报告.pdf", 4, "application/pdf")
        assert ready.md5 == hashlib.md5(b"%PDF").hexdigest()

    @pytest.mark.parametrize("name", [None, 0, "<stdin>"])
    def test_a_stream_without_a_file_gets_a_name_of_its_kind(self, name: object) -> None:
        stream = io.BytesIO(b"GIF89a")
        if name is not None:
            stream.name = name  # as a pipe's and stdin's are
        with files.opened_source(stream) as source:
            assert files.prepare_image(source, "").name == "sticker.gif"

    @pytest.mark.parametrize(
        ("given", "message"),
        [(None, "does not return bytes"), ("text", "does not return bytes"), (b"", "has no bytes")],
    )
    def test_a_stream_must_give_bytes(self, given: object, message: str) -> None:
        class Odd:
            def read(self, size: int) -> object:
                return given

        # The point is a value that a type checker refuses.
        with files.opened_source(Odd()) as source, pytest.raises(InvalidRequest, match=message):  # type: ignore[arg-type]
            files.prepare_file(source, "")

    @pytest.mark.parametrize(
        ("error", "reason"),
        [
            (OSError(5, "Input/output error"), "Input/output error"),
            (io.UnsupportedOperation("read"), "UnsupportedOperation"),
        ],
    )
    def test_a_stream_that_fails_is_an_error(self, error: OSError, reason: str) -> None:
        class Broken:
            def read(self, size: int) -> bytes:
                raise error

        with files.opened_source(Broken()) as source, pytest.raises(NoSuchFile, match=rf"cannot be read: {reason}\."):
            files.prepare_file(source, "")

    @pytest.mark.skipif(not Path("/dev/full").exists(), reason="a disk that is always full is Linux's")
    def test_a_full_disk_is_an_error(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(tempfile, "TemporaryFile", partial(Path("/dev/full").open, "w+b"))
        with (
            pytest.raises(LocalStateError, match="temporary file: No space"),
            files.opened_source(io.BytesIO(b"x")) as source,
        ):
            files.prepare_file(source, "")

    def test_a_missing_temporary_folder_is_an_error(self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
        monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "gone"))
        with pytest.raises(LocalStateError, match="temporary file"), files.opened_source(io.BytesIO(b"x")):
            pass

    @pytest.mark.parametrize(
        ("start", "extension"),
        [
            (b"\xff\xd8\xff", ".jpg"),
            (b"\x89PNG\r\n\x1a\n", ".png"),
            (b"GIF89a", ".gif"),
            (b"BM", ".bmp"),
            (b"ID3", ".mp3"),
            (b"\0\0\0\x18ftyp", ".mp4"),
            (b"hello", ""),
        ],
    )
    def test_a_kind_has_its_extension(self, start: bytes, extension: str) -> None:
        assert files.extension_of(start) == extension
