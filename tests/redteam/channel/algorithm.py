"""One of a pair: by the clock that both see, one sends its bits over every way, the other writes down what it gets."""

import json
import os
import time

import ways

HERE = os.path.dirname(os.path.abspath(__file__))


def told(what):
    with open(f"{HERE}/{what}.json") as file:
        return json.load(file)


def select(task):
    sends = task.X[0, 0] > 0.5
    bits = [int(value > 0.5) for value in task.X[1]]
    start, slot, shared, names = map(told, ("start", "slot", "shared", "ways"))
    ways.SLOT = slot
    print("late" if time.time() > start else "in time", flush=True)
    for place, name in enumerate(names):
        began = start + place * slot * (len(bits) + 2)
        got = ""
        try:
            way = ways.WAYS[name](*shared)
            if not sends:
                time.sleep(max(0, began - slot - time.time()))
                way.get() if name == "inotify" else None  # begins to listen
            for number, bit in enumerate(bits):
                time.sleep(max(0, began + slot * (number + (0 if sends else 0.3)) - time.time()))
                if sends:
                    way.put(bit)
                else:
                    got += str(way.get())
        except Exception as error:
            got += f" refused: {type(error).__name__} {error}"
        print(json.dumps([name, got]), flush=True)
    return [0]
