"""
Refusals as ASGI messages: of requests before the framework gets them, and of upgrades to WebSockets.

The framework closes a WebSocket that it refuses, which every server answers with status 403. A client then cannot
distinguish a wrong key from a missing scope, so the refusal is answered as that of any other request.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
from litestar.enums import ScopeType

from webwx.gateway.problems import answer_of

if TYPE_CHECKING:
    from litestar import Response
    from litestar.types import Scope, Send
    from litestar.types.asgi_types import Message

    from webwx.representations.problems import Problem

_ANSWERS_UPGRADES = "websocket.http.response"
"""Name of the ASGI extension of a server that can answer an upgrade over HTTP."""

_REFUSAL = "refusal"
"""Key of the answer to a refused upgrade in the state of a request."""


async def refuse(scope: Scope, send: Send, answer: Response[Problem]) -> None:
    """Answer a request or an upgrade with a problem."""
    problem, body = answer.content, msgspec.json.encode(answer.content)
    named = {**answer.headers, "Content-Type": str(answer.media_type), "Content-Length": str(len(body))}
    headers = [(name.lower().encode(), value.encode()) for name, value in named.items()]
    if scope["type"] == ScopeType.HTTP:
        await send({"type": "http.response.start", "status": problem.status, "headers": headers})
        await send({"type": "http.response.body", "body": body, "more_body": False})
    elif _ANSWERS_UPGRADES in (scope.get("extensions") or {}):
        await send({"type": "websocket.http.response.start", "status": problem.status, "headers": headers})
        await send({"type": "websocket.http.response.body", "body": body, "more_body": False})
    else:
        await send({"type": "websocket.close", "code": 1008, "reason": problem.code})


def note_refusal(error: Exception, scope: Scope) -> None:
    """Store the answer to an upgrade that has failed; `answering_upgrades` sends it."""
    if scope["type"] == ScopeType.WEBSOCKET:
        scope["state"][_REFUSAL] = answer_of(error)


def answering_upgrades(scope: Scope, send: Send) -> Send:
    """Return a function that sends a message, and replaces the refusal of an upgrade by the stored answer."""
    if scope["type"] != ScopeType.WEBSOCKET:
        return send
    is_accepted = False

    async def send_answer(message: Message) -> None:
        nonlocal is_accepted
        is_accepted = is_accepted or message["type"] == "websocket.accept"
        refusal: Response[Problem] | None = scope["state"].get(_REFUSAL)
        if message["type"] == "websocket.close" and not is_accepted and refusal is not None:
            await refuse(scope, send, refusal)
        else:
            await send(message)

    return send_answer
