"""
How this package was installed, and the command that adds an extra to it.

webwx is in no package index, where its name may one day belong to another project: it is installed from a checkout or
from a wheel. Every sentence about a missing extra ends with `install_command`.

What reads packages and their addresses is imported by the functions: it takes as long to import as a tenth of the
client, and many modules import this one for a sentence that nearly no program needs.
"""

from __future__ import annotations

import sys
from pathlib import Path

import msgspec

PACKAGE = "webwx"


class _Origin(msgspec.Struct, frozen=True):
    """The `direct_url.json` of an installed package: https://packaging.python.org/specifications/direct-url/."""

    url: str
    vcs_info: dict[str, str] = {}

    @property
    def source(self) -> str:
        """The address in a requirement, such as `git+https://example.org/webwx.git`."""
        kind = self.vcs_info.get("vcs")
        return f"{kind}+{self.url}" if kind else self.url


def install_command(extras: str) -> str:
    """
    Return the command that adds extras to this installation.

    Args:
        extras: Names of extras, separated by commas.
    """
    origin = _origin()
    if origin is None:  # installed by its name, from an index or a folder of wheels of the user
        return f"pip install 'PATH[{extras}]', where PATH is the checkout or the wheel of webwx"
    import shlex

    if not origin.url.startswith("file:"):
        return f"pip install {shlex.quote(f'{PACKAGE}[{extras}] @ {origin.source}')}"
    from urllib.parse import urlsplit
    from urllib.request import url2pathname

    path = Path(url2pathname(urlsplit(origin.url).path))
    if Path(sys.prefix) == path / ".venv" and (path / "Makefile").exists():
        return f"make -C {shlex.quote(str(path))} extras"
    return f"pip install {shlex.quote(f'{path}[{extras}]')}"


def requirement() -> str:
    """Return this package as a requirement of another project, such as `webwx @ file:///home/me/webwx`."""
    origin = _origin()
    return PACKAGE if origin is None else f"{PACKAGE} @ {origin.source}"


def _origin() -> _Origin | None:
    from importlib import metadata

    try:
        written = metadata.distribution(PACKAGE).read_text("direct_url.json")
        return msgspec.json.decode(written, type=_Origin) if written else None
    except (metadata.PackageNotFoundError, msgspec.DecodeError):
        return None
