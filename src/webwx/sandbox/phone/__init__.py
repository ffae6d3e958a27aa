"""
The phone in the browser: a page, what it is told, and the connection that tells it.

`pages` answers what a browser loads, `live` speaks with an open page, `feeds` lists what is told there, and `screen`
says what one person's phone shows. What the page does goes through the control API, as every phone action does.
"""
