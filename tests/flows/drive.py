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
    Send these answers to a flow in order, and return its result and its requests. The flow must use all answers.

    A pause is in the list of requests, and uses no answer.
    """
    steps: list[Any] = []
    left = list(answers)
    try:
        steps.append(next(flow))
        while left or isinstance(steps[-1], Pause):
            answer = None if isinstance(steps[-1], Pause) else left.pop(0)
            steps.append(flow.throw(answer) if isinstance(answer, Exception) else flow.send(answer))
    except StopIteration as end:
        assert not left, "the flow ended before it used all answers"
        return end.value, steps
    raise AssertionError(f"the flow wants an answer to {steps[-1]!r}")


def reply(endpoint: Endpoint[Any, Any], **fields: Any) -> Response:
    """Return an encoded answer of an endpoint; fields that are not given are empty, except the id of a sent message."""
    if issubclass(endpoint.reply, SendReply):
        fields.setdefault("msg_id", "2900000000000000001")
    response: Response = endpoint.encode_reply(endpoint.reply(**fields))
    return response


def refusal(ret: int, message: str = "") -> Response:
    """Return the answer to a JSON call that was refused."""
    return Response(body=f'{{"BaseResponse":{{"Ret":{ret},"ErrMsg":"{message}"}}}}'.encode())
