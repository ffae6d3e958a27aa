"""
Unmodified programs that send notifications, each to a gateway in its own process.

The arrived messages are read on the phone of the sandbox.
"""

from __future__ import annotations

import json
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import pytest
from tests.interop.connect_door import open_door
from tests.interop.phones import Phones
from tests.interop.processes import WEBWX, Lines

if TYPE_CHECKING:
    from collections.abc import Callable

pytestmark = [pytest.mark.verify, pytest.mark.timeout(180)]

PATIENCE = 60.0
"""Time limit in seconds for a client to send and its message to arrive, on a busy machine."""


class Served:
    """A gateway with one account, and the phone that gets its messages."""

    def __init__(
        self, gateway: Lines, url: str, key: str, sandbox: dict[str, str], environment: dict[str, str]
    ) -> None:
        self.gateway = gateway
        self.url = url
        self.sandbox = sandbox["url"]
        self.phones = Phones(sandbox["control"])
        self.environment = environment
        self._key = key

    @property
    def address(self) -> str:
        """Host and port."""
        return urlsplit(self.url).netloc

    def call(self, method: str, path: str, body: object = None) -> Any:
        """Call the API."""
        headers = {"Authorization": f"Bearer {self._key}", "Content-Type": "application/json"}
        content = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(f"{self.url}/api/v1{path}", content, headers, method=method)
        with urllib.request.urlopen(request, timeout=PATIENCE) as answer:
            return json.loads(answer.read())

    def receiver(self, kind: str) -> str:
        """Create a receiver, and return its token."""
        body = {"name": kind, "kind": kind, "account": 1, "messages_per_minute": 60}
        token: str = self.call("POST", "/receivers", body)["token"]
        return token

    def run(self, *command: object, **environment: str) -> None:
        """Run a client until it ends."""
        done = subprocess.run(
            list(map(str, command)), env=self.environment | environment, capture_output=True, text=True,
            timeout=PATIENCE, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stdout + done.stderr

    def python(self, code: str, **environment: str) -> None:
        """Run a Python client."""
        self.run(sys.executable, "-c", code, **environment)

    def wait_for(self, text: str) -> None:
        """Wait until the phone shows a text."""
        deadline = time.monotonic() + PATIENCE
        while not any(text == each for each in self.shown()):
            assert time.monotonic() < deadline, f"{text!r} did not arrive; the phone shows {self.shown()}"
            time.sleep(0.2)

    def wait_for_start(self, start: str) -> None:
        """Wait until the phone shows a text with this beginning."""
        deadline = time.monotonic() + PATIENCE
        while not any(each.startswith(start) for each in self.shown()):
            assert time.monotonic() < deadline, f"{start!r} did not arrive; the phone shows {self.shown()}"
            time.sleep(0.2)

    def shown(self) -> list[str]:
        """Return the texts and file names in File Transfer Helper on the phone."""
        messages = self.phones.messages("xiaoming", "filehelper")
        return [str(message.get("text") or message.get("name") or "") for message in messages]


@pytest.fixture
def served(start: Callable[..., Lines], environment: dict[str, str]) -> Served:
    sandbox = json.loads(start(WEBWX, "sandbox", "--port", "0", "--auto-confirm", "--json").next())
    own = environment | {"WEBWX_SERVER": sandbox["url"]}
    subprocess.run([WEBWX, "login"], env=own, check=True, capture_output=True, timeout=PATIENCE)
    made = subprocess.run(
        [WEBWX, "serve", "key", "create", "--name", "test", "--scopes", "receivers,read", "--json"],
        env=own, check=True, capture_output=True, timeout=PATIENCE,
    )  # fmt: skip
    gateway = start(WEBWX, "serve", "--port", "0", "--json", "--server", sandbox["url"])
    url = json.loads(gateway.next())["url"]
    served = Served(gateway, url, json.loads(made.stdout)["key"], sandbox, environment)
    wait_until_online(served)
    return served


def wait_until_online(served: Served) -> None:
    deadline = time.monotonic() + PATIENCE
    while [each["state"] for each in served.call("GET", "/accounts")["accounts"]] != ["online"]:
        assert time.monotonic() < deadline
        time.sleep(0.2)


APPRISE = """
import sys, apprise
sender = apprise.Apprise()
assert sender.add(sys.argv[1]), "the address is not accepted"
attach = sys.argv[3] if len(sys.argv) > 3 else None
sent = sender.notify(title=sys.argv[2], body="it **failed**", notify_type="failure", body_format="markdown",
                     attach=attach)
sys.exit(not sent)
"""


def test_apprise_reaches_every_local_scheme(served: Served, tmp_path: Path) -> None:
    apprise, ntfy, gotify, bark = map(served.receiver, ("apprise", "ntfy", "gotify", "bark"))
    attached = tmp_path / "disk.log"
    attached.write_text("full")
    for name, url in {
        "api": f"apprise://{served.address}/{apprise}",
        "json": f"json://{served.address}/hooks/apprise/{apprise}",
        "form": f"form://{served.address}/hooks/apprise/{apprise}",
        "xml": f"xml://{served.address}/hooks/apprise/{apprise}",
        "signal": f"signal://user:{apprise}@{served.address}/+8613800000000/+8613900000000",
        "ntfy": f"ntfy://{ntfy}@{served.address}/alerts",
        "gotify": f"gotify://{served.address}/{gotify}",
        "bark": f"bark://{served.address}/{bark}",
    }.items():
        served.run(sys.executable, "-c", APPRISE, url, f"by {name}")
    for text in (
        "🔴 by api\n\nit failed", "🔴 by json\n\nit **failed**", "🔴 by form\n\nit **failed**",
        "🔴 by xml\n\nit **failed**", "by signal\nit **failed**", "by ntfy\n\nit **failed**",
        "by gotify\n\nit **failed**", "by bark\n\nit **failed**",
    ):  # fmt: skip
        served.wait_for(text)
    served.run(sys.executable, "-c", APPRISE, f"form://{served.address}/hooks/apprise/{apprise}", "file", attached)
    served.wait_for("disk.log")


def test_apprise_reaches_fixed_hosts_through_a_proxy(served: Served, tmp_path: Path) -> None:
    wecom, serverchan, pushplus, slack = map(served.receiver, ("wecom", "serverchan", "pushplus", "slack"))
    with open_door((urlsplit(served.url).hostname or "", urlsplit(served.url).port or 0), tmp_path) as door:
        for name, url in {
            "wecom": f"wecombot://{wecom}",
            "serverchan": f"schan://{serverchan}",
            "pushplus": f"pushplus://{pushplus}",
            "slack": f"slack://{slack}/#general",
        }.items():
            served.run(sys.executable, "-c", APPRISE, url, f"by {name}", **door)
    for text in (
        "by wecom\nit **failed**", "by serverchan\n\nit failed", "by pushplus\n\nit failed",
        "【by slack】\nit failed\nApprise",
    ):  # fmt: skip
        served.wait_for(text)


def test_pywgb_sends_texts_markdown_and_files_through_a_proxy(served: Served, tmp_path: Path) -> None:
    attached = tmp_path / "report.txt"
    attached.write_text("a report")
    code = f"""
from pywgb import SmartBot
bot = SmartBot({served.receiver("wecom")!r})
answers = [
    bot.send("a text", mentioned_list=["@all"]),
    bot.send("# Title\\n" + bot.markdown_feature.list2table([["a", "b"], ["1", "2"]])),
    bot.send(file_path={str(attached)!r}),
]
assert all(answer["errcode"] == 0 for answer in answers), answers
"""
    with open_door((urlsplit(served.url).hostname or "", urlsplit(served.url).port or 0), tmp_path) as door:
        served.python(code, **door)
    served.wait_for("a text\n@all")
    served.wait_for("【Title】\na: 1 | b: 2")
    served.wait_for("report.txt")


def test_slack_sdk_gets_its_ok(served: Served) -> None:
    token = served.receiver("slack")
    served.python(f"""
from slack_sdk.webhook import WebhookClient
answer = WebhookClient("{served.url}/services/{token}").send(
    text="fallback",
    blocks=[{{"type": "section", "text": {{"type": "mrkdwn", "text": "*Deploy* <https://x.example|done>"}}}}],
)
assert (answer.status_code, answer.body) == (200, "ok"), (answer.status_code, answer.body)
""")
    served.wait_for("Deploy done https://x.example")


def test_gotify_gets_its_message_back(served: Served) -> None:
    served.python(f"""
from gotify import Gotify
answer = Gotify(base_url={served.url!r}, app_token={served.receiver("gotify")!r}).create_message("m", title="T")
assert (answer["message"], answer["title"]) == ("m", "T") and answer["id"] > 0, answer
""")
    served.wait_for("T\n\nm")


def test_the_command_of_ntfy_publishes_texts_and_files(served: Served, tmp_path: Path) -> None:
    if shutil.which("ntfy") is None:
        pytest.skip("ntfy is a package of Debian, and it is not installed")
    token = served.receiver("ntfy")
    attached = tmp_path / "backup.log"
    attached.write_text("done")
    served.run(
        "ntfy", "publish", "--title=备份", "--priority=urgent", "--tags=floppy_disk,db", f"{served.url}/{token}", "完成"
    )
    served.run("ntfy", "publish", f"--token={token}", f"--file={attached}", f"{served.url}/any-topic", "see file")
    served.wait_for("🔴 💾 备份\n\n完成\nTags: db")
    served.wait_for("see file")
    served.wait_for("backup.log")


def test_alertmanager_sends_a_group_and_its_end(served: Served, start: Callable[..., Lines], tmp_path: Path) -> None:
    if shutil.which("prometheus-alertmanager") is None:
        pytest.skip("Alertmanager is a package of Debian, and it is not installed")
    wecom, config = served.receiver("wecom"), tmp_path / "alertmanager.yml"
    config.write_text(f"""
route: {{receiver: phone, group_by: [alertname], group_wait: 1s, group_interval: 1s}}
receivers:
- name: phone
  webhook_configs: [{{url: "{served.url}/hooks/alertmanager/{served.receiver("alertmanager")}"}}]
  slack_configs: [{{api_url: "{served.url}/services/{served.receiver("slack")}", send_resolved: true}}]
  wechat_configs:
  - {{api_url: "{served.url}/cgi-bin/", corp_id: c, agent_id: "1", to_user: "@all", api_secret: {wecom}}}
""")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{free.getsockname()[1]}"
    start(
        "prometheus-alertmanager", f"--config.file={config}", f"--storage.path={tmp_path / 'data'}",
        f"--web.listen-address={url.removeprefix('http://')}", "--cluster.listen-address=",
    )  # fmt: skip
    alert = ["alertname=DiskFull", "instance=db1", "severity=warning"]
    wait_for_server(url)
    served.run("amtool", f"--alertmanager.url={url}", "alert", "add", *alert, "--annotation=summary=Disk almost full")
    served.wait_for_start("🟠 [1 firing] DiskFull\n\nwarning instance=db1\nDisk almost full\nsince ")
    ended = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() - 1))
    served.run("amtool", f"--alertmanager.url={url}", "alert", "add", *alert, f"--end={ended}")
    served.wait_for_start("🟢 [1 resolved] DiskFull")
    served.wait_for_start("🔴 【[FIRING:1] DiskFull")
    assert any("DiskFull" in text and "Alerts Firing" in text for text in served.shown())


def wait_for_server(url: str) -> None:
    deadline = time.monotonic() + PATIENCE
    while True:
        try:
            urllib.request.urlopen(f"{url}/-/ready", timeout=5).close()
        except OSError:
            assert time.monotonic() < deadline
            time.sleep(0.2)
        else:
            return


def test_a_gateway_that_is_killed_loses_no_alert_and_sends_none_twice(
    served: Served, start: Callable[..., Lines], environment: dict[str, str]
) -> None:
    hook = f"{served.url}/hooks/json/{served.receiver('json')}"
    for number in range(12):
        if number in {4, 8}:  # An answered request is durable, and a repeated one has no effect.
            served.gateway.process.kill()
            served.gateway.process.wait(PATIENCE)
            served.gateway = start(
                WEBWX, "serve", "--port", str(urlsplit(served.url).port), "--json", "--server", served.sandbox
            )
            served.gateway.next()
        for _ in range(2):
            headers = {"Idempotency-Key": str(number), "Content-Type": "application/json"}
            body = json.dumps({"text": f"alert {number};"}).encode()
            urllib.request.urlopen(urllib.request.Request(hook, body, headers), timeout=PATIENCE).close()
    alerts = [f"alert {number};" for number in range(12)]

    def missing() -> list[str]:
        return [alert for alert in alerts if alert not in "".join(served.shown())]

    def unknown() -> str:
        """Return the texts of sends that the kill of a gateway has interrupted, which are not repeated."""
        return "".join(send["text"] for send in served.call("GET", "/accounts/1/sends?state=unknown")["sends"])

    deadline = time.monotonic() + PATIENCE
    while not all(alert in unknown() for alert in missing()):
        assert time.monotonic() < deadline, served.shown()
        time.sleep(0.2)
    text = "".join(served.shown())
    assert [alert for alert in alerts if text.count(alert) > 1] == []


HOME_ASSISTANT = """
import asyncio, sys
from aiontfy import Message, Ntfy
from aiontfy.exceptions import NtfyForbiddenAccessError, NtfyNotFoundError, NtfyUnauthorizedAuthenticationError


async def set_up(url, topic):
    async with Ntfy(url) as anonymous:
        assert (await anonymous.account()).username == "*"
        published = await anonymous.publish(Message(topic=topic, title="door", message="open"))
        assert published.message == "open" and published.title == "door", published
        try:
            await anonymous.can_subscribe([topic])
            raise SystemExit("a topic can be subscribed to")
        except NtfyForbiddenAccessError as refused:
            assert refused.http == 403 and refused.link, refused
        try:
            await anonymous.version()
            raise SystemExit("there is a version")
        except NtfyNotFoundError as refused:
            assert refused.code == 40401, refused
    async with Ntfy(url, username="home", password=topic) as named:
        assert (await named.account()).username == "home"
        token = (await named.generate_token("Home Assistant")).token
    async with Ntfy(url, token=token) as known:
        await known.account()
        await known.publish(Message(topic="any", message="closed"))
        await known.publish(Message(topic=topic, message="see file"), attachment=b"\\x00\\x01")
    async with Ntfy(url, token="tk_unknown") as stranger:
        try:
            await stranger.account()
            raise SystemExit("an unknown token was accepted")
        except NtfyUnauthorizedAuthenticationError as refused:
            assert refused.code == 40101, refused


asyncio.run(set_up(*sys.argv[1:]))
"""
"""What Home Assistant's ntfy integration asks for: to be set up, and to publish."""


def test_the_client_of_home_assistant_is_set_up_and_publishes(served: Served, tmp_path: Path) -> None:
    uv = shutil.which("uv") or str(Path(sys.executable).with_name("uv"))
    folder = tmp_path / "venv"
    # The client needs a newer Python than the oldest one that webwx supports.
    for command in (("venv", "--python", ">=3.12", folder), ("pip", "install", "--python", folder, "aiontfy==0.8.6")):
        subprocess.run([uv, *command], check=True, capture_output=True, timeout=PATIENCE)
    served.run(folder / "bin" / "python", "-c", HOME_ASSISTANT, served.url, served.receiver("ntfy"))
    served.wait_for("door\n\nopen")
    served.wait_for("closed")
    served.wait_for("see file")
