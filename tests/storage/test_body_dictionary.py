"""The dictionary of bodies."""

from __future__ import annotations

import json
import zlib

import msgspec
from tests.corpus import payloads

from webwx.protocol.codec import platform_json
from webwx.storage.bodies import pack, unpack
from webwx.storage.body_dictionary import DICTIONARY


def test_the_dictionary_never_changes_because_stored_bodies_refer_to_it() -> None:
    assert zlib.adler32(DICTIONARY) == 0x1D7AFC95


def test_the_dictionary_has_the_form_in_which_the_platform_answers() -> None:
    answer = DICTIONARY[DICTIONARY.index(b"{") :]
    assert answer == platform_json(msgspec.json.encode(msgspec.json.decode(answer)))


def test_the_dictionary_saves_a_quarter_of_real_answers() -> None:
    answers = [
        platform_json(msgspec.json.encode(json.loads(each.body, strict=False))) for each in payloads("webwxsync")
    ]
    packed = [pack(each) for each in answers]
    assert answers == [unpack(each) for each in packed]
    assert sum(map(len, packed)) < 0.76 * sum(len(zlib.compress(each, 1)) for each in answers)
