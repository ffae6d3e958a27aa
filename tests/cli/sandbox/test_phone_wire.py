"""`webwx phone wire`."""

from __future__ import annotations

from urllib.error import HTTPError
from urllib.request import urlopen

import pytest
from tests.cli.conftest import Sandbox, Shell


def test_exchanges_are_listed_and_one_is_shown_completely(shell: Shell, me: Shell, sandbox: Sandbox) -> None:
    me.run("send", "filehelper", "你好")
    sandbox.control("faults", fault="reset_after", endpoint="webwxsendmsg", times=1)
    me.run("send", "filehelper", "lost")
    sent, lost = shell.run("phone", "wire", "--endpoint", "webwxsendmsg", "--json").lines
    assert (sent["endpoint"], sent["status"], sent["ret"], sent["is_open"]) == ("webwxsendmsg", 200, 0, False)
    assert lost["faults"] == ["reset_after"]
    shown = shell.run("phone", "wire", str(sent["number"]), "--json").line
    assert '"Content": "你好"' in shown["request_body"]
    read = shell.run("phone", "wire", str(sent["number"])).stdout
    assert "\nPOST /cgi-bin/mmwebwx-bin/webwxsendmsg?" in read
    assert '"Skey": "***"' in read
    lines = shell.run("phone", "wire").stdout.splitlines()
    assert any("webwxsendmsg" in line and "200 ret 0" in line for line in lines)
    assert any(line.endswith("  [reset_after]") for line in lines)


def test_follow_shows_a_call_that_is_not_in_the_protocol(shell: Shell, sandbox: Sandbox) -> None:
    with shell.start("phone", "wire", "--follow") as process:
        with pytest.raises(HTTPError):
            urlopen(f"{sandbox.url}/favicon.ico")
        while "GET /favicon.ico" not in (line := process.stdout.readline()):
            pass
        assert "404" in line
        process.terminate()
        assert process.wait(20) == 0


def test_an_unknown_exchange_is_an_error_in_one_sentence(shell: Shell) -> None:
    refused = shell.run("phone", "wire", "99999")
    assert (refused.code, refused.sentence) == (
        2,
        "webwx: There is no exchange 99999; only the last 500 are kept.",
    )
