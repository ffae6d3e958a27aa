"""Uploads: files of up to 1 GiB, streamed to the disk before they are sent."""

from __future__ import annotations

import base64
import re
from datetime import datetime
from typing import Annotated

import msgspec
from litestar import Request, Router, delete, post
from litestar.datastructures import State
from litestar.di import NamedDependency
from litestar.openapi.spec import OpenAPIMediaType, Operation, RequestBody, Schema
from litestar.openapi.spec.enums import OpenAPIFormat, OpenAPIType
from litestar.params import FromPath, HeaderParameter, QueryParameter, SkipValidation

from webwx.gateway.api.documented import problems
from webwx.gateway.api.parameters import InjectedCaller
from webwx.gateway.api.representations import moment
from webwx.gateway.auth import Caller
from webwx.gateway.config import GatewayConfig
from webwx.gateway.problems import GatewayProblem
from webwx.gateway.uploads import StoredUpload, UploadStore

InjectedUploads = NamedDependency[SkipValidation[UploadStore]]
InjectedConfig = NamedDependency[SkipValidation[GatewayConfig]]

_DIGEST = re.compile(r"sha-256=:([A-Za-z0-9+/]{43}=):")


class UploadView(msgspec.Struct, frozen=True, kw_only=True):
    """An upload, to be named in a message."""

    upload_id: str
    name: str
    bytes: int
    media_type: str
    kind: str
    """How it is sent by default: `image`, `video` or `file`."""
    expires_at: datetime


class UploadOperation(Operation):
    """The operation with its request body, which the handler streams."""

    def __post_init__(self) -> None:
        """Describe the body: any bytes."""
        content = Schema(type=OpenAPIType.STRING, format=OpenAPIFormat.BINARY)
        self.request_body = RequestBody(required=True, content={"*/*": OpenAPIMediaType(schema=content)})


def view_of_upload(upload: StoredUpload) -> UploadView:
    """Return an upload as the API shows it."""
    return UploadView(
        upload_id=upload.id, name=upload.name, bytes=upload.size, media_type=upload.media_type, kind=upload.kind,
        expires_at=moment(upload.expires_at),
    )  # fmt: skip


@post(
    "/uploads", scope="send:filehelper", operation_class=UploadOperation, request_max_body_size=None,
    summary="Upload a file", responses=problems(413, 503),
)  # fmt: skip
async def upload_file(
    request: Request[Caller, None, State],
    caller: InjectedCaller,
    uploads: InjectedUploads,
    config: InjectedConfig,
    name: Annotated[str, QueryParameter(max_length=255, description="Name for the receiver")] = "file",
    content_digest: Annotated[
        str | None, HeaderParameter(name="Content-Digest", description="`sha-256=:…:`, which is checked")
    ] = None,
) -> UploadView:
    """Stream a file to the gateway, as the whole body. It can be sent for a day, by the same key."""
    upload = await uploads.add(
        request.stream(), name=name, owner=caller.id, limit=config.limits.upload, sha256=digest_of(content_digest)
    )
    return view_of_upload(upload)


@delete("/uploads/{upload_id:str}", scope="send:filehelper", summary="Delete an upload", responses=problems(404, 503))
async def delete_upload(upload_id: FromPath[str], caller: InjectedCaller, uploads: InjectedUploads) -> None:
    """Delete an upload before it expires."""
    if await uploads.find(upload_id, caller.id) is None:
        raise GatewayProblem("not-found", "There is no such upload of this key.")
    await uploads.delete(upload_id)


def digest_of(header: str | None) -> bytes | None:
    """
    Return the digest of a header `Content-Digest` (RFC 9530); None without one.

    Raises:
        GatewayProblem: It is not SHA-256.
    """
    if header is None:
        return None
    found = _DIGEST.search(header)
    if found is None:
        raise GatewayProblem("bad-request", "Write 'Content-Digest' as sha-256=:BASE64:.")
    return base64.b64decode(found[1])


uploads_router = Router("/", route_handlers=[upload_file, delete_upload], tags=["sends"])
