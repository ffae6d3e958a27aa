"""
What the environment says, read in this one place and by entry points only.

The library itself never looks here: a program that embeds it passes its own values.
"""

from __future__ import annotations

import os
import re
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True, kw_only=True)
class Settings:
    """Where state is kept and whom to talk to."""

    home: Path
    """Folder of the saved logins."""
    server: str | None = None
    """Origin of a server that plays all hosts of the platform."""
    host: str | None = None
    """Profile or host name; None: what fits."""

    @classmethod
    def from_environment(
        cls, environment: Mapping[str, str] = os.environ, *, server: str | None = None, host: str | None = None
    ) -> Settings:
        """
        Read WEBWX_HOME, WEBWX_SERVER and WEBWX_HOST; an empty one counts as not set.

        Args:
            environment: The process's own, unless a test brings another.
            server: Given on the command line, so WEBWX_SERVER is not asked.
            host: Given on the command line, so WEBWX_HOST is not asked.

        """
        home = environment.get("WEBWX_HOME")
        return cls(
            home=Path(home) if home else state_folder(environment),
            server=server or environment.get("WEBWX_SERVER") or None,
            host=host or environment.get("WEBWX_HOST") or None,
        )

    @property
    def login_path(self) -> Path:
        """The file of this server's or profile's login."""
        return self.home / "logins" / f"{self._login_name}.json"

    @property
    def last_receipt_path(self) -> Path:
        """The file that remembers what this login sent last."""
        return self.login_path.with_suffix(".last-receipt.json")

    @property
    def _login_name(self) -> str:
        # One server can hold a login of each profile, and web is the one it stands for when none is named.
        profile = self.host or ("web" if self.server else "filehelper")
        if not self.server:
            return _file_name(profile)
        origin = _file_name(re.sub(r"^\w+://", "", self.server.lower()))
        return origin if profile == "web" else f"{origin}-{_file_name(profile)}"


def state_folder(environment: Mapping[str, str], platform: str = sys.platform) -> Path:
    """Give the folder where programs of this platform keep what they must remember."""
    if platform == "win32":
        local = environment.get("LOCALAPPDATA")
        return (Path(local) if local else Path.home() / "AppData" / "Local") / "webwx"
    if platform == "darwin":
        return Path.home() / "Library" / "Application Support" / "webwx"
    state = environment.get("XDG_STATE_HOME")
    return (Path(state) if state else Path.home() / ".local" / "state") / "webwx"


def _file_name(text: str) -> str:
    return re.sub(r"[^A-Za-z0-9.]+", "-", text).strip("-.") or "unnamed"
