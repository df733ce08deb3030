"""The flywheel: what competitions find in a data set makes its next version, round after round.

Failures that a test-set challenge finds and votes confirm, labels that a debugging challenge suspects and votes repair, labels
that an active selection buys. After Kiela et al. (2021, *Dynabench*) and Nie et al. (2020, *Adversarial NLI*): models in the
loop, and a test set that grows with what they fail on.
"""
