def choose(task):
    return [0]
