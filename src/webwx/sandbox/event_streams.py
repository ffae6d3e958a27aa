"""The changes that web logins fetch: each is shown to a login in its own names, and ends its held poll."""

from __future__ import annotations

from typing import TYPE_CHECKING

from webwx.protocol.codes import Selector
from webwx.sandbox.view import View

if TYPE_CHECKING:
    from collections.abc import Callable

    from webwx.sandbox.people import WorldPerson
    from webwx.sandbox.population import Population
    from webwx.sandbox.stream import Item

_OF_CONTACTS = frozenset({Selector.CONTACT_ADDED, Selector.CONTACT_CHANGED})


class EventStreams:
    """The streams of all web logins of a population."""

    def __init__(self, population: Population) -> None:
        self._population = population

    def append(self, person: WorldPerson, selector: Selector, show: Callable[[View], Item]) -> None:
        """Append a change to the stream of a person's web login; do nothing if the person is not logged in."""
        if selector in _OF_CONTACTS:
            self._population.notify_watchers(person.id)
        session = self._population.logins.live(person)
        if session is None:
            return
        item = show(View(self._population, session))
        if session.receives(item):
            session.stream.add(item, selector)
            self._population.wake(person.id)
