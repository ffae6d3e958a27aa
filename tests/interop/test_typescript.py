"""The OpenAPI document: a TypeScript client is generated from it alone, and two checkers find nothing to report."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from tests.docs.pages import ROOT, blocks
from tests.interop.phones import Phones
from tests.interop.processes import Lines, photograph

from webwx.gateway.api.description import describe
from webwx.gateway.app import route_table

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.interop.served_gateway import Served

pytestmark = [pytest.mark.verify, pytest.mark.timeout(400)]

PAGE = ROOT / "docs" / "howto" / "write-a-client.md"
"""The page whose program is compiled too."""

HERE = Path(__file__).with_name("typescript")


@pytest.fixture(scope="session")
def tools(npm_modules: Callable[[str], Path]) -> Path:
    """The tools, beside the program and the configuration of the checkers."""
    folder = npm_modules("typescript")
    for file in HERE.iterdir():
        shutil.copy(file, folder / file.name)
    (folder / "openapi.json").write_bytes(json.dumps({**describe(route_table(1)), "servers": [{"url": "/"}]}).encode())
    return folder


def run(tools: Path, *command: str) -> str:
    """Run a tool; return what it has written."""
    done = subprocess.run(
        [tools / "node_modules" / ".bin" / command[0], *command[1:]],
        cwd=tools, capture_output=True, text=True, check=False, timeout=200,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-4000:]
    return done.stdout


def test_redocly_reports_nothing(tools: Path) -> None:
    found = json.loads(run(tools, "redocly", "lint", "openapi.json", "--config", "redocly.yaml", "--format", "json"))
    assert [each["message"] for each in found["problems"] if not each.get("ignored")] == []
    assert found["totals"] == {"errors": 0, "warnings": 0, "ignored": 5}


def test_spectral_reports_nothing(tools: Path) -> None:
    found = run(tools, "spectral", "lint", "--ruleset", "spectral.yaml", "--format", "json", "openapi.json")
    assert json.loads(found[found.index("[") : found.rindex("]") + 1]) == []


def test_a_generated_client_sends_uploads_and_reads_the_stream(
    tools: Path, served: Served, start: Callable[..., Lines]
) -> None:
    run(tools, "openapi-typescript", f"{served.url}/openapi.json", "--output", "api.d.ts")
    (tools / "page.ts").write_text("\n".join(blocks(PAGE, "typescript")), encoding="utf-8")
    run(tools, "tsc")
    phones = Phones(served.control)

    client = start("node", tools / "built" / "client.js", served.url, served.key)
    steps: list[dict[str, Any]] = [json.loads(client.next()) for _ in range(5)]
    phones.do("say", **{"from": "ahua"}, to="xiaoming", text="hello")
    phones.picture("ahua", "xiaoming", photograph("JPEG", 1, 60, 40))
    phones.do("say", **{"from": "ahua"}, to="xiaoming", text="the last one")
    while steps[-1].get("text") != "the last one":
        steps.append(json.loads(client.next()))

    stream, sent, uploaded, refused, invalid, *events = steps
    assert stream == {"step": "stream"}
    assert (sent["state"], uploaded["state"], uploaded["kind"]) == ("sent", "sent", "file")
    assert (refused["status"], refused["code"]) == (422, "unknown-contact")
    assert (invalid["status"], invalid["errors"]) == (400, ["limit: Expected `int` >= 1"])
    assert {"step": "change", "kind": "text", "state": "sent"} in events
    shown = [each for each in events if each["step"] == "event"]
    assert [each["type"] for each in shown if "text" not in each] == ["message.image"]
    assert [each["text"] for each in shown if "text" in each] == ["hello", "the last one"]
    assert client.process.wait(30) == 0
    assert [message["text"] for message in phones.messages("xiaoming", "filehelper")][:1] == ["from TypeScript"]
