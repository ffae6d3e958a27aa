"""Logins: the QR code as picture and text, and the progress as server-sent events."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Annotated

import msgspec
from litestar import Response, Router
from litestar.openapi.datastructures import ResponseSpec
from litestar.params import HeaderParameter, JSONBody
from litestar.response import Stream

from webwx.gateway.accounts.account import GatewayAccount
from webwx.gateway.accounts.logins import LoginStatus
from webwx.gateway.api.accounts import view_of_account
from webwx.gateway.api.documented import stream_of
from webwx.gateway.api.parameters import AccountNumber, InjectedPort, InjectedStream, OwnedClient
from webwx.gateway.api.serve_route import serve
from webwx.gateway.http.open_streams import OpenStream
from webwx.gateway.problems import GatewayProblem
from webwx.model.login import QrCode
from webwx.representations.accounts import AccountView
from webwx.representations.logins import (
    BEGIN_LOGIN,
    CHECK_LOGIN,
    END_LOGIN,
    FOLLOW_LOGIN,
    SHOW_CODE,
    SHOW_LOGIN,
    STOP_LOGIN,
    CodeQuery,
    CodeView,
    Form,
    LoginQuery,
    LoginToBegin,
    LoginView,
)
from webwx.representations.route import API

_FORMS: dict[str, Form] = {
    "image/png": "png",
    "image/svg+xml": "svg",
    "text/plain": "text",
    "text/x-ansi": "terminal",
    "application/json": "json",
}
"""Formats of a code by media type."""

_CODE = {200: ResponseSpec(bytes, generate_examples=False, media_type="image/png", description="The code")}

_NOT_STORED = {"Cache-Control": "no-store"}


def view_of_login(status: LoginStatus | None) -> LoginView:
    """Return a login as the API shows it; the code itself is not part of it."""
    if status is None:
        return LoginView(state="none", step=0, has_code=False, error=None)
    return LoginView(
        state=status.state, step=status.number, has_code=status.code is not None, error=status.error,
        error_code=status.error_code,
    )  # fmt: skip


@serve(BEGIN_LOGIN)
async def begin_login(
    number: AccountNumber, port: InjectedPort, data: JSONBody[LoginToBegin | None] = None
) -> Response[LoginView]:
    """
    Begin a login, or return the one in progress.

    Show the code of `login/qr` and follow `login/events`. While the saved login is valid, the next step is `confirmed`.
    """
    status = await port.account(number).logins.begin("push" if data is None else data.method)
    return Response(view_of_login(status), headers={"Location": API + SHOW_LOGIN.at(number)})


@serve(SHOW_LOGIN)
async def show_login(
    number: AccountNumber,
    port: InjectedPort,
    stream: InjectedStream,
    query: LoginQuery,
) -> LoginView:
    """Return the latest login; with `after`, once it is past that step."""
    account = port.account(number)
    if query.after is not None:
        await stream.run(_past(account, query.after))
        stream.require_valid()
    return view_of_login(account.logins.present)


async def _past(account: GatewayAccount, step: int) -> None:
    try:
        async with asyncio.timeout(25):
            async for status in account.logins.watch():
                if status.number > step:
                    return
    except TimeoutError:
        return


@serve(SHOW_CODE, responses=_CODE)
async def show_code(
    number: AccountNumber,
    port: InjectedPort,
    query: CodeQuery,
    accept: Annotated[str | None, HeaderParameter(name="Accept")] = None,
) -> Response[bytes]:
    """Return the code as PNG (default), SVG, text, drawing for a terminal, or JSON; 404 while there is no code."""
    status = port.account(number).logins.present
    if status is None or status.code is None:
        raise GatewayProblem("not-found", "There is no code to scan now.")
    return _drawn(QrCode(url=status.code), query.form or _accepted(accept or "*/*"))


def _accepted(accept: str) -> Form:
    """
    Return the first form that a client accepts.

    Raises:
        GatewayProblem: The client accepts none of the forms.
    """
    for each in accept.split(","):
        media_type = each.partition(";")[0].strip().lower()
        if media_type in _FORMS:
            return _FORMS[media_type]
        if media_type in {"*/*", "image/*"}:
            return "png"
    raise GatewayProblem("not-acceptable", f"The code is available as {', '.join(_FORMS)}.")


def _drawn(code: QrCode, form: Form) -> Response[bytes]:
    media_type = next(name for name, each in _FORMS.items() if each == form)
    match form:
        case "png":
            body = code.png()
        case "svg":
            body = code.svg().encode()
        case "text":
            body = code.url.encode()
        case "terminal":
            body = code.text().encode()
        case "json":
            body = msgspec.json.encode(CodeView(text=code.url))
    return Response(body, media_type=media_type, headers=_NOT_STORED)


@serve(FOLLOW_LOGIN, responses=stream_of(LoginView, "Each `data` is the JSON of the login, until its end"))
async def follow_login(number: AccountNumber, port: InjectedPort, stream: InjectedStream) -> Stream:
    """Stream each step of the login (`text/event-stream`), named by its state; the stream ends with the login."""
    steps = _steps(port.account(number), stream)
    return Stream(steps, media_type="text/event-stream", headers={**_NOT_STORED, "X-Accel-Buffering": "no"})


async def _steps(account: GatewayAccount, stream: OpenStream) -> AsyncIterator[bytes]:
    yield b": connected\n\n"
    ended = asyncio.ensure_future(stream.ended.wait())
    watched = account.logins.watch()
    step: asyncio.Future[LoginStatus | None] | None = None
    try:
        while not stream.ended.is_set():
            step = asyncio.ensure_future(anext(watched, None))
            await asyncio.wait({step, ended}, return_when=asyncio.FIRST_COMPLETED)
            if not step.done():
                return
            status = step.result()
            if status is None:
                return
            yield f"event: {status.state}\n".encode() + b"data: " + msgspec.json.encode(view_of_login(status)) + b"\n\n"
    finally:
        ended.cancel()
        if step is not None and not step.done():
            step.cancel()  # which ends the generator; the task of a client that is gone cannot wait for it
        else:
            await watched.aclose()


@serve(STOP_LOGIN)
async def stop_login(number: AccountNumber, port: InjectedPort) -> None:
    """Stop the login in progress."""
    if not await port.account(number).logins.cancel():
        raise GatewayProblem("not-found", "No login is in progress.")


@serve(END_LOGIN)
async def end_login(owned: OwnedClient) -> None:
    """End the login here and at the platform. Stored messages are not deleted."""
    await owned.logout()


@serve(CHECK_LOGIN)
async def check_login(number: AccountNumber, port: InjectedPort) -> AccountView:
    """Ask the platform whether the login is valid, and return the account's state."""
    return view_of_account(await port.account(number).check())


logins_router = Router(
    "/",
    route_handlers=[begin_login, show_login, show_code, follow_login, stop_login, end_login, check_login],
    tags=["logins"],
)
