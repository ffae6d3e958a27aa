"""The errors of a handler, as OpenAPI shows them."""

from __future__ import annotations

from http import HTTPStatus
from typing import Any

from litestar.openapi.datastructures import ResponseSpec

from webwx.gateway.problems import MEDIA_TYPE
from webwx.representations.problems import Problem

_ALWAYS = (400, 401, 403, 421, 429)
"""Statuses of the checks before a handler."""


PICTURE = {200: ResponseSpec(bytes, generate_examples=False, media_type="image/jpeg", description="The picture")}
"""The answer of a handler that returns a picture."""


def problems(*statuses: int) -> dict[int, ResponseSpec]:
    """
    Return the documentation of problems, as the argument `responses` of a handler.

    Args:
        statuses: Further statuses with which the handler answers.
    """
    return {
        status: ResponseSpec(
            Problem, generate_examples=False, media_type=MEDIA_TYPE, description=HTTPStatus(status).phrase
        )
        for status in sorted({*_ALWAYS, *statuses})
    }


def stream_of(data: Any, description: str) -> dict[int, ResponseSpec]:
    """
    Return the documentation of a stream of server-sent events.

    Args:
        data: Type of the JSON in the `data` of each event.
        description: What the stream is.
    """
    return {200: ResponseSpec(data, generate_examples=False, media_type="text/event-stream", description=description)}
