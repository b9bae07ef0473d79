"""Facts about the files of own samples, as a calibrator is given them."""

from numbers import Integral

__all__ = ["check_facts"]


def check_facts(facts):
    """Raise ValueError if facts about files are not those that a loader returns."""
    parts = () if facts is None else facts.values()
    if not all(isinstance(part, dict) and all(map(_is_count, part.values())) for part in parts):
        raise ValueError(
            f"file_facts must be numbers of files by fact and value, got {facts!r:.200}. Pass "
            "load_images(...).file_facts."
        )


def _is_count(value):
    return isinstance(value, Integral) and value > 0
