"""The login of an account by its agent: the code as a picture and a link, its steps, and who may ask for it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from mcp_types import ImageContent
from tests.gateway.adapters.conftest import port_of
from tests.gateway.adapters.mcp.test_adapter import both_eras, connected, token_of

from webwx.gateway.adapters.mcp.agent_options import AgentOptions

if TYPE_CHECKING:
    from mcp import Client
    from tests.gateway.adapters.mcp.conftest import MakeAgent
    from tests.gateway.cluster_nodes import Node
    from tests.gateway.conftest import Running


async def log_out(running: Running | Node, account: int = 1) -> None:
    """End the login on the phone, and wait until the gateway knows it."""
    running.world.log_out("me")
    while (await running.port.account(account).check()).state != "logged_out":
        pass


async def step(client: Client, **arguments: Any) -> dict[str, Any]:
    """Call the tool, and return its result with the media types of its pictures."""
    result = await client.call_tool("login_qr", arguments)
    pictures = [each.mime_type for each in result.content if isinstance(each, ImageContent)]
    assert result.structured_content is not None
    return {**result.structured_content, "failed": result.is_error, "pictures": pictures}


@both_eras
async def test_the_owner_logs_in_with_the_code_that_the_agent_shows(online: Running, mode: str) -> None:
    token = await token_of(online, options={"login": True})
    async with port_of(online) as place, connected(place, token, mode) as client:
        await client.list_tools()
        assert (await step(client))["state"] == "online"
        await log_out(online)
        code = await step(client)
        assert (code["state"], code["pictures"]) == ("code", ["image/png"])
        assert 0 < code["seconds_left"] <= 300
        assert (await step(client, timeout_s=0))["link"] == code["link"]
        online.world.scan("me")
        scanned = await step(client, after=code["step"])
        assert (scanned["state"], scanned["link"]) == ("scanned", code["link"])
        online.world.confirm()
        done = await step(client, after=scanned["step"])
        assert (done["state"], done["link"], done["pictures"]) == ("online", None, [])
        await online.until_online("default")
        assert (await client.call_tool("send_text", {"text": "I am back"})).is_error is False
    [newest, *_] = [each for each in await online.gateway.records.audit() if each.action == "mcp.login_qr"]
    assert newest.detail == "done"


async def test_an_expired_code_is_followed_by_another_one(online: Running) -> None:
    token = await token_of(online, options={"login": True})
    await log_out(online)
    async with port_of(online) as place, connected(place, token) as client:
        code = await step(client)
        online.world.expire()
        seen = [await step(client, after=code["step"])]
        while seen[-1]["state"] != "code":
            seen.append(await step(client, after=seen[-1]["step"]))
        assert {each["state"] for each in seen} <= {"expired", "code"}
        assert seen[-1]["link"] != code["link"]


async def test_without_the_option_no_login_begins(online: Running) -> None:
    token = await token_of(online)
    await log_out(online)
    async with port_of(online) as place, connected(place, token) as client:
        refused = await step(client)
        assert (refused["failed"], refused["outcome"], refused["pictures"]) == (True, "not_allowed", [])
    assert not online.port.account(1).logins.is_active


async def test_a_program_logs_in_only_its_own_account(online: Running) -> None:
    second = (await online.port.add_account("second")).number
    token = await token_of(online, account=second, options={"login": True})
    async with port_of(online) as place, connected(place, token) as client:
        assert (await step(client, account=1))["code"] == "invalid-arguments"
        assert (await step(client))["state"] == "code"
    assert not online.port.account(1).logins.is_active
    assert online.port.account(second).logins.is_active


async def test_logins_of_an_agent_are_limited(make_agent: MakeAgent) -> None:
    here = make_agent(at_gateway=True)
    here.agent.options = AgentOptions(login=True)
    await log_out(here.running)
    for _ in range(6):
        assert (await here.result("login_qr")).state == "code"
        await here.running.port.account(1).logins.cancel()
    failure = await here.failure("login_qr")
    assert (failure.outcome, failure.code) == ("too_many", "too-many-logins")
    assert 0 < failure.retry_after_s <= 3600
