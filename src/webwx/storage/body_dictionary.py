"""
The dictionary with which bodies are compressed: what most answers of `webwxsync` have in common.

It has the form in which the platform answers, with one text, and the content of a picture; values are left out. Stored
bodies refer to these bytes, so they never change.
"""

from __future__ import annotations

_PICTURE = (
    ':<br/>&lt;?xml version=\\"1.0\\"?&gt;<br/>&lt;msg&gt;<br/>\\t&lt;img aeskey=\\"\\" encryver=\\"0\\" '
    'cdnthumbaeskey=\\"\\" cdnthumburl=\\"\\" cdnthumblength=\\"\\" cdnthumbheight=\\"120\\" cdnthumbwidth=\\"90\\" '
    'cdnmidheight=\\"0\\" cdnmidwidth=\\"0\\" cdnhdheight=\\"0\\" cdnhdwidth=\\"0\\" cdnmidimgurl=\\"\\" '
    'length=\\"\\" md5=\\"\\" /&gt;<br/>&lt;/msg&gt;<br/>'
)

_ANSWER = """\
{
"BaseResponse": {
"Ret": 0,
"ErrMsg": ""
}
,
"AddMsgCount": 1,
"AddMsgList": [{
"MsgId": "",
"FromUserName": "@",
"ToUserName": "@",
"MsgType": 1,
"Content": "",
"Status": 3,
"ImgStatus": 1,
"CreateTime": 17,
"VoiceLength": 0,
"PlayLength": 0,
"FileName": "",
"FileSize": "",
"MediaId": "",
"Url": "",
"AppMsgType": 0,
"StatusNotifyCode": 0,
"StatusNotifyUserName": "",
"RecommendInfo": {
"UserName": "",
"NickName": "",
"QQNum": 0,
"Province": "",
"City": "",
"Content": "",
"Signature": "",
"Alias": "",
"Scene": 0,
"VerifyFlag": 0,
"AttrStatus": 0,
"Sex": 0,
"Ticket": "",
"OpCode": 0
}
,
"ForwardFlag": 0,
"AppInfo": {
"AppID": "",
"Type": 0
}
,
"HasProductId": 0,
"Ticket": "",
"ImgHeight": 0,
"ImgWidth": 0,
"SubMsgType": 0,
"NewMsgId": 0,
"OriContent": "",
"EncryFileName": ""
}
],
"ModContactCount": 0,
"ModContactList": [],
"DelContactCount": 0,
"DelContactList": [],
"ModChatRoomMemberCount": 0,
"ModChatRoomMemberList": [],
"Profile": {
"BitFlag": 0,
"UserName": {
"Buff": ""
}
,
"NickName": {
"Buff": ""
}
,
"BindUin": 0,
"BindEmail": {
"Buff": ""
}
,
"BindMobile": {
"Buff": ""
}
,
"Status": 0,
"Sex": 0,
"PersonalCard": 0,
"Alias": "",
"HeadImgUpdateFlag": 0,
"HeadImgUrl": "",
"Signature": ""
}
,
"ContinueFlag": 0,
"SyncKey": {
"Count": 4,
"List": [{
"Key": 1,
"Val": 6
}
,{
"Key": 2,
"Val": 6
}
,{
"Key": 3,
"Val": 6
}
,{
"Key": 1000,
"Val": 17
}
]
}
,
"SKey": "",
"SyncCheckKey": {
"Count": 4,
"List": [{
"Key": 1,
"Val": 6
}
]
}
}
"""

DICTIONARY = (_PICTURE + _ANSWER).encode()
"""Bytes that a body refers to instead of repeating them."""
