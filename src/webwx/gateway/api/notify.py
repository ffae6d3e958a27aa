"""
`POST /api/v1/notify`: send a text to File Transfer Helper with one `curl` command.

    curl -H "Authorization: Bearer $KEY" -d "backup finished" http://127.0.0.1:8791/api/v1/notify
"""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import parse_qsl

import msgspec
from litestar import Request, Response, Router
from litestar.datastructures import State

from webwx.gateway.access.auth import Caller
from webwx.gateway.accounts.account import GatewayAccounts
from webwx.gateway.accounts.account_sends import TextContent
from webwx.gateway.api.parameters import IdempotencyKey, InjectedCaller, InjectedPort, Prefer
from webwx.gateway.api.schemas import Schema
from webwx.gateway.api.sends import SENT_OR_QUEUED, answer_send, wait_of
from webwx.gateway.api.serve_route import serve
from webwx.gateway.problems import GatewayProblem
from webwx.model.contacts import FILEHELPER
from webwx.representations.sends import NOTIFY, NotifyQuery, SendView

_TEXT_FIELDS = ("text", "message", "body")
_TITLE_FIELDS = ("title", "subject")


_TEXT: Schema = {"type": "string", "minLength": 1, "examples": ["Backup finished"]}

_FIELDS: Schema = {
    "type": "object", "required": ["text"],
    "properties": {
        "text": {**_TEXT, "description": "The text; `message` and `body` are the same."},
        "title": {"type": "string", "description": "A line before the text; `subject` is the same."},
    },
}  # fmt: skip


@serve(
    NOTIFY,
    responses=SENT_OR_QUEUED,
    bodies={"text/plain": _TEXT, "application/json": _FIELDS, "application/x-www-form-urlencoded": _FIELDS},
)
async def notify(
    request: Request[Caller, None, State],
    caller: InjectedCaller,
    port: InjectedPort,
    query: NotifyQuery,
    idempotency_key: IdempotencyKey = None,
    prefer: Prefer = None,
) -> Response[SendView]:
    """Send a text to the account's File Transfer Helper: as plain text, as a form, or as JSON."""
    text = text_of(await request.body(), request.headers.get("content-type", ""))
    target = port.account(await _account_of(port, caller, query.account))
    key, wait = idempotency_key or "", wait_of(prefer)
    if wait:
        return answer_send(await target.sends.send(FILEHELPER, TextContent(text=text), key=key, wait=wait))
    return answer_send(await target.sends.enqueue(FILEHELPER, text, key=key))


async def _account_of(port: GatewayAccounts, caller: Caller, which: str | None) -> int:
    """
    Return the account that a text is for: the named one, or the only one that the caller reaches.

    Raises:
        GatewayProblem: There is no such account, or there are several.
    """
    if which is not None:
        number = port.find_account(which)
        if number is None or not caller.reaches(number):
            raise GatewayProblem("not-found", "There is no such account, or the key does not reach it.")
        return number
    reached = [number for number in await port.list_numbers() if caller.reaches(number)]
    if len(reached) != 1:
        what = "reaches no account" if not reached else "reaches several accounts; add ?account=NAME"
        raise GatewayProblem("not-found", f"The key {what}.")
    return reached[0]


def text_of(body: bytes, content_type: str) -> str:
    """
    Return the text of a body: plain, a form, or an object with `text` and `title`.

    A form without a known field is a text: `curl -d` sends any text as a form.

    Raises:
        GatewayProblem: The body cannot be read, or has another media type.
    """
    media_type = content_type.partition(";")[0].strip().lower()
    try:
        text = body.decode()
    except UnicodeDecodeError:
        raise GatewayProblem("bad-request", "The body is not UTF-8.") from None
    if media_type == "application/json":
        return _text_of_fields(_object(body))
    if media_type == "application/x-www-form-urlencoded":
        fields = _form(text)
        return _text_of_fields(fields) if fields.keys() & {*_TEXT_FIELDS, *_TITLE_FIELDS} else text
    if media_type in {"", "text/plain"}:
        return text
    raise GatewayProblem("unsupported-media-type", "Send a text, a form, or JSON.")


def _form(text: str) -> dict[str, str]:
    try:
        return dict(parse_qsl(text, keep_blank_values=True, errors="strict"))
    except UnicodeDecodeError:
        raise GatewayProblem("bad-request", "The body is not UTF-8.") from None


def _object(body: bytes) -> dict[str, object]:
    try:
        return msgspec.json.decode(body, type=dict[str, object])
    except (msgspec.DecodeError, RecursionError):
        raise GatewayProblem("bad-request", "The body is not a JSON object.") from None


def _text_of_fields(fields: Mapping[str, object]) -> str:
    title, text = (
        next((value for name in names if isinstance(value := fields.get(name), str) and value), "")
        for names in (_TITLE_FIELDS, _TEXT_FIELDS)
    )
    return f"{title}\n\n{text}" if title and text else title or text


notify_router = Router("/", route_handlers=[notify], tags=["sends"])
