"""The summaries of the commands, which the help and the completion show."""

# Written by `make messages` from the docstrings of the commands; do not edit.

from __future__ import annotations

from webwx.cli.language import N_

SUMMARIES = {
    "demo": N_("Show the main features against a server in this process."),
    "sandbox": N_("Run a server of the protocol on this machine."),
    "phone": N_("Control the phones of a running sandbox."),
    "proxy": N_("Inject faults between a client and a sandbox."),
    "login": N_("Log in with a QR code, or restore the saved login."),
    "status": N_("Show whether the saved login is valid."),
    "logout": N_("Log out and delete the saved login."),
    "accounts": N_("List the saved logins of this machine or of the database."),
    "contacts": N_("List friends, chatrooms and official accounts."),
    "identity": N_("Recognise people and chatrooms across logins."),
    "chats": N_("List recent chats, newest first."),
    "articles": N_("List the latest articles of official accounts that you follow."),
    "chatroom": N_("Create chatrooms and manage their members."),
    "friend": N_("Send and accept friend requests."),
    "remark": N_("Set your own name for WHO; an empty TEXT removes it."),
    "pin": N_("Pin the chat with WHO to the top of the list, on all devices."),
    "send": N_("Send a text, a picture or any file, and print the receipt."),
    "push": N_("Send a notification to your own phone."),
    "receive": N_("Save received files, pictures and other media."),
    "listen": N_("Print messages and recalls as they arrive."),
    "history": N_("Print past messages, oldest first."),
    "search": N_("Find messages that contain all WORDS."),
    "read": N_("Mark a chat as read, on the phone too."),
    "recall": N_("Recall a message sent less than two minutes ago."),
    "recalled": N_("List recalled messages and whether they can be forwarded."),
    "forward": N_("Forward a received message, even if it was recalled."),
    "outbox": N_("List sends and their states."),
    "new": N_("Create a folder with a bot and its tests."),
    "run": N_("Run the bots of a Python file."),
    "serve": N_("Serve all accounts of this machine to other programs, over HTTP."),
    "mcp": N_("Connect an AI agent to your chats (MCP)."),
    "worker": N_("Run accounts of a database that several machines share."),
    "cluster": N_("Show and control the workers of a shared database."),
    "journal": N_("Count, check, export, copy, back up and delete stored messages."),
    "storage": N_("Migrate the tables of a database."),
    "config": N_("Show the settings and where each one comes from."),
    "completion": N_("Print a shell script that completes webwx commands."),
    "doctor": N_("Print the facts for a bug report, without private data."),
    "help": N_("Show the help of a command or about a topic."),
}
"""The first line of the docstring of each command, by its name."""
