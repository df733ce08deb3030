def select(task):
    return [0
