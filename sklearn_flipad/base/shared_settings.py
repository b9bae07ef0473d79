"""Settings that a process has once, changed by blocks that may overlap in several threads."""

import threading
from contextlib import contextmanager

__all__ = ["SharedSetting"]


class SharedSetting:
    """A setting that the first block that is entered changes, and the last that is left restores.

    `read` returns its value, and `restore` sets one. `change` sets the value within the blocks.
    """

    def __init__(self, read, restore, change=lambda: None):
        self._read, self._restore, self._change = read, restore, change
        self._lock = threading.Lock()
        self._n_active, self._before = 0, None

    @contextmanager
    def changed(self):
        """Keep the setting changed in the block."""
        with self._lock:
            if not self._n_active:
                self._before = self._read()
                self._change()
            self._n_active += 1
        try:
            yield
        finally:
            with self._lock:
                self._n_active -= 1
                if not self._n_active:
                    self._restore(self._before)

    def outside(self):
        """The value outside of all blocks."""
        with self._lock:
            return self._before if self._n_active else self._read()
