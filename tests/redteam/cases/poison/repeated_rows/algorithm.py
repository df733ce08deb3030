def select(task):
    return [3, 3, 3]
