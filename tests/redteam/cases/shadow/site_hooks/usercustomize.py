import builtins

builtins.SHADOW = "usercustomize"
