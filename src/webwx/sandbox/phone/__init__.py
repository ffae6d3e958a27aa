"""
The phone in the browser.

`pages` serves the files, `live` talks to an open page, `updates` holds the messages that are pushed to it, and `screen`
computes what one person's phone shows. The page acts through the control API, as every phone action does.
"""
