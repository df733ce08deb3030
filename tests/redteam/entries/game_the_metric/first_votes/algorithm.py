"""The first vote of each item, annotators in the order of their numbers, in the hope that good ones were numbered first."""

import numpy as np


def infer(task):
    labels = np.zeros(task.n_items, np.int64)
    order = np.lexsort((np.arange(len(task.item)), -task.annotator))
    labels[task.item[order]] = task.label[order]  # the lowest number is written last
    return labels
