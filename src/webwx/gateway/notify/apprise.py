"""
Apprise: its API server (`/notify/<key>`), its schemes `json://`, `form://` and `xml://`, and `signal://`.

The schemes reach `/hooks/apprise/<token>`; from apprise 2.3 its own scheme sends the key in a header. A request with a
list of addresses to notify is refused, because the gateway sends nothing to them.
"""

from __future__ import annotations

import base64
import binascii
from typing import TYPE_CHECKING

from webwx.gateway.notify.credentials import authorization_tokens
from webwx.gateway.notify.notification import AttachedFile, Notification, Severity
from webwx.gateway.notify.receiver import Reading, ReceiverOptions, StoredMessage
from webwx.gateway.notify.refusal import Refusal, RefusalReason
from webwx.gateway.notify.render import Rendered, html_text, markdown_text
from webwx.gateway.notify.request import (
    MAX_BODY_WITH_FILES,
    HookAnswer,
    HookRequest,
    HookRoute,
    json_answer,
    retry_headers,
    string,
    text_answer,
)
from webwx.protocol.content import MAX_XML, read_xml

if TYPE_CHECKING:
    from collections.abc import Mapping
    from xml.etree.ElementTree import Element

MOST_FORWARDS = 1
"""Maximum number of Apprise servers that have forwarded a request."""

_SEVERITIES = {"failure": Severity.CRITICAL, "warning": Severity.WARNING, "success": Severity.GOOD}
_STATUS = {
    RefusalReason.UNKNOWN_TOKEN: 204,
    RefusalReason.BAD_SIGNATURE: 403,
    RefusalReason.FORBIDDEN: 403,
    RefusalReason.UNSUPPORTED: 406,
    RefusalReason.TOO_LARGE: 431,
    RefusalReason.RATE_LIMITED: 429,
    RefusalReason.OFFLINE: 424,
}
_SIGNAL_STATUS = {
    RefusalReason.UNKNOWN_TOKEN: 401,
    RefusalReason.TOO_LARGE: 413,
    RefusalReason.RATE_LIMITED: 429,
    RefusalReason.OFFLINE: 503,
}
_XML_NAMES = {"Subject": "title", "Message": "message", "MessageType": "type"}


class Apprise:
    """Receiver of Apprise's requests."""

    kind = "apprise"
    hosts = frozenset[str]()
    routes = (
        HookRoute("/notify/{token}", action="notify", max_bytes=MAX_BODY_WITH_FILES),
        HookRoute("/notify", action="notify", max_bytes=MAX_BODY_WITH_FILES),
        HookRoute("/hooks/apprise/{token}", ("POST", "PUT"), max_bytes=MAX_BODY_WITH_FILES),
        HookRoute("/v2/send", action="signal", max_bytes=MAX_BODY_WITH_FILES),
    )

    def tokens(self, request: HookRequest) -> tuple[str, ...]:
        """Return the key of the path or of the header; for `signal://`, that of the Authorization header."""
        if "token" in request.values:
            return (request.values["token"],)
        if request.route.action == "signal":
            return authorization_tokens(request.header("authorization"))
        return tuple(filter(None, (request.header("x-apprise-config-id"),)))

    def read(self, request: HookRequest, options: ReceiverOptions, now: float) -> Reading:
        """Read a message with its files."""
        del options, now
        hops = request.header("x-apprise-recursion-count").strip()
        if hops and not (hops.isdecimal() and len(hops) < 5 and int(hops) <= MOST_FORWARDS):
            raise Refusal(RefusalReason.UNSUPPORTED, "The request was forwarded too many times.")
        fields, files = _fields_and_files(request)
        if request.route.action == "notify" and fields.get("urls"):
            raise Refusal(RefusalReason.FORBIDDEN, "A list of addresses in the request is not accepted.")
        attached, addresses = _attachments(
            [fields.get(name) for name in ("attachment", "attachments", "attach", "base64_attachments")]
        )
        rendered = _rendered(string(fields, "body", "message"), string(fields, "format"))
        return Notification(
            title=string(fields, "title"),
            text=rendered.text,
            severity=_SEVERITIES.get(string(fields, "type").lower(), Severity.NONE),
            files=(*files, *attached, *rendered.pictures),
            file_urls=addresses,
            idempotency_key=request.header("x-apprise-id"),
        )

    def accepted(self, request: HookRequest, stored: StoredMessage) -> HookAnswer:
        """Answer as the API server does; `signal://` expects a time."""
        if request.route.action == "signal":
            return json_answer({"timestamp": str(int(stored.at * 1000))}, 201)
        if _prefers_text(request):
            return text_answer("")
        return json_answer({"error": None})

    def refused(self, request: HookRequest, refusal: Refusal, now: float) -> HookAnswer:
        """Answer with the status that the API server uses."""
        del now
        headers = retry_headers(refusal)
        if request.route.action == "signal":
            return json_answer({"error": refusal.detail}, _SIGNAL_STATUS.get(refusal.reason, 400), headers)
        status = _STATUS.get(refusal.reason, 400)
        if status == 204 and request.route.action != "notify":
            status = 404  # any 2xx would be success for the schemes
        if status == 204:
            return HookAnswer(status=status)
        if _prefers_text(request):
            return text_answer(refusal.detail, status, headers)
        return json_answer({"error": refusal.detail}, status, headers)


def _prefers_text(request: HookRequest) -> bool:
    accepted = request.header("accept")
    return request.route.action == "notify" and "json" not in accepted and request.media_type != "application/json"


def _fields_and_files(request: HookRequest) -> tuple[Mapping[str, object], tuple[AttachedFile, ...]]:
    if request.media_type == "application/json":
        return request.json_object(), ()
    if request.media_type in {"text/xml", "application/xml"}:
        return _soap(request.text())
    return request.form(), tuple(file for _, file in request.files)


def _soap(text: str) -> tuple[Mapping[str, object], tuple[AttachedFile, ...]]:
    """Read the `Notification` of a SOAP envelope; names are compared without namespaces."""
    if len(text) > MAX_XML:
        raise Refusal(RefusalReason.TOO_LARGE)
    root = read_xml(text)
    if root is None:
        raise Refusal(RefusalReason.INVALID_BODY, "The body is not valid XML.")
    fields = {_XML_NAMES[name]: each.text or "" for each in root.iter() if (name := _local(each)) in _XML_NAMES}
    files = [
        _decoded(each.get("filename", ""), each.text or "", each.get("mimetype", ""))
        for each in root.iter()
        if _local(each) == "Attachment"
    ]
    return fields, tuple(files)


def _local(element: Element) -> str:
    return element.tag.rpartition("}")[2].rpartition(":")[2]


def _rendered(text: str, format_: str) -> Rendered:
    match format_.lower():
        case "markdown":
            return markdown_text(text)
        case "html":
            return html_text(text)
        case _:
            return Rendered(text=text)


def _attachments(values: list[object]) -> tuple[list[AttachedFile], tuple[str, ...]]:
    """Return the files in a JSON body, and the addresses of files that are not in it."""
    files: list[AttachedFile] = []
    addresses: list[str] = []
    for value in values:
        for each in value if isinstance(value, list) else [value]:
            match each:
                case str() if each.startswith(("http://", "https://")):
                    addresses.append(each)
                case str() if each.startswith("data:") and ";base64," in each:
                    head, _, content = each.partition(";base64,")
                    media_type, *parameters = head.removeprefix("data:").split(";")
                    names = [part.partition("=")[2] for part in parameters if part.startswith("filename=")]
                    files.append(_decoded(names[0] if names else "", content, media_type))
                case str() if each:
                    files.append(_decoded("", each, ""))
                case dict():
                    content = string(each, "base64")
                    address = string(each, "url")
                    if content:
                        files.append(_decoded(string(each, "filename", "name"), content, string(each, "mimetype")))
                    elif address:
                        addresses.append(address)
    return files, tuple(addresses)


def _decoded(name: str, content: str, media_type: str) -> AttachedFile:
    try:
        decoded = base64.b64decode("".join(content.split()), validate=True)
    except (binascii.Error, ValueError):
        raise Refusal(RefusalReason.INVALID_FIELD, "An attachment is not valid base64.") from None
    return AttachedFile(
        name=name.replace("\\", "/").rpartition("/")[2] or "attachment",
        content=decoded,
        media_type=media_type or "application/octet-stream",
    )
