"""
Another client on the real host names: wechat4u from npm, which knows no server but https://wx.qq.com.

It is neither changed nor configured. Its environment names a proxy and a certificate, which lead it to a sandbox in
its own process. Its sends are checked on the phones, and its received messages against those of the phones.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from tests.digests import md5
from tests.interop.phones import Phones
from tests.interop.processes import WEBWX, Lines, photograph

if TYPE_CHECKING:
    from collections.abc import Callable

pytestmark = pytest.mark.verify

HERE = Path(__file__).with_name("wechat4u")
TEXT = "第一行 <b> \"'\n第二行 😄 [微笑] \\n /path"


@pytest.fixture(scope="session")
def modules(npm_modules: Callable[[str], Path]) -> Path:
    """The other client with its dependencies."""
    return npm_modules("wechat4u")


@pytest.fixture
def sandbox(start: Callable[..., Lines]) -> dict[str, Any]:
    """The addresses of a sandbox that has the real hosts, and is strict about the host of each call."""
    switches = ("--switch", "strict_hosts=true", "--switch", "picture_format=sent")
    command = [WEBWX, "sandbox", "--tls", "--port", "0", "--json", *switches]
    answer: dict[str, Any] = json.loads(start(*command).next())
    return answer


@pytest.fixture
def driver(modules: Path, sandbox: dict[str, Any], environment: dict[str, str], start: Callable[..., Lines]) -> Lines:
    """The other client before its login; only its environment leads it to the sandbox."""
    environment |= {"HTTPS_PROXY": sandbox["proxy"], "NODE_EXTRA_CA_CERTS": sandbox["ca"]}
    return start("node", HERE / "driver.mjs", modules)


@pytest.fixture
def wechat4u(driver: Lines, phones: Phones) -> Lines:
    """The other client, logged in as 小明."""
    phones.scan_and_confirm("xiaoming", driver.ask(do="login")["uuid"])
    login = json.loads(driver.next())
    assert (login["nickname"], login["uin"], login["host"]) == (
        "小明",
        1000000001,
        "https://wx.qq.com/cgi-bin/mmwebwx-bin",
    )
    assert login["id"].startswith("@")
    return driver


def known(wechat4u: Lines) -> dict[str, dict[str, Any]]:
    """Return the contacts that it knows, by nickname."""
    return {each["nickname"]: each for each in wechat4u.ask(do="contacts")["contacts"]}


def pictures_in_filehelper(phones: Phones) -> list[dict[str, Any]]:
    """Return the messages of 小明 to himself, without the text by which the other client reports that it runs."""
    return [message for message in phones.messages("xiaoming", "filehelper") if message["kind"] == "image"]


def test_the_library_is_the_version_on_npm(modules: Path) -> None:
    """`npm ci` has compared each package with the hash in the lock file, which names this version."""
    package = json.loads((modules / "node_modules" / "wechat4u" / "package.json").read_text("utf-8"))
    locked = json.loads((HERE / "package-lock.json").read_text("utf-8"))["packages"]
    assert package["version"] == locked["node_modules/wechat4u"]["version"] == "0.7.14"
    for name, entry in locked.items():
        assert not name or entry["integrity"].startswith("sha512-") or entry["integrity"].startswith("sha1-"), name
        assert entry.get("resolved", "https://registry.npmjs.org/").startswith("https://registry.npmjs.org/"), name


def test_wechat4u_lists_contacts(wechat4u: Lines) -> None:
    contacts = known(wechat4u)

    assert {"小明", "阿华", "张三", "李雷", "周末爬山", "文件传输助手"} <= set(contacts)
    assert contacts["李雷"]["remark"] == "Boss"
    assert contacts["周末爬山"]["id"].startswith("@@")
    # By their ids: webwxinit has no names for a chatroom that is not saved, and the client does not request them.
    assert {contacts[name]["id"] for name in ("小明", "阿华", "张三", "李雷")} == set(contacts["周末爬山"]["members"])


def test_wechat4u_sends_and_recalls_a_text(wechat4u: Lines, phones: Phones) -> None:
    ahua = known(wechat4u)["阿华"]["id"]

    sent = wechat4u.ask(do="send_text", to=ahua, text=TEXT)

    [message] = phones.messages("ahua", "xiaoming")
    assert (sent["MsgID"], TEXT, False) == (message["message_id"], message["text"], message["recalled"])
    assert wechat4u.ask(do="recall", to=ahua, message_id=sent["MsgID"])["BaseResponse"]["Ret"] == 0
    [message] = phones.messages("ahua", "xiaoming")
    assert message["recalled"]


def test_wechat4u_cannot_recall_after_two_minutes(wechat4u: Lines, phones: Phones) -> None:
    ahua = known(wechat4u)["阿华"]["id"]
    sent = wechat4u.ask(do="send_text", to=ahua, text="too late")

    phones.do("wind", seconds=121)

    assert wechat4u.ask(do="recall", to=ahua, message_id=sent["MsgID"]) == {"error": "撤回消息失败"}
    [message] = phones.messages("ahua", "xiaoming")
    assert not message["recalled"]


@pytest.mark.parametrize(("kind", "suffix"), [("JPEG", "jpg"), ("PNG", "png")])
def test_wechat4u_sends_a_picture(wechat4u: Lines, phones: Phones, tmp_path: Path, kind: str, suffix: str) -> None:
    # More than one chunk: PNG noise of this size has about 770 KB.
    content = photograph(kind, seed=7)
    file = tmp_path / f"照片.{suffix}"
    file.write_bytes(content)

    sent = wechat4u.ask(do="send_file", to="filehelper", file=str(file))

    assert sent["BaseResponse"]["Ret"] == 0
    [message] = pictures_in_filehelper(phones)
    assert (sent["MsgID"], md5(content), len(content)) == (message["message_id"], message["md5"], message["size"])


def test_wechat4u_sends_a_file(wechat4u: Lines, phones: Phones, tmp_path: Path) -> None:
    content = os.urandom(1_200_000)
    file = tmp_path / "报告 2026.bin"
    file.write_bytes(content)
    ahua = known(wechat4u)["阿华"]["id"]

    sent = wechat4u.ask(do="send_file", to=ahua, file=str(file))

    assert sent["BaseResponse"]["Ret"] == 0
    [message] = phones.messages("ahua", "xiaoming")
    assert ("file", md5(content), len(content)) == (message["kind"], message["md5"], message["size"])


def test_wechat4u_receives_a_text_a_picture_and_a_recall(wechat4u: Lines, phones: Phones) -> None:
    content = photograph("JPEG", seed=8)
    ahua = known(wechat4u)["阿华"]["id"]

    phones.do("say", **{"from": "ahua"}, to="me", text="第一行\n第二行")
    heard = wechat4u.ask(do="receive")
    assert (heard["type"], heard["text"], heard["from"]) == (1, "第一行\n第二行", ahua)

    picture_id = phones.picture("ahua", "me", content)
    heard = wechat4u.ask(do="receive")
    assert (3, picture_id, md5(content)) == (heard["type"], heard["id"], heard["md5"])

    phones.do("recall", **{"from": "ahua"}, to="me")
    heard = wechat4u.ask(do="receive")
    assert heard["type"] == 10002
    assert f"<msgid>{picture_id}</msgid>" in heard["text"]


def test_forwards_a_recalled_picture(wechat4u: Lines, phones: Phones) -> None:
    content = photograph("PNG", seed=9)
    phones.picture("ahua", "me", content)
    picture = wechat4u.ask(do="receive")
    phones.do("recall", **{"from": "ahua"}, to="me")
    assert wechat4u.ask(do="receive")["type"] == 10002

    sent = wechat4u.ask(do="forward", to="filehelper", message_id=picture["id"])

    assert sent["BaseResponse"]["Ret"] == 0
    [message] = pictures_in_filehelper(phones)
    assert (sent["MsgID"], md5(content)) == (message["message_id"], message["md5"])


def test_wechat4u_forwards_a_text(wechat4u: Lines, phones: Phones) -> None:
    phones.do("say", **{"from": "ahua"}, to="me", text="明天见")
    heard = wechat4u.ask(do="receive")

    wechat4u.ask(do="forward", to=known(wechat4u)["李雷"]["id"], message_id=heard["id"])

    [message] = phones.messages("lilei", "xiaoming")
    assert message["text"] == "明天见"


def test_follows_the_redirect_to_the_family_of_its_account(
    start: Callable[..., Lines], modules: Path, environment: dict[str, str]
) -> None:
    """
    A login that begins at wx.qq.com may end on another family; strict hosts answer only accounts of their own family.
    """
    switches = ("--switch", "strict_hosts=true", "--switch", "redirect_origin=https://web2.wechat.com")
    sandbox = json.loads(start(WEBWX, "sandbox", "--tls", "--port", "0", "--json", *switches).next())
    environment |= {"HTTPS_PROXY": sandbox["proxy"], "NODE_EXTRA_CA_CERTS": sandbox["ca"]}
    client, phones = start("node", HERE / "driver.mjs", modules), Phones(sandbox["control"])

    phones.scan_and_confirm("xiaoming", client.ask(do="login")["uuid"])

    assert json.loads(client.next())["host"] == "https://web2.wechat.com/cgi-bin/mmwebwx-bin"
    phones.do("say", **{"from": "ahua"}, to="me", text="在吗")
    assert client.ask(do="receive")["text"] == "在吗"


def test_notices_that_the_phone_ended_its_login(wechat4u: Lines, phones: Phones) -> None:
    phones.do("log-out", who="me")

    assert wechat4u.ask(do="receive")["type"] == "logout"


def test_wechat4u_logs_out(wechat4u: Lines, phones: Phones) -> None:
    assert wechat4u.ask(do="logout")["type"] == "logout"
