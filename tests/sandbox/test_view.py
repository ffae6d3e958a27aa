from __future__ import annotations

from collections.abc import Callable

import msgspec
import pytest
from tests.sandbox.conftest import Page

from webwx.sandbox.options import Options
from webwx.sandbox.stream import ChangedContact
from webwx.sandbox.view import View, recall_text
from webwx.sandbox.world import World


@pytest.fixture
def view(me: Page, world: World) -> View:
    return View(world, me.session)


def test_a_changed_contact_has_the_fields_that_sync_sends_and_no_others() -> None:
    assert [field.encode_name for field in msgspec.structs.fields(ChangedContact)] == [
        "UserName", "NickName", "Sex", "HeadImgUpdateFlag", "ContactType", "Alias", "ChatRoomOwner", "HeadImgUrl",
        "ContactFlag", "MemberCount", "MemberList", "HideInputBarFlag", "Signature", "VerifyFlag", "RemarkName",
        "Statues", "AttrStatus", "Province", "City", "SnsFlag", "KeyWord",
    ]  # fmt: skip


def test_a_person_has_the_fields_that_the_platform_sends(view: View, world: World) -> None:
    world.set_remark(world.person("me"), "ahua", "小华")
    ahua = view.contact("ahua")
    assert ahua.sns_flag in {1, 17, 49}
    assert (ahua.uin, ahua.alias, ahua.sex, ahua.province, ahua.city) == (0, "", 2, "上海", "浦东")
    assert (ahua.py_initial, ahua.py_quan_pin, ahua.remark_py_initial, ahua.remark_py_quan_pin) == (
        "AH", "ahua", "XH", "xiaohua",
    )  # fmt: skip
    changed = view.changed("ahua")
    assert (changed.signature, changed.city, changed.attr_status) == (ahua.signature, "浦东", ahua.attr_status)
    assert changed.sns_flag == ahua.sns_flag
    world.person("ahua").alias = "ahua_88"
    assert view.contact("ahua").alias == "ahua_88"


def test_the_number_of_a_picture_changes_only_with_the_picture(view: View, world: World) -> None:
    before = view.contact("ahua").head_img_url
    later = View(world, world.log_in(world.person("me"))).contact("ahua").head_img_url
    assert before.partition("&")[0] == later.partition("&")[0]
    assert before != later  # By the new name.
    world.change_profile("ahua", is_new_picture=True)
    assert view.contact("ahua").head_img_url.partition("&")[0] != before.partition("&")[0]


def test_pictures_may_have_no_numbers(make_world: Callable[..., World]) -> None:
    world = make_world(options=Options(picture_versions="zero"))
    view = View(world, world.log_in(world.person("me")))
    assert "?seq=0&" in view.contact("ahua").head_img_url


def test_a_notice_is_worded_for_its_reader(world: World) -> None:
    message = world.say("ahua", "me", "打错了")
    assert recall_text(message, world.person("ahua")) == "你撤回了一条消息"
    assert recall_text(message, world.person("me")) == '"阿华" 撤回了一条消息'


def test_nicknames_cannot_break_out_of_a_recall_notice(view: View, world: World) -> None:
    world.add_person("]]><x>", "odd")
    world.befriend("me", "odd")
    message = world.say("odd", "me", "x")
    wire = view.recall(message, notice_id="1", old_id=2, time=0.0)
    assert "&lt;/sysmsg&gt;" in wire.content
    assert "]]&gt;&lt;x" not in wire.content
