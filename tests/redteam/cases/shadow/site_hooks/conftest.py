import builtins

builtins.SHADOW = "conftest"
