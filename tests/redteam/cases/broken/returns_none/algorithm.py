def select(task):
    [0]
