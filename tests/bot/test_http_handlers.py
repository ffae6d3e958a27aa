"""HTTP handlers of bots: what they get, what they answer, and what is refused where it is written."""

from __future__ import annotations

import asyncio
import logging
from http import HTTPStatus
from typing import TYPE_CHECKING

import msgspec
import pytest
from tests.bot.conftest import until

from webwx import (
    Bot,
    Context,
    HttpRequest,
    HttpResponse,
    InvalidBody,
    InvalidRequest,
    Router,
    SyncContext,
    TextMessage,
)
from webwx.bot.bot import start

if TYPE_CHECKING:
    from tests.bot.conftest import OpenClient

    from webwx import AsyncClient, Event
    from webwx.testing import PhoneUser, Sandbox


class Release(msgspec.Struct):
    version: str


class Builds(list[str]):
    """The builds that were requested."""


def test_a_handler_sends_and_answers_text_json_or_a_status(webwx_sandbox: Sandbox, webwx_friend: PhoneUser) -> None:
    bot = Bot()

    @bot.on_http("/deploy")
    async def deploy(ctx: Context, request: HttpRequest) -> str:
        await ctx.send_text(webwx_friend.nickname, f"deploying {request.decode(Release).version}")
        return "deployed"

    @bot.on_http("/status", methods=("GET", "DELETE"))
    def status(ctx: SyncContext, request: HttpRequest) -> object:
        return {"verbose": request.query.get("verbose"), "agent": request.headers.get("user-agent")}

    @bot.on_http("/nothing")
    async def nothing(ctx: Context, request: HttpRequest) -> None:
        assert (request.method, request.path, request.caller) == ("POST", "/nothing", "test")

    @bot.on_http("/teapot")
    async def teapot(ctx: Context, request: HttpRequest) -> HttpResponse:
        return HttpResponse(status=HTTPStatus.IM_A_TEAPOT, body=request.text.upper().encode())

    with webwx_sandbox.running(bot) as running:
        assert running.request("POST", "/deploy", json={"version": "1.2"}).text == "deployed"
        webwx_friend.hears("deploying 1.2")
        answer = running.request("GET", "/status", query={"verbose": "1"}, headers={"user-agent": "curl"})
        assert (answer.status, answer.media_type) == (200, "application/json")
        assert msgspec.json.decode(answer.body) == {"verbose": "1", "agent": "curl"}
        assert running.request("DELETE", "/status").status == 200
        assert running.request("POST", "/nothing") == HttpResponse(status=204)
        teapot_answer = running.request("POST", "/teapot", body="tea")
        assert (teapot_answer.status, teapot_answer.text) == (418, "TEA")
        with pytest.raises(LookupError, match="GET /deploy"):
            running.request("GET", "/deploy")


def test_a_repeated_request_with_the_same_key_sends_nothing_twice(
    webwx_sandbox: Sandbox, webwx_friend: PhoneUser
) -> None:
    bot = Bot()

    @bot.on_http("/ring")
    async def ring(ctx: Context, request: HttpRequest) -> str:
        return (await ctx.send_text(webwx_friend.nickname, "ring")).message_id

    with webwx_sandbox.running(bot) as running:
        answers = [running.request("POST", "/ring", key=key).text for key in ("a", "a", "b", "", "")]
    assert answers[0] == answers[1]
    assert len({*answers}) == 4


def test_values_are_injected_as_for_other_handlers_and_routers_have_their_own(webwx_sandbox: Sandbox) -> None:
    bot, builds = Bot(), Router()
    bot.include(builds)
    bot.provide(greeting="hello")
    builds.provide(Builds(["first"]))

    @builds.on_http("/builds", methods=("GET",))
    async def show(
        ctx: Context, request: HttpRequest, *, requested: Builds, greeting: str, client: AsyncClient
    ) -> object:
        return [greeting, *requested, client.account.nickname]

    with webwx_sandbox.running(bot) as running:
        assert msgspec.json.decode(running.request("GET", "/builds").body) == ["hello", "first", "小明"]


def test_a_body_of_the_wrong_type_is_an_error_of_the_caller(
    webwx_sandbox: Sandbox,
) -> None:
    bot = Bot()
    failures: list[BaseException] = []

    @bot.on_http("/deploy")
    async def deploy(ctx: Context, request: HttpRequest) -> None:
        _ = request.text
        request.decode(Release)

    @bot.on_error
    def failed(ctx: SyncContext, event: Event | None, error: BaseException) -> None:
        failures.append(error)

    with webwx_sandbox.running(bot) as running:
        for body in (b"{", b'{"version": 1}', b"\xff", b"[" * 100_000):
            with pytest.raises(InvalidBody):
                running.request("POST", "/deploy", body=body)
        assert (failures, running.warnings) == ([], [])


def test_a_failing_handler_is_logged_without_its_message_and_reported(webwx_sandbox: Sandbox) -> None:
    bot = Bot()
    failures: list[tuple[Event | None, str]] = []

    @bot.on_http("/break")
    async def fail(ctx: Context, request: HttpRequest) -> None:
        raise ValueError(request.text)

    @bot.on_error
    def failed(ctx: SyncContext, event: Event | None, error: BaseException) -> None:
        failures.append((event, str(error)))

    with webwx_sandbox.running(bot) as running:
        with pytest.raises(ValueError, match="a secret"):
            running.request("POST", "/break", body="a secret")
        [warning] = running.warnings
    assert failures == [(None, "a secret")]
    assert "the HTTP handler" in warning
    assert "secret" not in warning


def test_a_handler_that_takes_too_long_is_cancelled(webwx_sandbox: Sandbox) -> None:
    bot = Bot(time_limit=0.0001)

    @bot.on_http("/slow")
    async def slow(ctx: Context, request: HttpRequest) -> None:
        try:
            await asyncio.sleep(3600)
        except asyncio.CancelledError:
            raise ValueError("cancelled") from None

    with webwx_sandbox.running(bot) as running, pytest.raises(ValueError, match="cancelled"):
        running.request("POST", "/slow")


async def test_without_a_gateway_a_bot_warns_that_they_are_not_called(
    open_client: OpenClient, caplog: pytest.LogCaptureFixture
) -> None:
    async with open_client() as client:
        bot = Bot(client=client)
        bot.on_http("/deploy")(_deploy)
        bot.on(TextMessage)(_take)
        task = asyncio.create_task(start(bot))
        await until(lambda: "webwx serve --bot FILE" in caplog.text)
        task.cancel()
    assert [record.levelno for record in caplog.records if "on_http" in record.getMessage()] == [logging.WARNING]


async def _deploy(ctx: Context, request: HttpRequest) -> None: ...


async def _take(ctx: Context, message: TextMessage) -> None: ...


async def test_a_bot_that_does_not_run_answers_nothing() -> None:
    bot = Bot()
    bot.on_http("/deploy")(_deploy)
    with pytest.raises(InvalidRequest, match="is not running"):
        await bot.answer_http(HttpRequest(path="/deploy", key="a"))


@pytest.mark.parametrize("path", ["deploy", "", "/", "/a b", "/a//b", "/a?b", "/{name}", "/a/"])
def test_a_path_that_no_request_can_have_is_refused_at_its_line(path: str) -> None:
    with pytest.raises(ValueError, match="on_http"):
        Bot().on_http(path)


@pytest.mark.parametrize("methods", [(), ("post",), "POST", ("TRACE",)])
def test_a_method_that_is_unknown_is_refused_at_its_line(methods: tuple[str, ...]) -> None:
    with pytest.raises(ValueError, match="methods="):
        Bot().on_http("/deploy", methods=methods)


def test_two_handlers_of_one_path_and_one_that_takes_no_request_are_refused() -> None:
    bot = Bot()
    bot.on_http("/deploy")(_deploy)
    bot.on_http("/deploy", methods=("GET",))(_deploy)
    assert bot.http_routes.methods_of("/deploy") == ["GET", "POST"]
    bot.on_http("/deploy", methods=("POST", "PUT"))(lambda ctx, request: None)
    with pytest.raises(ValueError, match="never called"):
        _ = bot.http_routes
    with pytest.raises(TypeError, match="a context and a request"):
        bot.on_http("/other")(lambda ctx: None)


def test_a_request_and_an_answer_hide_their_bodies_in_logs() -> None:
    request = HttpRequest(path="/deploy", key="a", body=b"secret", headers={"x-token": "secret"})
    assert repr(request) == "HttpRequest(POST /deploy, 6 bytes)"
    assert repr(HttpResponse(body=b"secret")) == "HttpResponse(200, 6 bytes)"
