"""Disks that are full."""

import resource
from contextlib import contextmanager


@contextmanager
def room_for(n_bytes):
    """Let no file become larger, so that a longer one ends half written as on a full disk."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (n_bytes, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
