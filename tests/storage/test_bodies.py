"""Offsets of items in a body, blanking and compression."""

from __future__ import annotations

import subprocess
import sys
import zlib
from importlib import import_module
from importlib.util import find_spec

import pytest
from hypothesis import given
from hypothesis import strategies as st

from webwx.storage.bodies import ItemRange, blank, blank_packed, locate, pack, unpack
from webwx.storage.body_dictionary import DICTIONARY

PACKED = pack(DICTIONARY)


def test_items_are_found_in_any_order() -> None:
    assert [ItemRange(3, 2), ItemRange(0, 2), ItemRange(6, 2)] == locate(b"aa-bb-cc", [b"bb", b"aa", b"cc"])


def test_equal_items_in_a_row_have_different_offsets() -> None:
    assert [ItemRange(0, 2), ItemRange(2, 2)] == locate(b"aaaa", [b"aa", b"aa"])


def test_an_item_that_is_not_in_the_body_has_no_offset() -> None:
    assert [None, ItemRange(0, 2), None] == locate(b"aa", [b"bb", b"aa", b""])


@given(st.lists(st.binary(min_size=1, max_size=6)), st.binary(max_size=20))
def test_an_item_is_read_by_its_offset(items: list[bytes], around: bytes) -> None:
    body = around + b"".join(items)
    places = locate(body, items)

    assert None not in places
    assert items == [body[place.start : place.start + place.length] for place in places if place is not None]


def test_blanking_keeps_the_length_and_the_other_items() -> None:
    assert blank(b"aa-bb-cc", [ItemRange(0, 2), ItemRange(6, 2)]) == b"aa    cc"


@given(
    st.one_of(st.binary(), st.builds(lambda piece, times: piece * times, st.binary(min_size=1), st.integers(1, 5000)))
)
def test_a_packed_body_can_be_unpacked(body: bytes) -> None:
    assert body == unpack(pack(body))


def test_a_body_packed_by_another_program_can_be_read() -> None:
    assert unpack(zlib.compress(b"body", 9)) == b"body"


@pytest.mark.parametrize("damaged", [b"", PACKED[:8], PACKED[:-1], PACKED[:-1] + bytes([PACKED[-1] ^ 1])])
def test_a_damaged_body_cannot_be_unpacked(damaged: bytes) -> None:
    assert unpack(PACKED) == DICTIONARY
    assert unpack(damaged) is None
    assert unpack(None) is None
    assert blank_packed(damaged, [ItemRange(0, 2)]) == b""


@given(st.integers(0, 8 * len(PACKED) - 1))
def test_any_flipped_bit_of_a_body_is_noticed(bit: int) -> None:
    damaged = bytearray(PACKED)
    damaged[bit // 8] ^= 1 << bit % 8
    assert unpack(bytes(damaged)) in (None, DICTIONARY)


@pytest.mark.parametrize(("messages", "level"), [(1, 0), (30, 1)])
def test_isal_packs_where_it_is_installed(messages: int, level: int) -> None:
    body = DICTIONARY * messages
    if find_spec("isal"):
        packer = import_module("isal.isal_zlib").compressobj(level, zdict=DICTIONARY)
    else:
        packer = zlib.compressobj(1, zdict=DICTIONARY)
    assert pack(body) == packer.compress(body) + packer.flush()


def test_without_isal_bodies_are_packed_as_well() -> None:
    program = "\n".join(
        [
            "import sys",
            "sys.modules['isal'] = None",
            "from webwx.storage.bodies import pack",
            "print(pack(b'body').hex())",
        ]
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert unpack(bytes.fromhex(done.stdout)) == b"body"
