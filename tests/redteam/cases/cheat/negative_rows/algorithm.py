def select(task):
    return [-1, 2**63 - 1]
