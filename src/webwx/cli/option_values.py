"""Values of the options that every command takes, before the environment and the configuration file are read."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from webwx.settings import Settings


@dataclass
class OptionValues:
    """Option values parsed so far."""

    server: str | None = None
    host: str | None = None
    account: str | None = None
    proxy: str | None = field(default=None, repr=False)
    storage: str | None = field(default=None, repr=False)
    as_json: bool = False
    verbose: bool = False
    log_format: str = "text"
    """Format of the output on stderr: `text`, or `json` for one object per line."""

    def settings(self) -> Settings:
        """
        Merge the values with the environment and the configuration file.

        Raises:
            InvalidSettings: A value is invalid.
        """
        from webwx.settings import Settings

        return Settings.read(
            server=self.server, host=self.host, account=self.account, proxy=self.proxy, storage=self.storage
        )  # fmt: skip
