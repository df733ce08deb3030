"""One of a pair: by the clock that both see, one sends its bits over every way, the other writes down what it gets."""

import json
import os
import time

from ways import SLOT, WAYS

HERE = os.path.dirname(os.path.abspath(__file__))


def select(task):
    sends = task.X[0, 0] > 0.5
    bits = [int(value > 0.5) for value in task.X[1]]
    with open(f"{HERE}/start.json") as file:
        start = json.load(file)
    with open(f"{HERE}/shared.json") as file:
        shared = json.load(file)
    print("late" if time.time() > start else "in time", flush=True)
    for place, (name, kind) in enumerate(WAYS.items()):
        began = start + place * SLOT * (len(bits) + 2)
        got = ""
        try:
            way = kind(*shared)
            if not sends:
                time.sleep(max(0, began - SLOT - time.time()))
                way.get() if name == "inotify" else None  # begins to listen
            for slot, bit in enumerate(bits):
                time.sleep(max(0, began + SLOT * (slot + (0 if sends else 0.3)) - time.time()))
                if sends:
                    way.put(bit)
                else:
                    got += str(way.get())
        except Exception as error:
            got += f" refused: {type(error).__name__} {error}"
        print(json.dumps([name, got]), flush=True)
    return [0]
