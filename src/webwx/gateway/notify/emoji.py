"""
Emoji short codes, such as `:fire:`, that monitoring tools and build servers put into messages.

The table has the common names only: a package with all 4,000 names takes 0.7 MB and 30 ms to import, and an unknown
code is still readable.
"""

from __future__ import annotations

import re

_TABLE = """
+1 👍 -1 👎 thumbsup 👍 thumbsdown 👎 100 💯 alarm_clock ⏰ ambulance 🚑 arrow_down ⬇️ arrow_right ➡️ arrow_up ⬆️
arrow_left ⬅️ ballot_box_with_check ☑️ bangbang ‼️ bar_chart 📊 battery 🔋 bell 🔔 black_circle ⚫ blue_circle 🔵
blue_heart 💙 book 📖 bookmark 🔖 boom 💥 briefcase 💼 broken_heart 💔 bug 🐛 bulb 💡 calendar 📆 camera 📷 car 🚗
cat 🐱 chart_with_downwards_trend 📉 chart_with_upwards_trend 📈 check ✔️ checkered_flag 🏁 clap 👏 clipboard 📋 clock 🕒
cloud ☁️ coffee ☕ collision 💥 computer 💻 construction 🚧 cop 👮 credit_card 💳 cry 😢 customs 🛃 cyclone 🌀 date 📅
desktop_computer 🖥️ dizzy 💫 dog 🐶 door 🚪 droplet 💧 earth_africa 🌍 email 📧 envelope ✉️ exclamation ❗ eyes 👀
facepalm 🤦 file_folder 📁 fire 🔥 fire_engine 🚒 floppy_disk 💾 gear ⚙️ ghost 👻 gift 🎁 globe_with_meridians 🌐
green_apple 🍏 green_circle 🟢 green_heart 💚 grinning 😀 hammer 🔨 heart ❤️ heavy_check_mark ✔️ heavy_plus_sign ➕
heavy_minus_sign ➖ hourglass ⌛ hourglass_flowing_sand ⏳ house 🏠 information_source ℹ️ inbox_tray 📥 joy 😂 key 🔑
large_blue_circle 🔵 large_green_circle 🟢 large_orange_circle 🟠 large_yellow_circle 🟡 laughing 😆 link 🔗 lock 🔒
loudspeaker 📢 mag 🔍 mailbox 📫 mega 📣 memo 📝 money_with_wings 💸 moneybag 💰 moon 🌔 movie_camera 🎥 mute 🔇
negative_squared_cross_mark ❎ new 🆕 no_bell 🔕 no_entry ⛔ no_entry_sign 🚫 notebook 📓 octagonal_sign 🛑 ok 🆗
ok_hand 👌 open_file_folder 📂 orange_circle 🟠 outbox_tray 📤 package 📦 page_facing_up 📄 paperclip 📎
partying_face 🥳 pencil ✏️ phone ☎️ point_right 👉 pray 🙏 printer 🖨️ pushpin 📌 question ❓ rage 😡 rainbow 🌈
recycle ♻️ red_circle 🔴
robot 🤖 rocket 🚀 rotating_light 🚨 round_pushpin 📍 satellite 🛰️ scroll 📜 shield 🛡️ ship 🚢 shopping_cart 🛒 skull 💀
smile 😄 smiley 😃 snail 🐌 snowflake ❄️ sob 😭 sos 🆘 sparkles ✨ speech_balloon 💬 star ⭐ stop_sign 🛑 stopwatch ⏱️
sunglasses 😎 sunny ☀️ sweat_smile 😅 tada 🎉 thermometer 🌡️ thinking 🤔 thinking_face 🤔 ticket 🎫 timer_clock ⏲️
tools 🛠️ triangular_flag_on_post 🚩 trophy 🏆 truck 🚚 unlock 🔓 umbrella ☔ video_camera 📹 warning ⚠️ wastebasket 🗑️
watch ⌚ wave 👋 white_check_mark ✅ white_circle ⚪ wink 😉 wrench 🔧 x ❌ yellow_circle 🟡 zap ⚡ zzz 💤
"""
_WORDS = _TABLE.split()
EMOJI = dict(zip(_WORDS[::2], _WORDS[1::2], strict=True))
"""Characters by short code."""

_SKIN = re.compile(r":skin-tone-[2-6]:")
_CODE = re.compile(r":([a-z0-9_+\-]{1,40}):")


def replace_emoji(text: str) -> str:
    """Replace the known short codes; do not change the others. The colour of a skin is dropped."""
    return _CODE.sub(lambda code: EMOJI.get(code[1], code[0]), _SKIN.sub("", text))
