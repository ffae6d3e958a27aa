"""`webwx serve receiver`: created on the command line, used by a running gateway."""

from __future__ import annotations

import asyncio
import time
import urllib.error
import urllib.request
from contextlib import closing
from typing import TYPE_CHECKING

import pytest
from tests.cli.conftest import PATIENCE
from tests.cli.gateway.test_serve import serving

from webwx.cli.gateway.stored import open_records
from webwx.gateway.receivers.receivers import Receivers

if TYPE_CHECKING:
    from tests.cli.conftest import Sandbox, Shell

    from webwx.settings import Settings


def send(url: str, body: bytes) -> int:
    try:
        with urllib.request.urlopen(urllib.request.Request(url, body), timeout=PATIENCE) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as refused:
        with closing(refused):
            return refused.code


def test_a_receiver_is_created_used_and_deleted(me: Shell, sandbox: Sandbox) -> None:
    with serving(me) as (_, first_line):
        made = me.run("serve", "receiver", "create", "--name", "phone", "--kind", "ntfy", "--json").line
        assert made["url"] == f"{first_line['url']}/{made['token']}"
        assert made["hook"] == f"{first_line['url']}/hooks/ntfy/{made['token']}"
        assert send(made["url"], "磁盘已满".encode()) == 200

        listed = me.run("serve", "receiver", "list", "--json")
        assert (listed.line["id"], listed.line["kind"]) == (made["id"], "ntfy")
        assert made["token"] not in listed.stdout
        assert me.run("serve", "receiver", "delete", made["id"]).code == 0
        assert me.run("serve", "receiver", "delete", made["id"]).code == 2
        assert me.run("serve", "receiver", "list").stdout == ""
    assert sandbox.chat("me", "filehelper")["messages"][-1]["text"] == "磁盘已满"


async def user_of_recipient(shell: Shell, receiver_id: str) -> int:
    async with open_records(shell.settings) as records:
        stored = await Receivers(records, time.time).get(receiver_id)
    assert stored is not None
    return stored.user


def test_a_recipient_belongs_to_the_user_who_is_logged_in(me: Shell) -> None:
    create = ("serve", "receiver", "create", "--name", "n", "--kind", "json", "--json", "--to")
    with serving(me):
        made = [me.run(*create, to).line["id"] for to in ("阿华", "张三", "filehelper")]
    users = [asyncio.run(user_of_recipient(me, each)) for each in made]
    assert users[0] == users[1] != 0
    assert users[2] == 0


def test_an_address_without_the_token_is_followed_by_it(me: Shell) -> None:
    with serving(me):
        address, token, *_ = me.run("serve", "receiver", "create", "--name", "n", "--kind", "bark").stdout.splitlines()
    assert address.endswith("/push")
    assert token.startswith("Token: ")


@pytest.mark.parametrize("options", [("--kind", "none"), ("--kind", "json", "--template", "{% if %}")])
def test_an_invalid_receiver_is_refused(me: Shell, options: tuple[str, ...]) -> None:
    with serving(me):
        assert me.run("serve", "receiver", "create", "--name", "n", *options).code == 2


def test_an_account_that_no_gateway_has_opened_is_refused(shell: Shell) -> None:
    done = shell.run("serve", "receiver", "create", "--name", "n", "--kind", "json")
    assert done.code == 2
    assert "start 'webwx serve' once" in done.stderr


def test_a_receiver_of_the_only_account_needs_no_name(shell: Shell, friend: Settings) -> None:
    with serving(shell):
        made = shell.run("serve", "receiver", "create", "--name", "n", "--kind", "json", "--json")
    assert made.code == 0
    assert shell.run("serve", "receiver", "list").stdout.split()[-2:] == ["account", "1"]


def test_the_address_of_a_slack_receiver_with_a_chosen_token_answers(me: Shell) -> None:
    with serving(me):
        create = ("serve", "receiver", "create", "--name", "n", "--kind", "slack", "--json")
        for made in [me.run(*create, "--token", "token-of-the-tutorial").line, me.run(*create).line]:
            assert send(made["url"], b'{"text": "a"}') == 200
            assert send(made["hook"], b'{"text": "a"}') == 200
