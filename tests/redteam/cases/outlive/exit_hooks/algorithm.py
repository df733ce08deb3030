"""atexit, a destructor and a signal at the end."""

import atexit
import signal
import time

atexit.register(time.sleep, 60)
signal.signal(signal.SIGTERM, lambda *a: time.sleep(60))


class Slow:
    def __del__(self):
        time.sleep(60)


keep = Slow()


def select(task):
    return [3]
