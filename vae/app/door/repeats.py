"""A log that says the same thing a few times a minute, however often it happens: a flood must not fill a disk."""

import logging
import time

REPEATS, A_WHILE = 5, 60.0  # lines that say the same, within so many seconds
PLACES = 1000  # in the code that are remembered
LOUD = ("asyncio", "uvicorn.error", "streamlit")  # whose lines strangers can cause


class Repeats(logging.Filter):
    """Lets through so many lines from one place in the code; the first of the next while says how many were not."""

    def __init__(self):
        super().__init__()
        self._said: dict[tuple, list] = {}  # place -> [since, lines]

    def filter(self, record: logging.LogRecord) -> bool:
        place, now = (record.name, record.levelno, record.pathname, record.lineno), time.monotonic()
        since, lines = self._said.get(place, (now, 0))
        if now - since >= A_WHILE:
            if lines > REPEATS:
                record.msg, record.args = f"{record.getMessage()} (and {lines - REPEATS} times more before)", ()
            since, lines = now, 0
        if len(self._said) >= PLACES:
            self._said.clear()
        self._said[place] = since, lines + 1
        return lines < REPEATS


def bound() -> None:
    """From now on no line of the server's is repeated without end."""
    repeats = Repeats()
    names = [name for name in logging.root.manager.loggerDict if name.partition(".")[0] in LOUD]
    for name in {*LOUD, *names}:
        logging.getLogger(name).addFilter(repeats)
