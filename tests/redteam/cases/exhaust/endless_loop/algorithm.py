def select(task):
    while True:
        pass
