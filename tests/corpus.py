"""Real payloads of the live service and their decoded values: `recordings/corpus` and its index."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any, NamedTuple

CORPUS = Path(__file__).parent / "recordings" / "corpus"


class Payload(NamedTuple):
    """One file of the corpus."""

    file: str
    """Its path below the corpus."""
    protocol: str
    """`web`, or `phone` where only other clients receive it."""
    expected: Any
    """The relevant part of its decoded value."""

    @property
    def kind(self) -> str:
        """The folder that holds it."""
        return self.file.partition("/")[0]

    @property
    def body(self) -> bytes:
        """The bytes of the payload."""
        return (CORPUS / self.file).read_bytes()

    @property
    def text(self) -> str:
        """The payload as text."""
        return self.body.decode()

    def __str__(self) -> str:
        return self.file


def _read_index() -> list[Payload]:
    with (CORPUS / "index.tsv").open(encoding="utf-8", newline="") as index:
        rows = csv.DictReader(index, delimiter="\t", quoting=csv.QUOTE_NONE)
        return [Payload(row["file"], row["protocol"], json.loads(row["expected"])) for row in rows]


PAYLOADS = _read_index()


def payloads(*kinds: str) -> list[Payload]:
    """Return all payloads of the given kinds."""
    return [payload for payload in PAYLOADS if payload.kind in kinds]


def said_of(actual: Any, expected: Any) -> Any:
    """Return those fields of a decoded value that the index names."""
    if isinstance(actual, dict) and isinstance(expected, dict):
        return {key: said_of(actual.get(key), value) for key, value in expected.items()}
    if isinstance(actual, list | tuple) and isinstance(expected, list) and len(actual) == len(expected):
        return [said_of(one, other) for one, other in zip(actual, expected, strict=True)]
    return actual
