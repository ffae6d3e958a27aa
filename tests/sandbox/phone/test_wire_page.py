"""The table of the wire as a page."""

import re

from webwx.protocol import ENDPOINTS
from webwx.sandbox.phone.wire_page import wire_page


def test_every_call_has_its_place_and_every_link_leads_to_one():
    page = wire_page().decode()
    places = re.findall(r'id="([^"]+)"', page)
    assert {endpoint.name for endpoint in ENDPOINTS} <= {*places}
    assert len(places) == len({*places})
    assert {*re.findall(r'href="#([^"]+)"', page)} <= {*places}


def test_nothing_in_it_is_of_another_host_and_no_script():
    page = wire_page().decode()
    assert all(address.startswith(("/phone/", "#")) for address in re.findall(r'(?:href|src)="([^"]+)"', page))
    assert "<script" not in page
    assert "/qrcode/{uuid}" in page
