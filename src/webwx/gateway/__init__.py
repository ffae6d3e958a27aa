"""
One HTTP and WebSocket API for several accounts: what `webwx serve` runs.

Handlers (`api`) use a port (`port`); `local` implements it with clients in this process. Requests pass the checks of
`front` and `auth` before they reach a handler, and every error leaves as a problem of RFC 9457 (`problems`).
"""
