"""Long work says how far it is, also where standard error is a file."""

import pytest

from sklearn_flipad.base import progress as module
from sklearn_flipad.base.progress import duration, progress


@pytest.fixture
def clock(monkeypatch):
    """A clock that the test sets."""
    now = [100.0]
    monkeypatch.setattr(module.time, "monotonic", lambda: now[0])
    return now


def test_a_line_now_and_then_in_a_file(clock, capsys):
    with progress(1000, "inverting", verbose=1) as bar:
        for _ in range(10):
            clock[0] += 9
            bar.update(100)
    assert capsys.readouterr().err.splitlines() == [
        "- inverting: 1,000",
        "- inverting: 300 of 1,000, about 63 s left",
        "- inverting: 600 of 1,000, about 36 s left",
        "- inverting: 900 of 1,000, about 9 s left",
        "- inverting: 1,000 done in 90 s",
    ]


def test_notes_and_steps_that_were_done_before(clock, capsys):
    with progress(100, "training", verbose=1, initial=80) as bar:
        clock[0] += 30
        bar.set_postfix(loss="0.5")
        bar.update(10)
    assert capsys.readouterr().err.splitlines()[1:] == [
        "- training: 90 of 100, loss 0.5, about 30 s left",
        "- training: 90 done in 30 s, loss 0.5",
    ]


def test_an_unknown_number(clock, capsys):
    with progress(None, "scoring", verbose=1) as bar:
        clock[0] += 30
        bar.update(7)
    lines = capsys.readouterr().err.splitlines()
    assert lines == ["- scoring", "- scoring: 7 done", "- scoring: 7 done in 30 s"]


def test_short_work_needs_one_line(clock, capsys):
    with progress(5, "sampling", verbose=1) as bar:
        bar.update(5)
    assert capsys.readouterr().err.splitlines() == ["- sampling: 5"]


def test_silence(capsys):
    with progress(5, "sampling", verbose=0) as bar:
        bar.update(5)
    assert capsys.readouterr().err == ""


def test_a_bar_in_a_terminal(monkeypatch, capsys):
    monkeypatch.setattr(module.sys.stderr, "isatty", lambda: True, raising=False)
    with progress(5, "sampling", verbose=1) as bar:
        bar.update(5)
    assert "5/5" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("seconds", "text"), [(0.2, "1 s"), (90, "90 s"), (600, "10 min"), (9000, "2.5 h")]
)
def test_durations(seconds, text):
    assert duration(seconds) == text
