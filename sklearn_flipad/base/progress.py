"""Progress of long work: a bar in a terminal, a line now and then in a file."""

import sys
import time

from tqdm.auto import tqdm

__all__ = ["duration", "progress"]

#: Seconds between two lines.
_INTERVAL = 20


def progress(total, description, *, verbose, unit="", initial=0):
    """Bar as of tqdm for `total` steps, None if unknown; silent unless `verbose`."""
    if not verbose or sys.stderr is None or sys.stderr.isatty() or "ipykernel" in sys.modules:
        return tqdm(total=total, desc=description, disable=not verbose, unit=unit, initial=initial)
    return _Lines(total, description, initial)


def duration(seconds):
    """A time for people, such as ``"40 s"`` or ``"3 min"``."""
    if seconds < 100:
        return f"{max(seconds, 1):.0f} s"
    if seconds < 100 * 60:
        return f"{seconds / 60:.0f} min"
    return f"{seconds / 3600:.1f} h"


class _Lines:
    """The part of tqdm's interface that is used here, in lines."""

    def __init__(self, total, description, initial):
        self.total, self.n = total, initial
        self._description, self._initial, self._note = description, initial, ""
        self._began = self._said = time.monotonic()
        self._say("" if total in (None, 1) else f": {total:,}")

    def __enter__(self):
        return self

    def __exit__(self, *error):
        self.close()

    def update(self, n=1):
        self.n += n
        if time.monotonic() - self._said >= _INTERVAL and self.n != self.total:
            self._said = time.monotonic()
            self._say(f": {self._state()}")

    def set_postfix_str(self, text, refresh=True):
        self._note = f", {text}"

    def set_postfix(self, refresh=True, **values):
        self.set_postfix_str(", ".join(f"{name} {value}" for name, value in values.items()))

    def close(self):
        # Short work needs no line of its end.
        if self._said > self._began:
            seconds = time.monotonic() - self._began
            self._say(f": {self.n:,} done in {duration(seconds)}{self._note}")

    def _state(self):
        if self.total is None:
            return f"{self.n:,} done{self._note}"
        done, left = self.n - self._initial, self.total - self.n
        seconds = (time.monotonic() - self._began) / max(done, 1) * left
        return f"{self.n:,} of {self.total:,}{self._note}, about {duration(seconds)} left"

    def _say(self, text):
        print(f"- {self._description}{text}", file=sys.stderr, flush=True)
