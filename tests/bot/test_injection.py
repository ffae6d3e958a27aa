"""Values for the parameters of handlers, middleware, timers and on_error functions."""

from __future__ import annotations

import typing
from collections.abc import AsyncIterator, Iterator  # The bot reads these annotations at run time.
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING, Any, Protocol

import pytest
from tests.bot.conftest import running, until

from webwx.bot.bot import Bot, check
from webwx.bot.injection import CallScope
from webwx.bot.router import Router
from webwx.client.client import AsyncClient
from webwx.model.messages import Event, TextMessage

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from tests.bot.conftest import OpenClient

    from webwx.bot.context import Context
    from webwx.bot.sync_context import SyncContext
    from webwx.sandbox.world import World


class Shop:
    """A value of a program."""

    def __init__(self, name: str = "shop") -> None:
        self.name = name


class CornerShop(Shop):
    """A value with a subtype."""


class Named(Protocol):
    """A protocol with an attribute."""

    name: str


@typing.runtime_checkable
class Closing(Protocol):
    """A protocol with a method."""

    def close(self) -> None: ...


class Door:
    """A value that fits a protocol."""

    def close(self) -> None:
        raise AssertionError


async def values_of(router: Router, function: Callable[..., object]) -> dict[str, object]:
    """Return the injected arguments of a function; without those of the context."""
    plan = router.plan_call(function)
    assert plan is not None
    context: Any = None
    async with CallScope(context) as scope:
        return await scope.arguments(plan, context)
    raise AssertionError  # No value's end suppresses an exception.


class TestChoice:
    async def test_value_is_found_by_name_before_type(self) -> None:
        def handler(ctx: Context, event: Event, *, shop: Shop, other: CornerShop) -> None:
            raise AssertionError

        router, corner, named = Router(), CornerShop(), Shop("named")
        router.provide(corner, shop=named)
        assert await values_of(router, handler) == {"shop": named, "other": corner}

    async def test_annotation_matches_a_subtype_an_optional_type_and_a_protocol(self) -> None:
        def handler(
            ctx: Context, event: Event, *, a: Shop, b: Shop | None, c: typing.Optional[Shop], d: Closing  # noqa: UP045 - the older form
        ) -> None:  # fmt: skip
            raise AssertionError

        router, corner, door = Router(), CornerShop(), Door()
        router.provide(corner, door)
        assert await values_of(router, handler) == {"a": corner, "b": corner, "c": corner, "d": door}

    async def test_exact_type_comes_before_a_subtype(self) -> None:
        def handler(ctx: Context, event: Event, *, any_shop: Shop) -> None:
            raise AssertionError

        router, shop = Router(), Shop()
        router.provide(CornerShop(), shop)
        assert await values_of(router, handler) == {"any_shop": shop}

    async def test_values_of_an_included_router_come_before_those_of_the_outer_one(self) -> None:
        bot, inner = Bot(), Router()
        bot.include(inner)
        bot.provide(name="outer", only_outer="outer")
        inner.provide(name="inner")

        @inner.on(TextMessage)
        async def in_inner(ctx: Context, event: TextMessage, *, name: str, only_outer: str) -> None:
            raise AssertionError

        @bot.on(TextMessage)
        async def in_outer(ctx: Context, event: TextMessage, *, name: str) -> None:
            raise AssertionError

        plans = {
            handler.name.rpartition(".")[2]: call.plan.values for handler, call in bot.handler_calls() if call.plan
        }
        assert plans == {
            "in_inner": {"name": "inner", "only_outer": "outer"},
            "in_outer": {"name": "outer"},
        }

    async def test_parameter_with_a_default_keeps_it_if_nothing_provides_the_parameter(self) -> None:
        def handler(ctx: Context, event: Event, *, shop: Shop | None = None, currency: str = "CNY") -> None:
            raise AssertionError

        router = Router()
        router.provide(currency="EUR")
        assert await values_of(router, handler) == {"currency": "EUR"}

    def test_parameter_that_nothing_provides_is_an_error_that_names_it_and_the_handler(self) -> None:
        bot, router = Bot(), Router()
        bot.include(router)

        @router.on(TextMessage)
        async def buy(ctx: Context, event: TextMessage, *, shop: Shop) -> None:
            raise AssertionError

        with pytest.raises(
            TypeError,
            match=r"No value is provided for the parameter 'shop' of .*buy at test_inj.*; call provide\(shop=…\)",
        ):
            check(bot)

    @pytest.mark.parametrize("where", ["middleware", "on_error", "timer"])
    def test_other_functions_are_checked_at_the_start_as_well(self, where: str) -> None:
        bot = Bot()

        async def middleware(ctx: Context, event: Event, proceed: object, *, shop: Shop) -> None:
            raise AssertionError

        def on_error(ctx: SyncContext, event: Event, error: Exception, *, shop: Shop) -> None:
            raise AssertionError

        def timer(ctx: SyncContext, *, shop: Shop) -> None:
            raise AssertionError

        match where:
            case "middleware":
                bot.middleware(middleware)
            case "on_error":
                bot.on_error(on_error)
            case _:
                bot.every(minutes=5)(timer)
        with pytest.raises(TypeError, match=f"No value is provided for the parameter 'shop' of .*{where}"):
            check(bot)

    def test_two_values_of_a_type_are_an_error(self) -> None:
        def handler(ctx: Context, event: Event, *, any_shop: Shop) -> None:
            raise AssertionError

        router = Router()
        router.provide(CornerShop(), CornerShop())
        with pytest.raises(TypeError, match=r"2 values have the type Shop of the parameter 'any_shop'"):
            router.plan_call(handler)

    @pytest.mark.parametrize("annotation", ["Named", "Missing", "str", "Shop | CornerShop", "object"])
    def test_annotation_that_names_no_checkable_class_finds_nothing(self, annotation: str) -> None:
        def handler(ctx: Context, event: Event, *, value: Any) -> None:
            raise AssertionError

        handler.__annotations__["value"] = annotation
        router = Router()
        router.provide(Shop(), text="a text")
        with pytest.raises(TypeError, match="No value is provided"):
            router.plan_call(handler)

    def test_parameter_without_an_annotation_is_found_by_name_only(self) -> None:
        def handler(ctx, event, *, value):  # type: ignore[no-untyped-def]  # as many would write it
            raise AssertionError

        router = Router()
        router.provide(Shop())
        with pytest.raises(TypeError, match="No value is provided"):
            router.plan_call(handler)

    async def test_partial_function_and_object_are_resolved_in_their_module(self) -> None:
        def handler(number: int, ctx: Context, event: Event, *, any_shop: Shop) -> None:
            raise AssertionError

        class Callable:
            def __call__(self, ctx: Context, event: Event, *, any_shop: Shop) -> None:
                raise AssertionError

        router, shop = Router(), Shop()
        router.provide(shop)
        assert await values_of(router, partial(handler, 1)) == {"any_shop": shop}
        assert await values_of(router, Callable()) == {"any_shop": shop}

    @pytest.mark.parametrize("value", ["a text", 5, [], Shop, len, None], ids=repr)
    def test_value_of_a_general_type_needs_a_name(self, value: object) -> None:
        with pytest.raises(TypeError, match=r"by its type; give it a name"):
            Router().provide(value)

    def test_a_name_can_be_provided_once(self) -> None:
        router = Router()
        router.provide(shop=Shop())
        with pytest.raises(ValueError, match="provides shop already"):
            router.provide(shop=Shop())


class TestFactories:
    async def test_factory_is_called_for_each_call_and_once_in_it(self) -> None:
        router, made = Router(), list[Shop]()

        @router.provider
        def shop() -> Shop:
            made.append(Shop())
            return made[-1]

        def handler(ctx: Context, event: Event, *, shop: object, by_type: Shop) -> None:
            raise AssertionError

        for _ in range(2):
            assert await values_of(router, handler) == {"shop": made[-1], "by_type": made[-1]}
        assert len(made) == 2

    async def test_class_is_a_factory_of_its_type(self) -> None:
        def handler(ctx: Context, event: Event, *, any_shop: Shop) -> None:
            raise AssertionError

        router = Router()
        router.provider(CornerShop)
        assert isinstance((await values_of(router, handler))["any_shop"], CornerShop)

    def test_factory_that_wants_more_than_a_context_is_refused(self) -> None:
        def shop(ctx: Context, name: str) -> Shop:
            raise AssertionError

        with pytest.raises(TypeError, match=r"called with a context, or without arguments; .*shop does not take 1 arg"):
            Router().provider(shop)

    async def test_asynchronous_factory_gets_the_context(self, open_client: OpenClient, world: World) -> None:
        received: list[str] = []
        async with open_client() as client:
            bot = Bot(client=client)

            @bot.provider
            async def loud(ctx: Context) -> str:
                assert isinstance(ctx.event, TextMessage)
                return ctx.event.text.upper()

            @bot.on(TextMessage)
            async def handler(ctx: Context, message: TextMessage, *, loud: str) -> None:
                received.append(loud)

            async with running(bot, client):
                world.say("ahua", "me", "hey")
                await until(lambda: received == ["HEY"])

    @pytest.mark.parametrize("is_asynchronous", [False, True])
    async def test_the_code_after_yield_runs_after_the_handler_and_gets_its_failure(
        self, open_client: OpenClient, world: World, is_asynchronous: bool
    ) -> None:
        steps: list[str] = []

        @contextmanager
        def noting() -> Iterator[None]:
            steps.append("open")
            try:
                yield
            except ZeroDivisionError:
                steps.append("undo")
                raise
            steps.append("close")

        async with open_client() as client:
            bot = Bot(client=client, attempts=1)

            def opened_shop() -> Iterator[Shop]:
                with noting():
                    yield Shop()

            async def opened_shop_later() -> AsyncIterator[Shop]:
                with noting():
                    yield Shop()

            bot.provider(opened_shop_later if is_asynchronous else opened_shop)

            @bot.on(TextMessage)
            async def handler(ctx: Context, message: TextMessage, *, opened: Shop) -> None:
                steps.append(f"{message.text} in {opened.name}")
                if message.text == "fail":
                    raise ZeroDivisionError

            async with running(bot, client):
                world.say("ahua", "me", "work")
                await until(lambda: "close" in steps)
                world.say("ahua", "me", "fail")
                await until(lambda: bot.counts.dead == 1)
        assert steps == ["open", "work in shop", "close", "open", "fail in shop", "undo"]


class TestCalls:
    async def test_client_is_injected_by_name_and_by_type(self, open_client: OpenClient, world: World) -> None:
        seen: list[object] = []
        async with open_client() as client:
            bot = Bot(client=client)

            @bot.on(TextMessage, text="async")
            async def handler(ctx: Context, message: TextMessage, *, client: object, sdk: AsyncClient) -> None:
                seen.extend((client, sdk))

            @bot.on(TextMessage)
            def plain(ctx: SyncContext, message: TextMessage, *, sdk: AsyncClient, name: str = "default") -> None:
                seen.extend((sdk, name))

            async with running(bot, client):
                world.say("ahua", "me", "async")
                world.say("ahua", "me", "plain")
                await until(lambda: len(seen) == 4)
            assert seen == [client, client, client, "default"]

    async def test_value_provided_as_client_replaces_the_contexts_own(self) -> None:
        def handler(ctx: Context, event: Event, *, client: Shop) -> None:
            raise AssertionError

        router, shop = Router(), Shop()
        router.provide(client=shop)
        assert await values_of(router, handler) == {"client": shop}

    async def test_middleware_and_handler_share_a_value_which_is_not_made_for_a_refused_event(
        self, open_client: OpenClient, world: World
    ) -> None:
        made, seen = list[Shop](), list[object]()
        async with open_client() as client:
            bot = Bot(client=client, time_limit=60)

            @bot.provider
            def shop() -> Shop:
                made.append(Shop())
                return made[-1]

            bot.provide(closed="closed")

            @bot.middleware
            async def only_open(
                ctx: Context, event: Event, proceed: Callable[[], Awaitable[object]], *, closed: str
            ) -> None:
                assert isinstance(event, TextMessage)
                seen.append(event.text)
                if event.text != closed:
                    await proceed()

            @bot.middleware
            async def with_shop(
                ctx: Context, event: Event, proceed: Callable[[], Awaitable[object]], *, shop: Shop
            ) -> None:
                seen.append(shop)
                await proceed()

            @bot.on(TextMessage)
            async def handler(ctx: Context, message: TextMessage, *, any_shop: Shop) -> None:
                seen.append(any_shop)

            async with running(bot, client):
                world.say("ahua", "me", "closed")
                world.say("ahua", "me", "open")
                await until(lambda: len(seen) == 4)
        assert seen == ["closed", "open", made[0], made[0]]
        assert len(made) == 1

    async def test_plain_handler_and_on_error_function_get_values(self, open_client: OpenClient, world: World) -> None:
        seen: list[object] = []
        async with open_client() as client:
            bot, shop = Bot(client=client, attempts=1), Shop()
            bot.provide(shop)

            @bot.on(TextMessage)
            def handler(ctx: SyncContext, message: TextMessage, *, any_shop: Shop) -> None:
                seen.append(any_shop)
                raise ZeroDivisionError

            @bot.on_error
            def failed(ctx: SyncContext, event: Event, error: BaseException, *, any_shop: Shop) -> None:
                seen.extend((any_shop, type(error)))

            async with running(bot, client):
                world.say("ahua", "me", "hey")
                await until(lambda: len(seen) == 3)
        assert seen == [shop, shop, ZeroDivisionError]

    async def test_timer_gets_values(self, open_client: OpenClient, world: World) -> None:
        seen: list[object] = []
        async with open_client() as client:
            bot, shop = Bot(client=client), Shop()
            bot.provide(shop)

            @bot.every(seconds=1)
            async def tick(ctx: Context, *, any_shop: Shop, client: AsyncClient) -> None:
                seen.append((any_shop, client))

            async with running(bot, client):
                await until(lambda: seen == [(shop, client)])
