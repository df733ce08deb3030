import a_module_that_does_not_exist


def select(task):
    return [0]
