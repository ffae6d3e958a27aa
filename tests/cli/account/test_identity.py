"""`webwx identity`, and identity numbers instead of names."""

from __future__ import annotations

import re

import pytest
from tests.cli.conftest import Sandbox, Shell, log_in
from tests.secret_scanner import SecretScanner


@pytest.fixture
def numbers(me: Shell) -> dict[str, int]:
    """Return the identity number of each contact, by nickname."""
    return {contact["nickname"]: contact["number"] for contact in me.run("contacts", "--json").lines}


def test_every_contact_is_listed_with_a_number(me: Shell, numbers: dict[str, int]) -> None:
    listed = me.run("identity", "list", "--json").lines
    assert {each["number"]: each["name"] for each in listed}.items() >= {
        (numbers["阿华"], "阿华"), (numbers["李雷"], "Boss"), (numbers["周末爬山"], "周末爬山"),
    }  # fmt: skip
    assert list(listed[0]) == ["number", "kind", "name", "contact_id", "confidence", "first_seen", "last_seen"]
    lines = me.run("identity", "list").stdout.splitlines()
    assert any(re.fullmatch(rf" +{numbers['阿华']}  阿华 - person - @\w+", line) for line in lines)


def test_an_identity_is_found_by_number_name_and_id(me: Shell, numbers: dict[str, int]) -> None:
    [ahua] = me.run("contacts", "--json", "--search", "阿华").lines
    for which in (str(numbers["阿华"]), f"who:{numbers['阿华']}", "阿华", ahua["id"]):
        assert me.run("identity", "show", which, "--json").line["contact_id"] == ahua["id"]
    for unknown in ("999", "unknown", "@" + "0" * 32):
        done = me.run("identity", "show", unknown)
        assert (done.code, done.stdout) == (2, "")


def test_a_number_can_be_used_instead_of_a_name(me: Shell, sandbox: Sandbox, numbers: dict[str, int]) -> None:
    ahua = f"who:{numbers['阿华']}"
    assert me.run("send", ahua, "hi").code == 0
    assert me.run("read", f"#{numbers['阿华']}").stdout == "阿华 is marked as read.\n"
    assert sandbox.chat("ahua", "xiaoming")["messages"][-1]["text"] == "hi"
    assert [line["text"] for line in me.run("history", ahua, "--json").lines] == ["hi"]
    assert [line["text"] for line in me.run("search", "hi", "--chat", ahua, "--json").lines] == ["hi"]
    assert me.run("pin", ahua, "--json").line["is_pinned"] is True
    room = f"who:{numbers['周末爬山']}"
    assert len(me.run("chatroom", "members", room, "--json").lines) == 4
    me.run("remark", ahua, "花")
    assert me.run("contacts", "--json", "--search", "花").line["number"] == numbers["阿华"]


def test_digits_without_the_prefix_are_a_name(me: Shell, numbers: dict[str, int]) -> None:
    done = me.run("send", str(numbers["阿华"]), "hi")
    assert (done.code, done.stdout) == (2, "")
    assert me.run("send", "who:999", "hi").code == 2


def test_after_a_new_login_old_ids_and_numbers_name_the_same_people(
    me: Shell, sandbox: Sandbox, secret_scanner: SecretScanner, numbers: dict[str, int]
) -> None:
    [before] = me.run("contacts", "--json", "--search", "阿华").lines
    sandbox.say("ahua", "me", "before")
    me.run("listen", "--count", "1")
    sandbox.control("log-out", who="me")
    log_in("me", me.settings, sandbox, secret_scanner)
    [after] = me.run("contacts", "--json", "--search", "阿华").lines

    assert (after["number"], after["id"] != before["id"]) == (before["number"], True)
    assert me.run("send", before["id"], "by the old id").code == 0
    assert sandbox.chat("ahua", "xiaoming")["messages"][-1]["text"] == "by the old id"
    assert [line["text"] for line in me.run("history", "阿华", "--json").lines] == ["before", "by the old id"]
    links = me.run("identity", "explain", str(before["number"]), "--json").lines
    assert [(link["contact_id"], link["by"]) for link in links] == [(after["id"], "matched"), (before["id"], "seen")]
    assert "matched: same " in me.run("identity", "explain", "阿华").stdout


def test_an_identity_is_split_and_merged_again(
    me: Shell, sandbox: Sandbox, secret_scanner: SecretScanner, numbers: dict[str, int]
) -> None:
    sandbox.control("log-out", who="me")
    log_in("me", me.settings, sandbox, secret_scanner)
    zhang = me.run("identity", "show", "张三", "--json").line
    parted = me.run("identity", "split", str(zhang["number"]), zhang["contact_id"], "--json").line
    assert parted["number"] not in numbers.values()
    assert me.run("identity", "show", "@" + zhang["contact_id"][1:], "--json").line["number"] == parted["number"]
    assert me.run("identity", "explain", str(parted["number"])).stdout.endswith(
        f" 张三 - {zhang['contact_id']} was declared by you\n"
    )
    merged = me.run("identity", "merge", str(numbers["张三"]), str(parted["number"]))
    assert re.fullmatch(rf"Merged: +{numbers['张三']}  张三 - person - @\w+\n", merged.stdout)
    assert me.run("identity", "show", str(parted["number"]), "--json").line["number"] == numbers["张三"]


@pytest.mark.parametrize("wrong", [("merge", "阿华", "周末爬山"), ("split", "张三", "@unknown"), ("explain", "999")])
def test_invalid_input_is_refused(me: Shell, numbers: dict[str, int], wrong: tuple[str, ...]) -> None:
    done = me.run("identity", *wrong)
    assert (done.code, done.stdout) == (2, "")
    assert done.sentence


def test_an_identity_cannot_be_merged_with_itself(me: Shell, numbers: dict[str, int]) -> None:
    number = numbers["张三"]
    for other in (str(number), f"who:{number}", "张三"):
        done = me.run("identity", "merge", str(number), other)
        assert (done.code, done.stdout) == (2, "")
        assert done.sentence == f"webwx: Both are identity {number} already, so there is nothing to merge."


def test_without_a_login_no_contact_has_a_number(shell: Shell) -> None:
    done = shell.run("identity", "list")
    assert (done.code, done.stdout) == (4, "")
