"""Slack's incoming webhooks: text, blocks and attachments. Success is exactly the text `ok`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from webwx.gateway.notify.emoji import replace_emoji
from webwx.gateway.notify.notification import Notification, Severity
from webwx.gateway.notify.receiver import Reading, ReceiverOptions, StoredMessage
from webwx.gateway.notify.refusal import Refusal, RefusalReason
from webwx.gateway.notify.render import markdown_text, mrkdwn_text
from webwx.gateway.notify.request import (
    HookAnswer,
    HookRequest,
    HookRoute,
    as_object,
    as_string,
    decode_json,
    inner,
    items,
    objects,
    retry_headers,
    string,
    text_answer,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

DEEPEST_RICH_TEXT = 8
"""Maximum depth of nested elements of rich text."""

_WITH_HEADINGS = 2
"""Number of rows from which the first row of a table is its headings."""

_ANSWERS = {
    RefusalReason.UNKNOWN_TOKEN: (404, "no_service"),
    RefusalReason.BAD_SIGNATURE: (403, "invalid_token"),
    RefusalReason.FORBIDDEN: (403, "action_prohibited"),
    RefusalReason.EMPTY: (400, "no_text"),
    RefusalReason.TOO_LARGE: (413, "request_too_large"),
    RefusalReason.RATE_LIMITED: (429, "rate_limited"),
    RefusalReason.OFFLINE: (503, "service_unavailable"),
}
_SEVERITIES = {"danger": Severity.CRITICAL, "warning": Severity.WARNING, "good": Severity.GOOD}


class Slack:
    """Receiver of incoming webhooks."""

    kind = "slack"
    hosts = frozenset({"hooks.slack.com"})
    routes = (HookRoute("/services/{team}/{hook}/{secret}"), HookRoute("/hooks/slack/{token}"))

    def tokens(self, request: HookRequest) -> tuple[str, ...]:
        """Return the token of the path: its three parts, joined."""
        values = request.values
        return (values.get("token") or "".join(values[name] for name in ("team", "hook", "secret")),)

    def read(self, request: HookRequest, options: ReceiverOptions, now: float) -> Reading:
        """Read a message; the text beside blocks is left out, because Slack uses it for notifications only."""
        del options, now
        is_form = request.media_type in {"application/x-www-form-urlencoded", "multipart/form-data"}
        if is_form and not request.body.lstrip().startswith(b"{"):  # curl sends JSON as a form, too
            payload = as_object(decode_json(request.form().get("payload", "")))
        else:
            payload = request.json_object()
        return notification_of(payload)

    def accepted(self, request: HookRequest, stored: StoredMessage) -> HookAnswer:
        """Answer `ok`."""
        del request, stored
        return text_answer("ok")

    def refused(self, request: HookRequest, refusal: Refusal, now: float) -> HookAnswer:
        """Answer with Slack's name of the error."""
        del request, now
        status, word = _ANSWERS.get(refusal.reason, (400, "invalid_payload"))
        return text_answer(word, status, retry_headers(refusal))


def notification_of(payload: Mapping[str, object]) -> Notification:
    """Return the message of a payload."""
    attachments = objects(payload.get("attachments"))
    parts = [_blocks(payload) or mrkdwn_text(string(payload, "text")), *map(_attachment, attachments)]
    colors = (_SEVERITIES.get(string(each, "color")) for each in attachments)
    return Notification(
        text="\n\n".join(filter(None, parts)),
        severity=next((severity for severity in colors if severity), Severity.NONE),
    )


def _attachment(attachment: Mapping[str, object]) -> str:
    title, link = mrkdwn_text(string(attachment, "title")), string(attachment, "title_link")
    lines = [
        mrkdwn_text(string(attachment, "pretext")),
        replace_emoji(string(attachment, "author_name")),
        f"【{title}】" if title else "",
        link,
        mrkdwn_text(string(attachment, "text")),
        _blocks(attachment),
    ]
    for field in objects(attachment.get("fields")):
        name, value = mrkdwn_text(string(field, "title")), mrkdwn_text(string(field, "value"))
        lines.append(f"{name}: {value}" if name and value else name or value)
    lines += [_picture(attachment), *_buttons(attachment.get("actions"))]
    shown = "\n".join(filter(None, lines)) or mrkdwn_text(string(attachment, "fallback"))
    return "\n".join(filter(None, (shown, replace_emoji(string(attachment, "footer")))))


def _blocks(value: Mapping[str, object]) -> str:
    return "\n".join(filter(None, map(_block, objects(value.get("blocks")))))


def _block(block: Mapping[str, object]) -> str:
    match string(block, "type"):
        case "header":
            title = _plain(inner(block, "text"))
            return f"【{title}】" if title else ""
        case "divider":
            return "————"
        case "image":
            return _picture(block)
        case "actions":
            return "\n".join(_buttons(block.get("elements")))
        case "context":
            return " ".join(filter(None, (_element(each) for each in objects(block.get("elements")))))
        case "rich_text":
            return mrkdwn_free(block)
        case "markdown":
            return markdown_text(string(block, "text")).text
        case "table":
            return _table(block)
        case "video":
            return "\n".join(filter(None, (_plain(inner(block, "title")), string(block, "title_url", "video_url"))))
        case _:
            fields = [_element(each) for each in objects(block.get("fields"))]
            accessory = [inner(block, "accessory")]
            return "\n".join(filter(None, (_element(inner(block, "text")), *fields, *_buttons(accessory))))


def _element(element: Mapping[str, object]) -> str:
    match string(element, "type"):
        case "mrkdwn":
            return mrkdwn_text(string(element, "text"))
        case "image":
            return _picture(element)
        case _:
            return replace_emoji(as_string(element.get("text")))


def _plain(text: Mapping[str, object]) -> str:
    return replace_emoji(string(text, "text"))


def _table(block: Mapping[str, object]) -> str:
    """Return a table, each row on one line; the first row has the headings, unless it is the only one."""
    rows = [[_cell(cell) for cell in objects(row)] for row in items(block.get("rows"))]
    rows = [row for row in rows if any(row)]
    if len(rows) < _WITH_HEADINGS:
        return "\n".join(" | ".join(filter(None, row)) for row in rows)
    names = rows[0]
    lines: list[str] = []
    for row in rows[1:]:
        padded = names + [""] * (len(row) - len(names))
        cells = [f"{name}: {cell}" if name else cell for name, cell in zip(padded, row, strict=False) if cell]
        lines.append(" | ".join(cells))
    return "\n".join(lines)


def _cell(cell: Mapping[str, object]) -> str:
    shown = mrkdwn_free(cell) if string(cell, "type") == "rich_text" else _plain(cell)
    return " ".join(shown.split())


def _picture(element: Mapping[str, object]) -> str:
    address = string(element, "image_url", "thumb_url")
    return f"[图片] {address}" if address else ""


def _buttons(elements: object) -> list[str]:
    lines = []
    for each in objects(elements):
        if string(each, "type") == "image":
            lines.append(_picture(each))
        elif string(each, "url"):
            text = inner(each, "text")
            label = _plain(text) if text else replace_emoji(string(each, "text"))
            lines.append(f"{label} {string(each, 'url')}".strip())
    return lines


def mrkdwn_free(block: Mapping[str, object]) -> str:
    """Return the text of a rich text block, whose elements hold plain text and styles."""
    return "".join(_rich(block, 0)).strip("\n")


def _rich(element: Mapping[str, object], depth: int) -> Iterator[str]:
    if depth > DEEPEST_RICH_TEXT:
        return
    children = objects(element.get("elements"))
    match string(element, "type"):
        case "text":
            yield string(element, "text")
        case "link":
            yield " ".join(filter(None, (string(element, "text"), string(element, "url"))))
        case "emoji":
            yield _emoji(element)
        case "date" | "color":
            yield string(element, "fallback", "value")
        case "user" | "channel" | "usergroup" | "broadcast" as kind:
            name = string(element, "user_id", "channel_id", "usergroup_id", "range")
            yield f"{'#' if kind == 'channel' else '@'}{name}"
        case "rich_text_list":
            for number, child in enumerate(children, 1):
                sign = f"{number}. " if string(element, "style") == "ordered" else "• "
                yield f"{sign}{''.join(_rich(child, depth + 1))}\n"
        case "rich_text_preformatted" | "rich_text_quote" as kind:
            prefix = "  " if kind == "rich_text_preformatted" else "│ "
            text = "".join(piece for child in children for piece in _rich(child, depth + 1))
            yield "".join(f"{prefix}{line}\n" for line in text.split("\n"))
        case kind:
            for child in children:
                yield from _rich(child, depth + 1)
            if kind == "rich_text_section" and depth == 1:
                yield "\n"


def _emoji(element: Mapping[str, object]) -> str:
    points, name = string(element, "unicode").split("-"), replace_emoji(f":{string(element, 'name')}:")
    try:
        return "".join(chr(int(point, 16)) for point in points if point) or name
    except (ValueError, OverflowError):
        return name
