"""
Uploads: files of up to 1 GiB, streamed to the disk before they are sent.

A file is uploaded in one request, as the whole body or as the file of a form. Or the first request has only the length
of the file, in `Upload-Length`, and any number of requests append to the file, each with the offset where it continues.
"""

from __future__ import annotations

from typing import Annotated

from litestar import Request, Response, Router
from litestar.datastructures import State
from litestar.di import NamedDependency
from litestar.openapi.datastructures import ResponseSpec
from litestar.params import FromPath, HeaderParameter, SkipValidation

from webwx.gateway.access.auth import Caller
from webwx.gateway.api.parameters import InjectedCaller, InjectedConfig
from webwx.gateway.api.schemas import FILE, Schema
from webwx.gateway.api.serve_route import serve
from webwx.gateway.problems import GatewayProblem
from webwx.gateway.sends.uploaded_content import FORM, FormFile, boundary_of, checked, digest_of
from webwx.gateway.sends.uploads import StoredUpload, UploadStore
from webwx.representations.route import API, LARGEST
from webwx.representations.sends import (
    ASK_OFFSET,
    CONTINUE_UPLOAD,
    DELETE_UPLOAD,
    SHOW_UPLOAD,
    UPLOAD_FILE,
    UploadQuery,
    UploadView,
)
from webwx.representations.times import moment

InjectedUploads = NamedDependency[SkipValidation[UploadStore]]

ContentDigest = Annotated[
    str | None, HeaderParameter(name="Content-Digest", description="`sha-256=:…:` of this request's body")
]


_OFFSET = {200: ResponseSpec(None, generate_examples=False, description="`Upload-Offset` and `Upload-Length`")}

_FORM: Schema = {"type": "object", "properties": {"file": FILE}, "required": ["file"]}


def view_of_upload(upload: StoredUpload, offset: int) -> UploadView:
    """Return an upload as the API shows it."""
    return UploadView(
        upload_id=upload.id, name=upload.name, bytes=upload.size, offset=offset, is_complete=upload.is_complete,
        media_type=upload.media_type, kind=upload.kind, expires_at=moment(upload.expires_at),
    )  # fmt: skip


@serve(UPLOAD_FILE, bodies={"*/*": FILE, FORM: _FORM}, is_limited=False)
async def upload_file(
    request: Request[Caller, None, State],
    caller: InjectedCaller,
    uploads: InjectedUploads,
    config: InjectedConfig,
    query: UploadQuery,
    content_digest: ContentDigest = None,
    upload_length: Annotated[
        int | None,
        HeaderParameter(
            name="Upload-Length",
            ge=1,
            le=LARGEST,
            description="Size of a file that comes in later requests; this one has no body",
        ),
    ] = None,
) -> Response[UploadView]:
    """
    Stream a file to the gateway, as the whole body or as the file of a form.

    With `Upload-Length` the body is empty, and `PATCH` of the address in `Location` adds the content in any number of
    requests. The same key can send the file for a day.
    """
    limit, sha256 = config.limits.upload, digest_of(content_digest)
    name = query.name
    if upload_length is not None:
        if upload_length > limit:
            raise GatewayProblem("body-too-large", f"An upload has at most {limit} bytes.")
        if request.headers.get("content-length", "0") != "0" or "transfer-encoding" in request.headers:
            raise GatewayProblem("bad-request", "With 'Upload-Length', send the content by PATCH.")
        upload = await uploads.begin(name=name or "file", owner=caller.id, length=upload_length)
        return _created(upload, 0)
    stream = checked(request.stream(), sha256)
    boundary = boundary_of(request.headers.get("content-type", ""))
    if boundary is not None:
        form = FormFile(stream, boundary)
        form_name = await form.begin()
        name, stream = name or form_name, form.pieces()
    upload = await uploads.add(stream, name=name or "file", owner=caller.id, limit=limit)
    return _created(upload, upload.size)


def _created(upload: StoredUpload, offset: int) -> Response[UploadView]:
    headers = {"Location": API + SHOW_UPLOAD.at(upload.id), "Upload-Offset": str(offset)}
    return Response(view_of_upload(upload, offset), headers=headers)


@serve(CONTINUE_UPLOAD, bodies={"*/*": FILE}, is_limited=False)
async def continue_upload(
    request: Request[Caller, None, State],
    upload_id: FromPath[str],
    caller: InjectedCaller,
    uploads: InjectedUploads,
    upload_offset: Annotated[
        int,
        HeaderParameter(name="Upload-Offset", ge=0, le=LARGEST, description="Number of bytes that have arrived before"),
    ],
    content_digest: ContentDigest = None,
) -> Response[UploadView]:
    """
    Add the body to an upload that was begun with `Upload-Length`.

    If the connection breaks, `HEAD` says how much has arrived; with `Content-Digest`, a broken request adds nothing.
    """
    upload, sha256 = await _found(uploads, upload_id, caller), digest_of(content_digest)
    if upload.is_complete:
        raise GatewayProblem("conflict", "This upload is complete.")
    stream = checked(request.stream(), sha256)
    upload = await uploads.append(upload, stream, offset=upload_offset, keeps_part=sha256 is None)
    offset = await uploads.offset(upload)
    return Response(view_of_upload(upload, offset), headers={"Upload-Offset": str(offset)})


@serve(SHOW_UPLOAD)
async def show_upload(upload_id: FromPath[str], caller: InjectedCaller, uploads: InjectedUploads) -> UploadView:
    """Return an upload of this key, with the number of bytes that have arrived."""
    upload = await _found(uploads, upload_id, caller)
    return view_of_upload(upload, await uploads.offset(upload))


@serve(ASK_OFFSET, responses=_OFFSET)
async def ask_offset(upload_id: FromPath[str], caller: InjectedCaller, uploads: InjectedUploads) -> Response[None]:
    """Return in `Upload-Offset` how many bytes have arrived."""
    upload = await _found(uploads, upload_id, caller)
    headers = {
        "Upload-Offset": str(await uploads.offset(upload)), "Upload-Length": str(upload.size),
        "Cache-Control": "no-store",
    }  # fmt: skip
    return Response(None, headers=headers)


@serve(DELETE_UPLOAD)
async def delete_upload(upload_id: FromPath[str], caller: InjectedCaller, uploads: InjectedUploads) -> None:
    """Delete an upload before it expires. Sends of this upload are not affected."""
    await _found(uploads, upload_id, caller)
    await uploads.delete(upload_id)


async def _found(uploads: UploadStore, upload_id: str, caller: Caller) -> StoredUpload:
    upload = await uploads.find(upload_id, caller.id)
    if upload is None:
        raise GatewayProblem("not-found", "There is no such upload of this key, or it has expired.")
    return upload


uploads_router = Router(
    "/", route_handlers=[upload_file, continue_upload, show_upload, ask_offset, delete_upload], tags=["sends"]
)
