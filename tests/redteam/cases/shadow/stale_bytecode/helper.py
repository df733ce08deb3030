VALUE = 0  # the test puts bytecode that says 1 into __pycache__
