"""Which promises this twin breaks: the ids in the variable FAULT."""

import os

NAMES = frozenset(name for name in os.environ.get("FAULT", "").replace(" ", "").split(",") if name)


def faulty(name):
    return name in NAMES


def fault_names():
    return sorted(NAMES)
