from webwx.protocol import ENDPOINTS
from webwx.sandbox.phone.wire_page import wire_page
from webwx.sandbox.phone.wire_words import CHINESE


def test_every_call_says_in_chinese_what_it_is_for_and_no_words_are_left_over():
    assert [endpoint.name for endpoint in ENDPOINTS if endpoint.purpose not in CHINESE] == []
    page = wire_page().decode().replace("<code>", "`").replace("</code>", "`")
    assert [english for english in CHINESE if english not in page] == []
