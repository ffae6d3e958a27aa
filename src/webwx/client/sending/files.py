"""
Files on this machine: checks before an upload; name and place of a download.

A file or a stream is read in pieces and never as a whole. A received name comes from another person, so only its last
path component is used, and existing files are never overwritten.
"""

from __future__ import annotations

import contextlib
import hashlib
import itertools
import os
import re
import time
import unicodedata
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, Protocol

import msgspec

from webwx.errors import EmptyFile, InvalidRequest, LocalStateError, NoSuchFile, NotAPicture, TooLarge
from webwx.flows.media import Upload
from webwx.model.text import normalized
from webwx.protocol.codes import CHUNK_SIZE, MAX_FILE, MAX_IMAGE, MAX_VIDEO
from webwx.protocol.media import image_type, is_video, is_voice
from webwx.transport.file_chunks import FileStamp, is_settled, stamp_of

if TYPE_CHECKING:
    from collections.abc import Iterator


class Stream(Protocol):
    """A source of bytes: a binary file, a pipe, a server's response."""

    def read(self, size: int, /) -> bytes:
        """Return the next bytes, at most `size`; no bytes at the end."""
        ...


Source = str | os.PathLike[str] | bytes | Stream
"""A path, bytes, or a stream of bytes."""

# -- before an upload ------------------------------------------------------------------------------------------------


class SpooledStream(msgspec.Struct, frozen=True, kw_only=True):
    """A stream, and the private file into which it is copied."""

    stream: Stream
    file: BinaryIO


OpenedSource = str | os.PathLike[str] | bytes | SpooledStream
"""A source that can be read in pieces, and more than once."""


@contextlib.contextmanager
def opened_source(source: Source) -> Iterator[OpenedSource]:
    """
    Return a source for `prepare_…`; a stream is copied to a temporary file until the context ends.

    The file has no name, so that no other program can open it and no crash leaves it behind.

    Raises:
        InvalidRequest: The source is neither a path nor bytes nor a stream.
        LocalStateError: The file cannot be created.
    """
    if isinstance(source, str | os.PathLike | bytes):
        yield source
        return
    if not callable(getattr(source, "read", None)):
        raise InvalidRequest(
            f"A file to send is a path, bytes or a stream that is open for reading, and no {type(source).__name__}."
        )
    import tempfile

    try:
        file = tempfile.TemporaryFile()  # noqa: SIM115 - a full disk may fail its close as well, see below
    except OSError as error:
        raise LocalStateError(f"The stream cannot be copied to a temporary file: {error.strerror}.") from None
    try:
        yield SpooledStream(stream=source, file=file)
    finally:
        # This stops the thread of a cancelled send that still copies; the copy itself reports a full disk.
        with contextlib.suppress(OSError):
            file.close()


_SENDABLE = {"image/jpeg": "jpg", "image/png": "png", "image/bmp": "bmp"}
"""Pictures that the picture call accepts. A GIF would lose all frames but the first."""

GIF = "image/gif"


def prepare_image(source: OpenedSource, name: str) -> Upload:
    """
    Check a picture before anything is sent; a GIF is prepared for the sticker call.

    Raises:
        NoSuchFile, EmptyFile, TooLarge, NotAPicture: The picture cannot be sent.
    """
    seen = _inspect(source, "picture", MAX_IMAGE)
    kind = image_type(seen.start)
    if kind == GIF:
        return _sticker(seen, name)
    if kind not in _SENDABLE:
        raise NotAPicture("This is not a picture in a format that can be sent: use JPEG, PNG, BMP or GIF.")
    return _upload(seen, name or seen.name or f"picture.{_SENDABLE[kind]}", kind, "pic")


def prepare_sticker(source: OpenedSource, name: str) -> Upload:
    """
    Check a GIF before anything is sent.

    Raises:
        NoSuchFile, EmptyFile, TooLarge, NotAPicture: The GIF cannot be sent.
    """
    seen = _inspect(source, "sticker", MAX_IMAGE)
    if image_type(seen.start) != GIF:
        raise NotAPicture("A sticker must be a GIF; this is not one.")
    return _sticker(seen, name)


def prepare_video(source: OpenedSource, name: str) -> Upload:
    """
    Check a video before anything is sent.

    Raises:
        NoSuchFile, EmptyFile, TooLarge, InvalidRequest: The video cannot be sent.
    """
    seen = _inspect(source, "video", MAX_VIDEO)
    if not is_video(seen.start):
        raise InvalidRequest("A video must be an mp4; send any other format as a file.")
    return _upload(seen, name or seen.name or "video.mp4", "video/mp4", "video")


def prepare_file(source: OpenedSource, name: str) -> Upload:
    """
    Check a file before anything is sent.

    Raises:
        NoSuchFile, EmptyFile, TooLarge: The file cannot be sent.
    """
    import mimetypes

    seen = _inspect(source, "file", MAX_FILE)
    name = name or seen.name or "file"
    return _upload(seen, name, mimetypes.guess_type(name)[0] or "application/octet-stream", "doc")


def sha256_of(source: str | bytes | BinaryIO) -> str:
    """
    Return the SHA-256 of the content of a checked file, in hexadecimal.

    Raises:
        NoSuchFile: The file cannot be read any more.
    """
    if isinstance(source, bytes):
        return hashlib.sha256(source).hexdigest()
    digest = hashlib.sha256()
    try:
        with (
            Path(source).open("rb", buffering=0) if isinstance(source, str) else contextlib.nullcontext(source) as file
        ):
            file.seek(0)
            while window := file.read(CHUNK_SIZE):
                digest.update(window)
    except OSError as error:
        raise NoSuchFile(f"The file cannot be read any more: {error.strerror}.") from None
    return digest.hexdigest()


_md5 = partial(hashlib.md5, usedforsecurity=False)


class _Seen(msgspec.Struct, frozen=True, kw_only=True):
    """A file that was read once from start to end."""

    source: str | bytes | BinaryIO
    name: str
    size: int
    md5: str
    start: bytes
    modified: float
    stamp: FileStamp | None = None


def _inspect(source: OpenedSource, what: str, limit: int) -> _Seen:
    if isinstance(source, SpooledStream):
        return _spool(source, what, limit)
    if isinstance(source, bytes):
        _check_size(len(source), what, limit)
        md5 = _md5(source).hexdigest()
        return _Seen(source=source, name="", size=len(source), md5=md5, start=source[:64], modified=time.time())
    if isinstance(source, str) and source.startswith(("http://", "https://")):
        raise NoSuchFile("An address is not a file that can be sent; download it, and pass its bytes or its path.")
    path = Path(source)
    try:
        about = path.stat()
        if not path.is_file():
            raise NoSuchFile(f"{str(path)!r} is not a file.")
        _check_size(about.st_size, f"{what} {str(path)!r}", limit)
        with path.open("rb", buffering=0) as file:
            stamp = stamp_of(file)
            start = file.read(64)
            file.seek(0)
            digest = hashlib.file_digest(file, _md5)
            size = file.tell()
            is_sure = is_settled(stamp) and stamp_of(file) == stamp
    except OSError as error:
        raise NoSuchFile(f"The file {str(path)!r} cannot be read: {error.strerror}.") from None
    return _Seen(
        source=str(path), name=path.name, size=size, md5=digest.hexdigest(), start=start, modified=about.st_mtime,
        stamp=stamp if is_sure else None,
    )  # fmt: skip


def _spool(spooled: SpooledStream, what: str, limit: int) -> _Seen:
    """Copy a stream to its end, or to the first byte beyond the limit."""
    digest, size, start = _md5(), 0, b""
    for window in _windows(spooled.stream, limit + 1, what):
        size += len(window)
        if size > limit:
            raise TooLarge(f"The {what} has more than the {limit:,} bytes that can be sent.")
        start += window[: 64 - len(start)]
        digest.update(window)
        try:
            spooled.file.write(window)
            spooled.file.flush()
        except OSError as error:
            raise LocalStateError(f"The stream cannot be copied to a temporary file: {error.strerror}.") from None
    _check_size(size, what, limit)
    return _Seen(
        source=spooled.file, name=_name_of(spooled.stream), size=size, md5=digest.hexdigest(), start=start,
        modified=time.time(),
    )  # fmt: skip


def _windows(stream: Stream, room: int, what: str) -> Iterator[bytes]:
    while True:
        try:
            window = stream.read(min(CHUNK_SIZE, room))
        except OSError as error:
            raise NoSuchFile(f"The {what} cannot be read: {error.strerror or type(error).__name__}.") from None
        if not isinstance(window, bytes):
            raise InvalidRequest(f"The {what} does not return bytes; open it in binary and blocking mode.")
        if not window:
            return
        yield window
        room -= len(window)


def _name_of(stream: Stream) -> str:
    """Return the name of the file that a stream reads; empty for a stream without a file, such as `<stdin>`."""
    name = getattr(stream, "name", "")
    return Path(name).name if isinstance(name, str) and not name.startswith("<") else ""


def _check_size(size: int, what: str, limit: int) -> None:
    if size == 0:
        raise EmptyFile(f"The {what} has no bytes.")
    if size > limit:
        raise TooLarge(f"The {what} has {size:,} bytes; at most {limit:,} can be sent.")


def _sticker(seen: _Seen, name: str) -> Upload:
    return _upload(seen, name or seen.name or "sticker.gif", GIF, "doc")


def _upload(seen: _Seen, name: str, content_type: str, kind: str) -> Upload:
    return Upload(
        source=seen.source,
        name=name,
        size=seen.size,
        md5=seen.md5,
        content_type=content_type,
        kind=kind,
        modified=time.strftime("%a %b %d %Y %H:%M:%S GMT+0000 (UTC)", time.gmtime(seen.modified)),
        stamp=seen.stamp,
    )


# -- after a download ------------------------------------------------------------------------------------------------

LONGEST_NAME = 200
"""Maximum bytes of a file's name."""

_RESERVED = re.compile(r"(CON|PRN|AUX|NUL|COM[0-9¹²³]|LPT[0-9¹²³])(\..*)?", re.IGNORECASE)
"""Names that Windows reserves for devices, with any extension."""

_EXTENSIONS = {"image/jpeg": ".jpg", "image/png": ".png", GIF: ".gif", "image/bmp": ".bmp"}


def safe_name(name: str) -> str:
    """
    Return a safe file name for a received name.

    The result is the last component of a path, without control and direction characters and without reserved names. It
    is never hidden, never longer than 200 bytes, and never empty.
    """
    parts = [part for part in re.split(r"[/\\]", normalized("NFC", name)) if part.strip(". ")]
    kept = "".join(sign for sign in (parts or [""])[-1] if unicodedata.category(sign) not in _UNSEEN)
    kept = re.sub(r'[<>:"|?*]', "_", kept).strip(". ")
    if _RESERVED.fullmatch(kept):
        kept = f"_{kept}"
    return _shortened(kept) or "file"


_UNSEEN = {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"}
"""Unicode categories of characters that are invisible or change the text direction."""


def _shortened(name: str, addition: str = "") -> str:
    """Insert an addition before the extension; shorten the name if the result is too long."""
    stem, dot, extension = name.rpartition(".")
    if not stem or len(extension.encode()) > 20:
        stem, dot, extension = name, "", ""
    room = LONGEST_NAME - len(f"{addition}{dot}{extension}".encode())
    return f"{stem.encode()[:room].decode(errors='ignore')}{addition}{dot}{extension}"


def extension_of(start: bytes) -> str:
    """Return the extension of a picture, video or voice by its first bytes; empty for anything else."""
    if is_video(start):
        return ".mp4"
    return _EXTENSIONS.get(image_type(start), "") or (".mp3" if is_voice(start) else "")


class Place:
    """
    Destination of a download: any free name in a folder, or exactly one path.

    Raises:
        NoSuchFile: There is no such folder.
        InvalidRequest: The path exists already.
    """

    def __init__(self, to: str | os.PathLike[str]) -> None:
        path = Path(to)
        self._exact = None if os.path.isdir(path) else path  # noqa: PTH112 - Path's raises where a name is too long
        self._folder = path if self._exact is None else path.parent
        self._part: Path | None = None
        """Path of the unfinished file, if it has a name."""
        if not self._folder.is_dir():
            raise NoSuchFile(f"There is no folder {str(self._folder)!r}.")
        if self._exact is not None and os.path.lexists(self._exact):
            raise InvalidRequest(f"{str(path)!r} already exists; files are never overwritten.")

    @contextlib.contextmanager
    def begin(self) -> Iterator[BinaryIO]:
        """
        Return a file that only its owner can read; it is deleted at the end unless `keep` was called.

        It has no name, so that even a killed process does not leave it behind; on systems without such files it is a
        hidden file in the same folder.

        Raises:
            LocalStateError: The folder is not writable.
        """
        try:
            handle, self._part = _make_part(self._folder)
        except OSError as error:
            raise LocalStateError(f"Nothing can be written to {str(self._folder)!r}: {error.strerror}.") from None
        try:
            with os.fdopen(handle, "w+b", buffering=0) as file:
                yield file
        finally:
            if self._part is not None:
                self._part.unlink(missing_ok=True)

    def find_copy(self, file: BinaryIO, name: str) -> Path | None:
        """
        Return the published file under this name, or a numbered one, that has the content of a finished file.

        Raises:
            OSError: A file of that name cannot be read.
        """
        size, digest = os.fstat(file.fileno()).st_size, _digest(file)
        for turn in itertools.count(1):
            path = self._chosen(name, turn)
            if not os.path.lexists(path):
                return None
            if path.is_file() and not path.is_symlink() and path.stat().st_size == size:
                with path.open("rb") as other:
                    if _digest(other) == digest:
                        return path
            if self._exact is not None:
                return None
        return None

    def keep(self, file: BinaryIO, name: str) -> Path:
        """
        Publish a finished file under its name in one atomic step.

        Raises:
            LocalStateError: Another program has created the path meanwhile, or it cannot be written.
        """
        for turn in itertools.count(1):
            chosen = self._chosen(name, turn)
            try:
                _publish(file, self._part, chosen)
                break
            except FileExistsError:
                if self._exact is not None:
                    raise LocalStateError(f"{str(chosen)!r} was created by another program meanwhile.") from None
            except OSError as error:
                raise LocalStateError(f"{str(chosen)!r} cannot be written: {error.strerror}.") from None
        return chosen

    def _chosen(self, name: str, turn: int) -> Path:
        return self._exact or self._folder / _shortened(safe_name(name), f" ({turn})" if turn > 1 else "")


def _digest(file: BinaryIO) -> bytes:
    digest = hashlib.sha256()
    file.seek(0)
    while window := file.read(CHUNK_SIZE):
        digest.update(window)
    return digest.digest()


def _make_part(folder: Path) -> tuple[int, Path | None]:
    """Open a private file in a folder: without a name if it can be named later, else a hidden file."""
    nameless = getattr(os, "O_TMPFILE", 0)
    if nameless and os.path.isdir(_OPEN_FILES):  # noqa: PTH112 - as above
        # Some file systems have no such files; if the folder is not writable, the next call raises the error.
        with contextlib.suppress(OSError):
            return os.open(folder, nameless | os.O_RDWR, 0o600), None
    import tempfile

    handle, name = tempfile.mkstemp(prefix=".webwx-", suffix=".part", dir=folder)
    return handle, Path(name)


_OPEN_FILES = "/proc/self/fd"


def _publish(file: BinaryIO, part: Path | None, chosen: Path) -> None:
    """
    Publish a finished file under a free name.

    Raises:
        FileExistsError: The name is taken, even by a dangling link.
        OSError: The file cannot be written.
    """
    if part is None:
        # With the handle this calls `linkat`, the only call that follows the link of an open file.
        os.link(f"{_OPEN_FILES}/{file.fileno()}", chosen, src_dir_fd=file.fileno(), follow_symlinks=True)
        return
    try:
        os.link(part, chosen)
    except FileExistsError:
        raise
    except OSError:  # a file system without links, such as FAT, where the name has to be created first
        os.close(os.open(chosen, os.O_CREAT | os.O_EXCL | os.O_WRONLY | getattr(os, "O_NOFOLLOW", 0), 0o600))
        part.replace(chosen)
