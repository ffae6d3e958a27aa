"""
The client to await: verbs for one account.

Each verb drives a flow with what a flow may not have: the time, the next id, files, and the account's cell. Nothing is
sent before the arguments are known to be good, and no verb repeats a send of its own accord. The verbs of a topic live
in the module of that name.
"""

from __future__ import annotations

from webwx.client.chatrooms import ChatroomVerbs
from webwx.client.dead_letters import DeadLetterVerbs
from webwx.client.forward import ForwardVerbs
from webwx.client.login import LoginVerbs
from webwx.client.messages import MessageVerbs
from webwx.client.recalled import RecalledVerbs


class AsyncClient(LoginVerbs, MessageVerbs, ForwardVerbs, RecalledVerbs, ChatroomVerbs, DeadLetterVerbs):
    """
    A client of one account.

    Args:
        host: Where to log in: `filehelper` (File Transfer Helper web, open to every account), `web`, `desktop`, or the
            name of an API host such as `wx2.qq.com`. Default: `filehelper`, or `web` when a server is given.
        server: Origin of a server that plays all hosts, such as a sandbox's `http://127.0.0.1:8790`.
        store: Where the login is kept; default: in memory.
        transport: What carries the requests; default: real HTTP.
        timeouts: How long to wait, for the default transport.
        clock: Seconds since 1970.
        proxy: Address of a proxy for the default transport; none of the environment is used.
        ca_file: Certificates to trust in place of the system's, for the default transport.
        allowed_hosts: API hosts a login may be sent on to beside the platform's own, such as `wx9.qq.com`.
        desktop: What host `desktop` needs for its login; not used elsewhere.
        on_logged_out: Called once when the platform ends the login, with the reason; it must not call verbs itself.
        on_state: Called with each change of `state`, and when a login has to be tried again; it must not call verbs
            itself. Default: it is logged.
        journal: Where what arrives and what is sent is kept: the path of a file, which this client opens and closes, or
            a journal for as many clients as you like, to be closed after them.
        keep: Which media are fetched as they arrive and kept beside the journal, against recalls; default: none.
        dedupe_by_client_id: Repeat a send whose answer was lost, up to three times with the same client id. Only for a
            server that is known to deliver such a repeat once; nobody knows that of the platform.
        pace: How fast the account may act, with all processes that share the journal; default: whatever is called
            leaves at once, and what the platform refuses as too often is raised.
        on_wait: Called with the seconds and the reason, `pace` or `refused`, when something has to wait for the pace.

    Raises:
        NotOnThisHost: There is no such host, or the server is no address.
        InvalidSettings: The proxy is no address.
        NoJournal: Media are to be kept, and there is no journal to keep them beside.
    """
