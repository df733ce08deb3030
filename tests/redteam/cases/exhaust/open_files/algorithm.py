hoard = []


def select(task):
    while True:
        hoard.append(open("/dev/null"))
