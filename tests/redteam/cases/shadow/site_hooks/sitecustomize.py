import builtins

builtins.SHADOW = "sitecustomize"
