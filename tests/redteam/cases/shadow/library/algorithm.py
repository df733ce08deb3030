"""Files named like libraries, beside the algorithm, with the folder put first on the path before the harness imports more."""

import csv
import json
import random

import numpy


def select(task):
    found = [m.__name__ for m in (numpy, json, random, csv) if hasattr(m, "SHADOW")]
    print(found)
    return [len(found)]
