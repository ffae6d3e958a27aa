"""
Dispatch: call the handler of each event that comes from the chat queues.

The handler is called inside the middleware. An error is reported to the `on_error` functions before the chat queue
counts the failed attempt. There is no task per event.
"""

from __future__ import annotations

import asyncio
import logging
from functools import partial
from typing import TYPE_CHECKING, cast

import msgspec

from webwx.bot.arguments import WrongArguments
from webwx.bot.chat_queues import is_last_attempt
from webwx.bot.commands import DEFAULT_COMMANDS, CommandAnswers, CommandParser
from webwx.bot.context import Context
from webwx.bot.event_log import EventLog
from webwx.bot.http_handlers import HttpRoutes, InvalidBody, response_of
from webwx.bot.injection import CallScope
from webwx.bot.log_fields import bind, log_fields, unbind
from webwx.bot.loop_guard import LoopGuard
from webwx.bot.router import Routes, make_help
from webwx.bot.signatures import name_of
from webwx.bot.sync_context import SyncContext
from webwx.bot.threads import Threads, check_result, is_asynchronous
from webwx.client.state import LoginState
from webwx.errors import InvalidRequest, NoAnswer, ReplyLimitReached, UnknownContact
from webwx.model.contacts import FILEHELPER
from webwx.model.events import StateTimedOut
from webwx.model.messages import Event, Message, MessageRecalled, TextMessage

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from webwx.bot.chat_queues import ChatQueues
    from webwx.bot.commands import Command, Commands
    from webwx.bot.conversations import Conversations, ConversationTransaction
    from webwx.bot.failures import FailureReports
    from webwx.bot.handler_calls import HandlerCall, Proceed
    from webwx.bot.http_handlers import HttpRequest, HttpResponse
    from webwx.bot.injection import CallPlan
    from webwx.bot.one_shot_timers import OneShotHandler, OneShotTimers
    from webwx.bot.router import Handler, Router
    from webwx.bot.running_accounts import RunningAccounts
    from webwx.bot.timers import Timer
    from webwx.bot.unknown_sends import UnknownSends
    from webwx.bot.unsent_replies import UnsentReplies
    from webwx.client.client import AsyncClient
    from webwx.client.reading.delivered import Delivered
    from webwx.errors import LoggedOut
    from webwx.model.contacts import ContactId
    from webwx.model.events import LoopDetected
    from webwx.storage.tables.conversations import ConversationRow
    from webwx.storage.tables.outbox import Outgoing
    from webwx.storage.tables.timers import StoredTimer

_log = logging.getLogger("webwx.bot")


class Listeners:
    """Functions of a bot that are called in addition to its handlers."""

    def __init__(self) -> None:
        self.on_error: list[Callable[..., object]] = []
        self.on_logged_out: list[Callable[..., object]] = []
        self.on_send_changed: list[Callable[..., object]] = []


class Dispatch:
    """
    Calls the handlers of one bot for the events of one client.

    Args:
        name: The bot's name.
        client: The client, which is logged in.
        conversations: The bot's conversations.
        router: The bot's handlers.
        listeners: Functions to call in addition to the handlers.
        commands: Prefixes of commands, and where the bot answers with usage and help.
        accounts: The accounts of this process.
        threads: Maximum number of plain functions that run at the same time.
        attempts: Number of attempts after which an event becomes a dead letter.
        time_limit: Seconds after which an asynchronous handler is cancelled.
        replies_per_minute: Replies in one chat within a minute that the loop guard allows; 0: no limit.
        unknown_sends: Counts sends with an unknown outcome as made; None: they raise `SendOutcomeUnknown`.
        debug: Log each event.
        reports: Texts about failures.
    """

    def __init__(
        self,
        name: str,
        client: AsyncClient,
        conversations: Conversations,
        router: Router,
        listeners: Listeners,
        *,
        commands: Commands = DEFAULT_COMMANDS,
        accounts: RunningAccounts | None = None,
        threads: int,
        attempts: int,
        time_limit: float | None,
        replies_per_minute: int,
        unknown_sends: UnknownSends | None = None,
        debug: bool = False,
        reports: FailureReports,
    ) -> None:
        self._name = name
        self._client = client
        self._router = router
        self._accounts = accounts
        self._conversations = conversations
        handlers = tuple(router.handlers())
        self._command_parser = CommandParser(commands.all_prefixes) if any(each.command for each in handlers) else None
        """Parser of commands; None if no handler has a command."""
        self._answers = CommandAnswers(commands)
        self._http_routes = HttpRoutes(router.http_handlers())
        self._routes = Routes((*make_help(handlers, commands.help_names, self._answers), *handlers))
        self._around = router.surroundings()
        """Middleware and error handlers of the bot itself."""
        self._calls = dict.fromkeys(self._routes.all, self._around) | dict(router.handler_calls())
        self._listeners = listeners
        self._pool = Threads(threads)
        self._attempts = attempts
        self._time_limit = time_limit
        self._direct = frozenset(
            each
            for each, call in self._calls.items()
            if each.is_direct and time_limit is None and not (call.middleware or call.error_handlers)
        )
        """Asynchronous handlers that are called directly, without middleware, error handlers and time limit."""
        self._loops: list[LoopDetected] = []
        """Loops that were detected during a call of a handler and are not reported yet."""
        self._loop_guard = LoopGuard(replies_per_minute, on_loop=self._loops.append)
        self._loop = asyncio.get_running_loop()
        self._unknown_sends = unknown_sends
        self._is_debug = debug
        self._reports = reports
        self._limits: dict[int, asyncio.Timeout] = {}
        """Time limits of the handlers that run, by the numbers of their events."""
        self.queues: ChatQueues | None = None
        """The chat queues of the present login."""
        self.unsent_replies: UnsentReplies | None = None
        """The replies of the present login that stay queued."""
        self.one_shot_timers: OneShotTimers | None = None
        """The one-shot timers of the present login."""

    def end(self) -> None:
        """Release the threads."""
        self._pool.end()

    # -- events ------------------------------------------------------------------------------------------------------

    async def handle(self, delivered: Delivered, attempt: int) -> bool:
        """
        Call the handler of an event.

        Returns:
            Whether the event was acknowledged already, in one transaction with the state.
        """
        event = delivered.event
        handlers = self._routes.of(type(event))
        if not (handlers or self._is_debug) or not self._loop_guard.allows(event):
            return False
        conversation = self._conversations.begin(event)
        context = Context(
            self._client, event, key=f"{self._name}/{event.number}", attempt=attempt,
            is_last_attempt=is_last_attempt(delivered.entry, attempt, self._attempts), _loop_guard=self._loop_guard,
            _accounts=self._accounts, _timers=self.one_shot_timers, _conversation=conversation, _ask=self._ask,
            _unknown_sends=self._unknown_sends, _unsent_replies=self.unsent_replies,
        )  # fmt: skip
        token = bind(self._name, event)
        try:
            await self._call_and_report(handlers, context, conversation)
            is_state_used = conversation.is_used
            if is_state_used:
                numbers = [delivered.entry.number] if self.queues is None else self.queues.numbers_with(delivered)
                conversation.commit(numbers)
        finally:
            unbind(token)
            conversation.end()
        while self._loops:
            await self._report_loop(self._loops.pop(), event.number)
        return is_state_used

    async def _call_and_report(
        self, handlers: tuple[Handler, ...], context: Context, conversation: ConversationTransaction
    ) -> bool:
        """Call the first handler that matches, report its error, and return whether one was called."""
        event = context.event
        log = EventLog(context, self._routes.all, self._loop.time()) if self._is_debug else None
        try:
            is_called = await self._call_first_match(handlers, context, log)
        except NoAnswer:
            conversation.roll_back()
            if log is not None:
                log.write(self._loop.time(), "got no answer")
            return True
        except ReplyLimitReached:
            conversation.roll_back()
            if log is not None:
                log.write(self._loop.time(), "stopped by the loop guard")
            return True
        except BaseException as error:
            if log is not None:
                log.write(self._loop.time(), "failed")
            if not _is_cancelled(error) and self._client.state is not LoginState.LOGGED_OUT:
                await self._report_error(context, event, error)
            raise
        if log is not None:
            log.write(self._loop.time())
        return is_called

    async def _call_first_match(
        self, handlers: tuple[Handler, ...], context: Context, log: EventLog | None = None
    ) -> bool:
        """Call the first handler that matches, and return whether it existed."""
        event = context.event
        is_own = getattr(event, "is_self", False)
        own = event if is_own and isinstance(event, (Message, MessageRecalled)) else None
        is_hidden = own is not None and own.chat != FILEHELPER  # there, messages from the phone are meant for the bot
        if self._command_parser is not None:
            context.command = self._command_parser.parse(self._client, event)
        for handler in handlers:
            if (is_hidden and not handler.takes_own) or not handler.matches(context):
                if log is not None:
                    is_own_refused = is_hidden and not handler.takes_own
                    log.did_not_match(
                        handler, "own= is not set" if is_own_refused else handler.reason_for_mismatch(context)
                    )
                continue
            if own is not None and await self._client.was_sent_here(own):
                if log is not None:
                    log.did_not_match(handler, "this program sent the message itself")
                return False
            if handler.has_async_filters and (reason_for_refusal := await handler.reason_for_refusal(context)):
                if log is not None:
                    log.did_not_match(handler, reason_for_refusal)
                continue
            if log is not None:
                log.chose(handler)
            context.key += f"/{handler.name}"
            if handler in self._direct:
                if (result := await handler.start(context)) is not None:
                    check_result(handler.function, result)
            else:
                await self._call(handler, context)
            return True
        return False

    async def _call(self, handler: Handler, context: Context) -> None:
        """Call a handler inside the middleware, and its error handler if it fails."""
        try:
            await self._call_in_time(handler, context)
        except BaseException as error:
            if not await self._handle_error(self._calls[handler], handler.name, context, context.event, error):
                raise

    async def _handle_error(
        self, call: HandlerCall, name: str, context: Context, event: Event | None, error: BaseException
    ) -> bool:
        """Call the first error handler that fits, and return whether there is one."""
        if _is_cancelled(error) or self._client.state is LoginState.LOGGED_OUT:
            return False
        found = next(((each, plan) for each, plan in call.error_handlers if each.handles(error)), None)
        if found is None:
            return False
        error_handler, plan = found
        if context._conversation is not None:
            context._conversation.roll_back()
        if self._is_debug:
            _log.info(
                "%s: %s handles an error of %s: %s", self._name, error_handler.name, name, self._reports.text(error),
                extra=log_fields(self._name),
            )  # fmt: skip
        own = msgspec.structs.replace(context, key=f"{context.key}/{error_handler.name}", _others=None, _ordinal=0)
        is_limited = is_asynchronous(error_handler.function)
        try:
            async with asyncio.timeout(self._time_limit if is_limited else None) as limit, CallScope(own) as scope:
                if event is not None:
                    self._limits[event.number] = limit  # a question pauses it
                await self._call_injected(scope, plan, error_handler.function, own, event, error)
        finally:
            if event is not None:
                self._limits.pop(event.number, None)
        return True

    async def _call_in_time(self, handler: Handler, context: Context) -> None:
        """Call a handler inside the middleware, an asynchronous one with the time limit."""
        proceed = self._inside_middleware(handler, context)
        if self._time_limit is None or handler.is_plain:
            await proceed()
            return
        try:
            async with asyncio.timeout(self._time_limit) as limit:
                self._limits[context.event.number] = limit
                await proceed()
        except TimeoutError as error:
            if limit.expired() and error.__cause__ is not None:
                error.with_traceback(error.__cause__.__traceback__)  # the handler's line, not that of the timeout
            raise
        finally:
            self._limits.pop(context.event.number, None)

    def _inside_middleware(self, handler: Handler, context: Context) -> Proceed:
        """Return the call of a handler inside the middleware."""
        call = self._calls[handler]
        if handler.command is not None or handler.answer is not None or call.is_injected:
            return partial(self._call_with_injected_values, handler, context)
        proceed = self._innermost(handler, context)
        for middleware, _ in reversed(call.middleware):
            proceed = partial(middleware, context, context.event, proceed)
        return proceed

    async def _call_with_injected_values(self, handler: Handler, context: Context) -> None:
        """Call a handler inside the middleware, with injected values for both or with the words of a command."""
        async with CallScope(context) as scope:
            plan, call_middleware, _ = self._calls[handler]
            proceed: Proceed
            if handler.command is not None:
                proceed = partial(self._call_command, scope, plan, handler, handler.command, context)
            elif handler.answer is not None:
                answer = handler.answer.convert(cast("TextMessage", context.event).text.strip())
                proceed = partial(self._call_injected, scope, plan, handler.function, context, context.event, answer)
            elif plan is not None:
                proceed = partial(self._call_injected, scope, plan, handler.function, context, context.event)
            else:
                proceed = self._innermost(handler, context)
            for middleware, its_plan in reversed(call_middleware):
                proceed = partial(self._call_injected, scope, its_plan, middleware, context, context.event, proceed)
            await proceed()

    def _innermost(self, handler: Handler, context: Context) -> Proceed:
        if handler.is_plain:
            return partial(self._pool.call, handler.function, SyncContext(context, self._loop), context.event)
        return partial(self._start, handler, context)

    async def _start(self, handler: Handler, context: Context) -> None:
        check_result(handler.function, await handler.start(context))

    async def _call_command(
        self, scope: CallScope, plan: CallPlan | None, handler: Handler, command: Command, context: Context
    ) -> None:
        """Call the handler of a command with the words of the text; answer the usage if they do not fit."""
        text = "" if context.command is None else context.command.text
        try:
            words = command.arguments.convert(text)
        except WrongArguments as error:
            await self._answers.answer_usage(context, command, error)
            return
        await self._call_injected(scope, plan, handler.function, context, context.event, *words)

    async def _call_injected(
        self,
        scope: CallScope,
        plan: CallPlan | None,
        function: Callable[..., object],
        context: Context,
        *arguments: object,
    ) -> object:
        """Call a function with a context, further arguments and its injected values, and return its result."""
        is_plain = not is_asynchronous(function)
        own_context = SyncContext(context, self._loop) if is_plain else context
        injected = {} if plan is None else await scope.arguments(plan, own_context)
        if is_plain:
            return await self._pool.call(function, own_context, *arguments, **injected)
        # An asynchronous function returns an awaitable.
        result = await cast("Awaitable[object]", function(own_context, *arguments, **injected))
        check_result(function, result)
        return result

    # -- questions ---------------------------------------------------------------------------------------------------

    async def _ask(
        self,
        event: Event,
        send: Callable[[], Awaitable[object]],
        timeout: float | None,  # noqa: ASYNC109 - a timeout of the answer
    ) -> TextMessage:
        """Send the question of an event's handler, and wait for the answer; the handler's time limit pauses."""
        if self.queues is None:
            raise InvalidRequest("The bot is not running, so it cannot ask a question.")
        return await self.queues.ask(event, send, self._is_answer, timeout, self._limits.get(event.number))

    async def _is_answer(self, event: Event) -> bool:
        """Return whether a text can be an answer, because this program did not send it."""
        return not (isinstance(event, Message) and event.is_self and await self._client.was_sent_here(event))

    # -- time-outs ---------------------------------------------------------------------------------------------------

    async def time_out(self, row: ConversationRow, attempt: int) -> None:
        """Call the handler of a conversation that has timed out; without a handler, end the conversation."""
        row = self._conversations.migrated(row)
        event = StateTimedOut(chat=await self._present_id(row.chat), step=row.step)
        conversation = self._conversations.begin(event, row.key)
        context = Context(
            self._client, event, key=f"{self._name}/timeout/{row.key}/{row.deadline or 0:.3f}", attempt=attempt,
            is_last_attempt=attempt >= self._attempts, _timers=self.one_shot_timers, _accounts=self._accounts,
            _conversation=conversation, _unknown_sends=self._unknown_sends, _unsent_replies=self.unsent_replies,
        )  # fmt: skip
        try:
            if (await conversation.row()).deadline != row.deadline:
                return  # the conversation has continued meanwhile
            if row.deadline is None:  # it has ended, because the program does not need its state any more
                await conversation.change(deadline=None)
            elif not await self._call_and_report(self._routes.of(StateTimedOut), context, conversation):
                await conversation.change(step="", values=b"")
            if (await conversation.row()).deadline == row.deadline:
                await conversation.change(deadline=None)
            conversation.commit([])
        finally:
            conversation.end()

    async def _present_id(self, chat: ContactId) -> ContactId:
        """Return the id of a chat in this login; the same id if it is not among the contacts."""
        try:
            return (await self._client.find_contact(chat)).id
        except UnknownContact:
            return chat

    # -- timers ------------------------------------------------------------------------------------------------------

    async def call_timer(self, timer: Timer, key: str) -> None:
        """Call a timer's handler."""
        context = self._context_without_event(key)
        await self._call_at_due_time(timer.handler, context)

    def _context_without_event(self, key: str) -> Context:
        return Context(
            self._client, Event(), key, _timers=self.one_shot_timers, _accounts=self._accounts,
            _unknown_sends=self._unknown_sends, _unsent_replies=self.unsent_replies,
        )  # fmt: skip

    async def call_one_shot(self, handler: OneShotHandler, timer: StoredTimer, chat: ContactId) -> None:
        """Call the handler of a one-shot timer, with its chat; an empty id for a timer without a chat."""
        attempt = timer.failures + 1
        context = Context(
            self._client, Event(), key=f"{self._name}/timer/{timer.number}", attempt=attempt,
            is_last_attempt=attempt >= self._attempts, _timers=self.one_shot_timers, _accounts=self._accounts,
            _timer_chat=chat, _unknown_sends=self._unknown_sends, _unsent_replies=self.unsent_replies,
        )  # fmt: skip
        await self._call_at_due_time(handler, context, timer.data)

    async def _call_at_due_time(self, handler: Callable[..., object], context: Context, *arguments: object) -> None:
        bind(self._name, context.event)  # for good: a timer's call is a task of its own
        try:
            await self._call_beside_handlers(handler, context, *arguments)
        except BaseException as error:
            if await self._handle_error(self._around, name_of(handler), context, None, error):
                return
            if not _is_cancelled(error) and self._client.state is not LoginState.LOGGED_OUT:
                await self._report_error(context, None, error)
            raise

    # -- requests ----------------------------------------------------------------------------------------------------

    async def answer_http(self, request: HttpRequest) -> HttpResponse:
        """
        Call the HTTP handler of a request, and return its answer. Its failure is logged, reported and raised.

        Raises:
            LookupError: No handler has this method and path.
            InvalidBody: The handler cannot use the body.
        """
        found = self._http_routes.find(request.method, request.path)
        if found is None:
            raise LookupError(f"The bot {self._name!r} has no handler for {request.method} {request.path}.")
        handler, plan = found
        key = f"{self._name}/http/{handler.name}/{request.key}"
        context = self._context_without_event(key)
        result: object = None
        try:
            async with asyncio.timeout(self._time_limit), CallScope(context) as scope:
                result = await self._call_injected(scope, plan, handler.function, context, request)
            return response_of(result)
        except InvalidBody:
            raise
        except BaseException as error:
            if not _is_cancelled(error):
                _log.error(
                    "%s: the HTTP handler %s failed: %s",
                    self._name, handler.name, self._reports.text(error),
                    extra=log_fields(self._name),
                )  # fmt: skip
                await self._report_error(context, None, error)
            raise

    # -- listeners ---------------------------------------------------------------------------------------------------

    async def report_log_out(self, reason: LoggedOut) -> None:
        """Report the end of the login to the `on_logged_out` functions."""
        for listener in self._listeners.on_logged_out:
            await self._call_and_log_errors(name_of(listener), partial(self._call_without_context, listener, reason))

    async def report_sends(self) -> None:
        """Report each changed send to the `on_send_changed` functions, until this is cancelled."""
        async for send in self._client.follow_sends():
            for listener in self._listeners.on_send_changed:
                await self._call_and_log_errors(name_of(listener), partial(self._call_without_context, listener, send))

    async def _report_loop(self, loop: LoopDetected, number: int) -> None:
        """Call the handler of `LoopDetected`, once, whether it fails or not."""
        event = msgspec.structs.replace(loop, number=number)
        conversation = self._conversations.begin(event)
        context = Context(
            self._client, event, key=f"{self._name}/{number}/loop", _accounts=self._accounts,
            _conversation=conversation, _unknown_sends=self._unknown_sends, _unsent_replies=self.unsent_replies,
        )  # fmt: skip

        async def call() -> None:
            await self._call_first_match(self._routes.of(type(event)), context)
            conversation.commit([])

        try:
            await self._call_and_log_errors("LoopDetected", call)
        finally:
            conversation.end()

    async def _report_error(self, context: Context, event: Event | None, error: BaseException) -> None:
        """Report a failed attempt to the `on_error` functions; keys of their sends contain the attempt."""
        for listener in self._listeners.on_error:
            name = name_of(listener)
            key = f"{context.key}/{name}/{context.attempt}"
            again = msgspec.structs.replace(
                context,
                key=key,
                match=None,
                _loop_guard=self._loop_guard,
                _conversation=None,
                _ask=None,
                _others=None,
                _ordinal=0,
            )
            await self._call_and_log_errors(name, partial(self._call_beside_handlers, listener, again, event, error))

    async def _call_and_log_errors(self, name: str, call: Callable[[], Awaitable[object]]) -> None:
        """Call a function that gets no second attempt, and log its error."""
        try:
            await call()
        except ReplyLimitReached:
            pass
        except BaseException as error:  # a cancellation that a listener raises is its failure, as for a handler
            if _is_cancelled(error):
                raise
            _log.error(
                "%s: %s failed: %s",
                self._name, name, self._reports.text(error),
                extra=log_fields(self._name),
            )  # fmt: skip

    async def _call_beside_handlers(
        self, function: Callable[..., object], context: Context, *arguments: object
    ) -> None:
        """Call a function other than a handler with a context, further arguments and its injected values."""
        plan = self._router.plan_call(function)
        async with CallScope(context) as scope:
            await self._call_injected(scope, plan, function, context, *arguments)

    async def _call_without_context(self, function: Callable[..., object], argument: LoggedOut | Outgoing) -> None:
        if is_asynchronous(function):
            await cast("Awaitable[object]", function(argument))  # an asynchronous function returns one
        else:
            await self._pool.call(function, argument)


def _is_cancelled(error: BaseException) -> bool:
    """
    Return whether an error ends the bot, instead of counting as a failure of the function that raised it.

    The count of cancellations alone does not tell it: a `TaskGroup` with a failed task may leave it above 0.
    """
    task = asyncio.current_task()
    return isinstance(error, KeyboardInterrupt) or (
        isinstance(error, asyncio.CancelledError) and task is not None and task.cancelling() > 0
    )
