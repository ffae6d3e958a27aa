import msgspec
import pytest

from webwx.sandbox.view import ChangedContact, View, recall_text


@pytest.fixture
def view(me, world):
    return View(world, world.logins.session(me.credentials.sid))


def test_a_changed_contact_has_the_fields_that_sync_sends_and_no_others():
    assert [field.encode_name for field in msgspec.structs.fields(ChangedContact)] == [
        "UserName", "NickName", "Sex", "HeadImgUpdateFlag", "ContactType", "Alias", "ChatRoomOwner", "HeadImgUrl",
        "ContactFlag", "MemberCount", "MemberList", "HideInputBarFlag", "Signature", "VerifyFlag", "RemarkName",
        "Statues", "AttrStatus", "Province", "City", "SnsFlag", "KeyWord",
    ]  # fmt: skip


def test_a_chatroom_shows_its_members_only_when_asked(view):
    assert view.contact("hiking").member_list == []
    assert len(view.contact("hiking", with_members=True).member_list) == 4


def test_the_grey_line_speaks_to_its_reader(world):
    message = world.say("ahua", "me", "打错了")
    assert recall_text(message, world.person("ahua")) == "你撤回了一条消息"
    assert recall_text(message, world.person("me")) == '"阿华" 撤回了一条消息'


def test_nicknames_cannot_break_out_of_a_recall_notice(view, world):
    world.add_person("]]><x>", "odd")
    world.befriend("me", "odd")
    message = world.say("odd", "me", "x")
    wire = view.recall(message, notice_id="1", old_id=2, time=0.0)
    assert "&lt;/sysmsg&gt;" in wire.content
    assert "]]&gt;&lt;x" not in wire.content
