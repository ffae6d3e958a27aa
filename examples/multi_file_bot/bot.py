"""
A bot whose handlers are in several files, each with a router.

    webwx run examples/multi_file_bot/bot.py
"""

import greetings
import repeats

from webwx import Bot

bot = Bot(name="multi-file")
bot.include(greetings.router)
bot.include(repeats.router)

if __name__ == "__main__":
    bot.run()
