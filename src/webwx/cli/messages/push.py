"""`webwx push`: a notification to your own phone, written like the gateway's receivers write theirs."""

from __future__ import annotations

import io

import click

from webwx.cli.exits import BadInput
from webwx.cli.language import _
from webwx.cli.messages.messages import report_sent
from webwx.cli.messages.owner_sends import refuse_files, send_text
from webwx.cli.messages.shown_events import name_of
from webwx.cli.options import FreeTextCommand
from webwx.cli.session import Session, checked_text, command, read_text
from webwx.gateway.notify.message import compose
from webwx.gateway.notify.notification import Notification, Severity
from webwx.gateway.notify.render import Rendered, markdown_text
from webwx.installation import install_command
from webwx.model.contacts import FILEHELPER
from webwx.protocol.codec import clean_text

_SEVERITIES = {
    "critical": Severity.CRITICAL,
    "warning": Severity.WARNING,
    "info": Severity.INFORMATION,
    "good": Severity.GOOD,
}


@command(
    "push",
    cls=FreeTextCommand,
    examples=(
        'webwx push "the backup is done"',
        'webwx push "disk at 95 %" --title db1 --severity critical',
        "webwx push --markdown < report.md",
        'make || webwx push "the build failed" --severity warning',
    ),
)
@click.argument("words", nargs=-1, metavar="[TEXT]")
@click.option("--title", default="", help="First line.")
@click.option("--severity", type=click.Choice(list(_SEVERITIES)), help="Sign in front of the first line.")
@click.option("--markdown", "is_markdown", is_flag=True, help="The text is Markdown; it becomes readable plain text.")
@click.option("--key", metavar="NAME", default="", help="Idempotency key: a push with the same key is not repeated.")
async def push(
    session: Session, words: tuple[str, ...], title: str, severity: str | None, is_markdown: bool, key: str
) -> None:
    """
    Send a notification to your own phone.

    Without TEXT, the text is read from stdin. A text of more than 16,000 characters is shortened, and the whole text
    follows as the file message.txt.
    """
    if len(words) > 1:
        raise click.UsageError(_("Pass one TEXT, in quotes if it has spaces, or pass the text on stdin"))
    text = checked_text(words[0], "TEXT") if words else await read_text(session.output)
    rendered = _rendered(text) if is_markdown else Rendered(text=text)
    message = compose(
        Notification(
            title=checked_text(title, "--title"),
            text=rendered.text,
            severity=_SEVERITIES[severity] if severity else Severity.NONE,
            files=rendered.pictures,
        )
    )
    if not message.text.strip():
        raise BadInput(_("The text is empty; pass a text to send."))
    key = clean_text(key)
    async with session.logged_in() as client:
        if message.files:
            await refuse_files(session.settings, client)
        receipt = await send_text(session.settings, client, FILEHELPER, message.text, key=key)
        for number, file in enumerate(message.files):
            file_key = f"{key}-file-{number}" if key else ""
            await client.send_file(FILEHELPER, io.BytesIO(file.content), name=file.name, key=file_key)
        report_sent(session, receipt, name_of(client.contacts, receipt.chat))


def _rendered(text: str) -> Rendered:
    try:
        return markdown_text(text)
    except ImportError:
        message = _("--markdown needs more packages: {command}.")
        raise BadInput(message.format(command=install_command("gateway"))) from None
