"""The console: the page of the gateway in a browser. The page uses only the API, with the secret of its session."""

from __future__ import annotations

from importlib.resources import files
from typing import TYPE_CHECKING

from litestar import Response, Router, get
from litestar.params import FromPath

from webwx.gateway.problems import GatewayProblem
from webwx.web import SHARED_FILES

if TYPE_CHECKING:
    from importlib.resources.abc import Traversable

_TYPES = {
    "html": "text/html",
    "js": "text/javascript",
    "css": "text/css",
    "svg": "image/svg+xml",
    "webmanifest": "application/manifest+json",
}
"""Media types of the files of the page, by their suffixes; the framework adds the charset to those of text."""

FILES: dict[str, Traversable] = SHARED_FILES | {
    file.name: file for file in files(__package__).iterdir() if file.name.rpartition(".")[2] in _TYPES
}
"""All files that make up the page, by name."""


@get("/", is_public=True, include_in_schema=False)
async def show_console() -> Response[bytes]:
    """Return the page."""
    return _file("index.html")


@get("/console/{name:str}", is_public=True, include_in_schema=False)
async def show_console_file(name: FromPath[str]) -> Response[bytes]:
    """Return a script, a style or a picture of the page."""
    if name not in FILES:
        raise GatewayProblem("not-found")
    return _file(name)


def _file(name: str) -> Response[bytes]:
    return Response(FILES[name].read_bytes(), media_type=_TYPES[name.rpartition(".")[2]])


console_router = Router("/", route_handlers=[show_console, show_console_file], include_in_schema=False)
