"""Run a flow by hand: return its requests and send it responses."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

from webwx.protocol.http import Pause, Response
from webwx.protocol.messages import SendReply

if TYPE_CHECKING:
    from webwx.flows.call import Flow
    from webwx.protocol.endpoint import Endpoint

T = TypeVar("T")


def drive(flow: Flow[T], *answers: Response | bytes | Exception) -> tuple[T, list[Any]]:
    """
    Tell a flow these answers, in order, and give its result and what it asked for. It must want them all.

    A pause is among what it asked for, and no answer to it.
    """
    steps: list[Any] = []
    left = list(answers)
    try:
        steps.append(next(flow))
        while left or isinstance(steps[-1], Pause):
            answer = None if isinstance(steps[-1], Pause) else left.pop(0)
            steps.append(flow.throw(answer) if isinstance(answer, Exception) else flow.send(answer))
    except StopIteration as end:
        assert not left, "the flow ended before it was told everything"
        return end.value, steps
    raise AssertionError(f"the flow wants an answer to {steps[-1]!r}")


def reply(endpoint: Endpoint[Any, Any], **fields: Any) -> Response:
    """Write an answer of an endpoint; what is not named is empty, but for the id of a message that was sent."""
    if issubclass(endpoint.reply, SendReply):
        fields.setdefault("msg_id", "2900000000000000001")
    response: Response = endpoint.encode_reply(endpoint.reply(**fields))
    return response


def refusal(ret: int, message: str = "") -> Response:
    """Write the answer of a JSON call that was refused."""
    return Response(body=f'{{"BaseResponse":{{"Ret":{ret},"ErrMsg":"{message}"}}}}'.encode())
