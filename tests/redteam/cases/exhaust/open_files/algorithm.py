def select(task):
    hoard = []
    while True:
        hoard.append(open("/dev/null"))
