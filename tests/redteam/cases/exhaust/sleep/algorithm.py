import time


def select(task):
    time.sleep(3600)
