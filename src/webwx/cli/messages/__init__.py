"""Commands for messages: send, receive, read, recall and search."""
