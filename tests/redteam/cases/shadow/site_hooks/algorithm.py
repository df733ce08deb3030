import builtins


def select(task):
    print(getattr(builtins, "SHADOW", None))
    return [int(hasattr(builtins, "SHADOW"))]
