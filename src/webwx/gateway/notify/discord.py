"""Webhooks of Discord: content, embeds and files, and the variants that read messages of Slack and GitHub."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from webwx.gateway.notify import github, slack
from webwx.gateway.notify.notification import Notification, Severity
from webwx.gateway.notify.receiver import Reading, ReceiverOptions, StoredMessage
from webwx.gateway.notify.refusal import Refusal, RefusalReason
from webwx.gateway.notify.render import markdown_text
from webwx.gateway.notify.request import (
    MAX_BODY_WITH_FILES,
    HookAnswer,
    HookRequest,
    HookRoute,
    as_object,
    decode_json,
    inner,
    json_answer,
    objects,
    retry_headers,
    string,
    text_answer,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

_ERRORS = {
    RefusalReason.UNKNOWN_TOKEN: (404, 10015, "Unknown Webhook"),
    RefusalReason.BAD_SIGNATURE: (401, 50027, "Invalid Webhook Token"),
    RefusalReason.FORBIDDEN: (403, 50013, "Missing Permissions"),
    RefusalReason.EMPTY: (400, 50006, "Cannot send an empty message"),
    RefusalReason.TOO_LARGE: (413, 40005, "Request entity too large"),
    RefusalReason.INVALID_BODY: (400, 50109, "The request body contains invalid JSON."),
    RefusalReason.OFFLINE: (503, 0, "The account is logged out."),
}
_STRONG, _MORE = 0xA0, 0x38
"""Value from which a part of a colour is strong, and by which it is clearly stronger than another."""


class Discord:
    """Receiver of webhooks."""

    kind = "discord"
    hosts = frozenset({"discord.com", "discordapp.com", "canary.discord.com", "ptb.discord.com"})
    routes = tuple(
        HookRoute(f"{start}{end}", action=action, max_bytes=MAX_BODY_WITH_FILES)
        for start in (
            "/api/webhooks/{webhook}/{secret}", "/api/v10/webhooks/{webhook}/{secret}",
            "/api/v9/webhooks/{webhook}/{secret}", "/api/v8/webhooks/{webhook}/{secret}", "/hooks/discord/{token}",
        )
        for end, action in (("", "send"), ("/slack", "slack"), ("/github", "github"))
    )  # fmt: skip

    def tokens(self, request: HookRequest) -> tuple[str, ...]:
        """Return the token of the path: its two parts, joined."""
        values = request.values
        return (values.get("token") or values["webhook"] + values["secret"],)

    def read(self, request: HookRequest, options: ReceiverOptions, now: float) -> Reading:
        """Read a message."""
        match request.route.action:
            case "slack":
                return slack.Slack().read(request, options, now)
            case "github":
                return github.GitHub().read(request, options, now)
        payload = _payload(request)
        embeds = objects(payload.get("embeds"))
        content = markdown_text(string(payload, "content")).text
        colors = (severity_of(color) for each in embeds if isinstance(color := each.get("color"), int))
        return Notification(
            text="\n\n".join(filter(None, (content, *map(_embed, embeds)))),
            severity=next((severity for severity in colors if severity is not Severity.NONE), Severity.NONE),
            files=tuple(file for _, file in request.files),
        )

    def accepted(self, request: HookRequest, stored: StoredMessage) -> HookAnswer:
        """Answer nothing, as Discord does; with `wait=true`, the message."""
        if request.route.action == "slack":
            return text_answer("ok")
        if request.query_value("wait").lower() not in {"true", "1"}:
            return HookAnswer(status=204)
        at = datetime.fromtimestamp(stored.at, UTC).isoformat()
        content = "" if request.route.action != "send" else string(_payload(request), "content")
        message = {
            "id": str(stored.number), "type": 0, "content": content, "channel_id": "0", "webhook_id": "0",
            "author": {"id": "0", "username": "webwx", "bot": True}, "timestamp": at, "embeds": [],
            "attachments": [], "mentions": [], "mention_roles": [], "mention_everyone": False, "tts": False,
            "pinned": False, "edited_timestamp": None, "flags": 0, "components": [],
        }  # fmt: skip
        return json_answer(message)

    def refused(self, request: HookRequest, refusal: Refusal, now: float) -> HookAnswer:
        """Answer with Discord's code."""
        del request, now
        if refusal.reason is RefusalReason.RATE_LIMITED:
            body = {"message": "You are being rate limited.", "retry_after": refusal.retry_after or 1, "global": False}
            return json_answer(body, 429, retry_headers(refusal))
        status, code, message = _ERRORS.get(refusal.reason, (400, 50035, "Invalid Form Body"))
        return json_answer({"message": message, "code": code}, status, retry_headers(refusal))


def _payload(request: HookRequest) -> dict[str, object]:
    if request.media_type in {"application/x-www-form-urlencoded", "multipart/form-data"}:
        form = request.form()
        return as_object(decode_json(form["payload_json"])) if "payload_json" in form else dict(form)
    return request.json_object()


def severity_of(color: int) -> Severity:
    """Return the severity for which programs use a colour: red, orange or yellow, and green; none for any other."""
    red, green, blue = color >> 16 & 0xFF, color >> 8 & 0xFF, color & 0xFF
    if green >= _STRONG and green - max(red, blue) > _MORE:
        return Severity.GOOD
    if red < _STRONG or red - blue <= _MORE:
        return Severity.NONE
    return Severity.CRITICAL if red - green > 2 * _MORE else Severity.WARNING


def _embed(embed: Mapping[str, object]) -> str:
    author, footer = inner(embed, "author"), inner(embed, "footer")
    title = markdown_text(string(embed, "title")).text
    lines = [
        string(author, "name"),
        f"【{title}】" if title else "",
        string(embed, "url"),
        markdown_text(string(embed, "description")).text,
    ]
    for field in objects(embed.get("fields")):
        name, value = (markdown_text(string(field, each)).text for each in ("name", "value"))
        lines.append(f"{name}: {value}" if name and value else name or value)
    lines += [f"[图片] {url}" for part in ("image", "thumbnail") if (url := string(inner(embed, part), "url"))]
    lines.append(string(footer, "text"))
    return "\n".join(filter(None, lines))
