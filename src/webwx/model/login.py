"""
A login: its account, hosts and keys, and its sync position.

A `Login` is a snapshot of an account's session state (transport/runner.py) and is saved as JSON. Before the scan it is
blank: it has only the hosts.
"""

from __future__ import annotations

import msgspec

from webwx.errors import NotLoggedIn
from webwx.model.contacts import ContactId
from webwx.protocol.cookies import Jar
from webwx.protocol.hosts import PROFILES, Hosts, Profile
from webwx.protocol.login import Credentials
from webwx.protocol.sync import SyncKey


class Account(msgspec.Struct, frozen=True, kw_only=True):
    """The account that is logged in."""

    nickname: str
    id: ContactId
    """Id of the account itself in this login."""
    uin: int
    """The account's number (uin), the same at every login."""
    host: str
    """The profile: `filehelper`, `web` or `desktop`."""


class Login(msgspec.Struct, frozen=True, kw_only=True):
    """Everything that a process needs to continue a login."""

    profile_name: str
    server: str | None
    """Server that serves all hosts, if the user chose one."""
    hosts: Hosts
    allowed_hosts: tuple[str, ...] = ()
    """API hosts that a login may be redirected to, besides the platform's own."""
    credentials: Credentials = Credentials()
    pass_ticket: str = ""
    user_id: str = ""
    """Id of the account; empty without a login."""
    nickname: str = ""
    jar: Jar = Jar()
    fetch_key: SyncKey = SyncKey()
    """Sync key for the next webwxsync."""
    check_key: SyncKey = SyncKey()
    """Sync key for the next synccheck."""
    last_client_id: int = 0
    """Highest id reserved for sends; ids only increase."""
    invite_start_count: int = 40
    """Number of members from which people are invited to a chatroom instead of added; sent by the server."""
    clock_skew: float = 0.0
    """Seconds by which the server's clock is ahead of ours, according to its answers."""

    def rebased(self, before: Login, onto: Login) -> Login:
        """
        Return `onto` with the changes made here since `before`.

        So two processes can change different parts of one saved login without undoing each other's changes.
        """
        if onto is before:
            return self
        changed = {
            name: value for name in self.__struct_fields__ if (value := getattr(self, name)) != getattr(before, name)
        }
        changed["jar"] = self.jar.rebased(before.jar, onto.jar)
        changed["last_client_id"] = max(self.last_client_id, onto.last_client_id)
        return msgspec.structs.replace(onto, **changed)

    def __repr__(self) -> str:
        return f"Login({self.profile_name}, {'logged in' if self.user_id else 'blank'})"

    @property
    def profile(self) -> Profile:
        """Profile of the client."""
        return PROFILES[self.profile_name]

    def require(self) -> None:
        """
        Check that this login has an account.

        Raises:
            NotLoggedIn: The login has no account.
        """
        if not self.user_id:
            raise NotLoggedIn("There is no login; log in first.")

    @property
    def account(self) -> Account:
        """
        The account that is logged in.

        Raises:
            NotLoggedIn: There is no login.
        """
        self.require()
        return Account(
            id=ContactId(self.user_id),
            nickname=self.nickname,
            uin=int(self.credentials.uin),
            host=self.profile_name,
        )


_HALVES = {(True, True): "█", (True, False): "▀", (False, True): "▄", (False, False): " "}
"""Characters for two modules of the code, the upper one first, by whether each is dark."""

# Of the 256 colours, for terminals have their own idea of the first sixteen.
_BLACK_ON_WHITE, _WHITE_ON_BLACK, _OWN_COLORS = "\x1b[38;5;16;48;5;231m", "\x1b[38;5;231;48;5;16m", "\x1b[0m"


class QrCode(msgspec.Struct, frozen=True, kw_only=True):
    """
    A login code to scan with the phone.

    `str()` draws it for a terminal, black on white, so `show_qr=print` is enough for a script. Any phone that scans the
    code can confirm a login here, so it is shown and never logged.
    """

    url: str
    """Address inside the code."""

    def __repr__(self) -> str:
        return "QrCode(***)"

    def __str__(self) -> str:
        return self.text()

    def text(self, *, colors: bool = True, inverted: bool = False) -> str:
        """
        Draw the code as text, followed by its address.

        Args:
            colors: Use black on white, independent of the terminal's colours. Without colours the drawing is for a dark
                terminal.
            inverted: Swap the two: white on black or, without colours, a drawing for a light terminal.
        """
        import segno

        rows = [[bool(module) for module in row] for row in segno.make(self.url, micro=False).matrix_iter(border=4)]
        is_ink_dark = colors or inverted  # else the ink is the terminal's own, which is light
        rows += [[not is_ink_dark] * len(rows[0])] * (len(rows) % 2)
        lines = (
            "".join(_HALVES[top == is_ink_dark, below == is_ink_dark] for top, below in zip(upper, lower, strict=True))
            for upper, lower in zip(rows[::2], rows[1::2], strict=True)
        )
        if colors:
            paint = _WHITE_ON_BLACK if inverted else _BLACK_ON_WHITE
            lines = (f"{paint}{line}{_OWN_COLORS}" for line in lines)
        return "\n".join([*lines, self.url])

    def svg(self) -> str:
        """Draw the code as an SVG picture."""
        import io

        import segno

        drawn = io.BytesIO()
        segno.make(self.url, micro=False).save(drawn, kind="svg", scale=8, xmldecl=False)
        return drawn.getvalue().decode()

    def png(self) -> bytes:
        """Draw the code as a PNG picture."""
        import io

        import segno

        drawn = io.BytesIO()
        segno.make(self.url, micro=False).save(drawn, kind="png", scale=8)
        return drawn.getvalue()
