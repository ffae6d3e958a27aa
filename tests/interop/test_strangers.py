"""
Other clients on port 443, unmodified from their registries; the trusted certificate is the only setting.

They look up the real names, reach our sandbox, and do their main work there: they log in, list contacts, send and
recall messages, which are checked on the phones, and receive those of their friends.
"""

from __future__ import annotations

import json
import os
import random
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from tests.digests import md5
from tests.interop.namespaces import Place, can_be_made
from tests.interop.phones import Phones
from tests.interop.processes import photograph

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.interop.processes import Lines

pytestmark = pytest.mark.verify

HERE = Path(__file__).parent
TEXT = "第一行 <b> \"'\n第二行 😄 [微笑]"


@dataclass(frozen=True)
class Stranger:
    """A client, and its particularities."""

    package: str
    driver: str
    hears: tuple[str, ...] = ("Text", "Picture", "Note", "Attachment")
    """Its names for a text, a picture, a recall and a file; "" for what it does not report."""
    is_whole: bool = True
    """
    Whether it recalls its sends and logs out on command; one client knows no id of its sends, and can only be stopped.
    """
    sends_pictures_by: str = "send_image"


STRANGERS = (
    Stranger("itchat", "itchat_driver.py"),
    Stranger("itchat-uos-patch", "itchat_driver.py"),
    Stranger("wxpy", "wxpy_driver.py"),
    Stranger("bl-wxpy", "wxpy_driver.py", hears=("TEXT", "IMAGE", "RECALLED", "FILE")),
    Stranger(
        "puppet", "puppet/driver.mjs", hears=("Text", "Image", "Recalled", "Attachment"),
        is_whole=False, sends_pictures_by="send_file",
    ),
)  # fmt: skip


@pytest.fixture
def place(start: Callable[..., Lines], environment: dict[str, str], tmp_path: Path) -> Place:
    """A namespace where the real names lead to a sandbox that is strict about the host of each call."""
    if not can_be_made():
        pytest.skip("no namespace can be made here")
    place = Place(start, tmp_path, "--switch", "strict_hosts=true", "--switch", "picture_format=sent")
    environment |= dict.fromkeys(("REQUESTS_CA_BUNDLE", "SSL_CERT_FILE", "NODE_EXTRA_CA_CERTS"), place.access["ca"])
    return place


@pytest.fixture
def phones(place: Place) -> Phones:
    return Phones(place.access["control"], place.fetch)


@pytest.fixture(params=STRANGERS, ids=lambda stranger: stranger.package)
def stranger(request: pytest.FixtureRequest) -> Stranger:
    known: Stranger = request.param
    return known


@pytest.fixture
def client(request: pytest.FixtureRequest, place: Place, stranger: Stranger) -> Lines:
    """The other client before its login."""
    driver = HERE / stranger.driver
    if driver.suffix == ".mjs":
        return place.start("node", driver, request.getfixturevalue("npm_modules")(stranger.package))
    modules = request.getfixturevalue("pypi_modules")(stranger.package)
    return place.start("env", f"PYTHONPATH={modules}", sys.executable, driver)


def test_a_conversation_with_another_client(
    client: Lines, stranger: Stranger, phones: Phones, tmp_path: Path, place: Place
) -> None:
    phones.scan_and_confirm("xiaoming", client.ask(do="login")["uuid"])
    assert json.loads(client.next())["nickname"] == "小明"
    listed = client.ask(do="contacts")
    ids = {nickname: identity for nickname, _, identity in listed["friends"]}
    assert {"小明", "阿华", "张三", "李雷"} <= set(ids)
    assert [room for room, _, _ in listed["chatrooms"]] == ["周末爬山"]
    ahua = ids["阿华"]

    sent = client.ask(do="send_text", to=ahua, text=TEXT)
    assert phones.messages("ahua", "xiaoming")[-1]["text"] == TEXT
    if stranger.is_whole:
        client.ask(do="recall", to=ahua, message_id=sent["MsgID"])
        assert phones.messages("ahua", "xiaoming")[-1]["recalled"]

    files = {"photo.png": photograph("PNG", seed=1), "report.bin": random.Random(2).randbytes(700_000)}
    for (name, content), verb in zip(files.items(), (stranger.sends_pictures_by, "send_file"), strict=True):
        (tmp_path / name).write_bytes(content)
        client.ask(do=verb, to=ahua, path=str(tmp_path / name))
    kinds = [(each["kind"], each["md5"]) for each in phones.messages("ahua", "xiaoming")[-2:]]
    assert kinds == [(kind, md5(content)) for kind, content in zip(("image", "file"), files.values(), strict=True)]

    text, picture, recall, attachment = stranger.hears
    phones.do("say", **{"from": "ahua"}, to="me", text="在吗")
    assert hear(client, text)["text"] == "在吗"
    photo = photograph("JPEG", seed=3)
    phones.picture("ahua", "me", photo)
    assert hear(client, picture)["md5"] == md5(photo)
    phones.do("recall", **{"from": "ahua"}, to="me")
    assert hear(client, recall)["from"] in {ahua, ""}
    phones.file("ahua", "me", "a.zip", os.urandom(1000))
    hear(client, attachment)

    if stranger.is_whole:
        client.ask(do="logout")
        with pytest.raises(OSError, match="409"):
            phones.do("log-out", who="me")  # There is no web login any more.


def hear(client: Lines, kind: str) -> dict[str, Any]:
    """Wait for an event of a kind, and skip notices of own recalls and greetings of the phone."""
    while (heard := client.ask(do="receive"))["type"] != kind:
        assert heard["type"] in {"Note", "RECALLED", "Recalled", "Unknown", "SYSTEM"}, heard
    return dict(heard)
