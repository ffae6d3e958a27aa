"""Reads the HTTP requests of `recordings/`."""

from __future__ import annotations

from pathlib import Path

from webwx.protocol.http import Request

RECORDINGS = Path(__file__).parent / "recordings"


def read_request(name: str) -> Request:
    """Return a recorded request, such as `requests/send_text`, addressed to the host that it names."""
    head, _, body = (RECORDINGS / f"{name}.http").read_bytes().partition(b"\n\n")
    request_line, *lines = head.decode().split("\n")
    method, target, _ = request_line.split(" ")
    headers = tuple((header, value) for header, _, value in (line.partition(": ") for line in lines))
    host = dict(headers)["Host"]
    return Request(endpoint=name, method=method, url=f"https://{host}{target}", headers=headers, body=body)
