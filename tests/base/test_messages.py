"""Messages whose terms another interface names in its own words."""

import warnings

from sklearn_flipad.base.messages import Message, Term, translated


def test_terms_read_as_the_interface_says():
    message = Message("Pass ", Term("fnr=0.1", "fnr"), ", or ", Term("be patient", "other"), ".")
    assert message == "Pass fnr=0.1, or be patient."
    assert translated(ValueError(message), {"fnr": "--fnr 0.1"}) == "Pass --fnr 0.1, or be patient."
    assert translated(ValueError(message), {"other": "in Python {}"}) == (
        "Pass fnr=0.1, or in Python be patient."
    )


def test_messages_in_messages_keep_their_terms():
    inner = Message("raise ", Term("n_jobs", "n_jobs"))
    assert translated(OSError(Message("First: ", inner, "!")), {"n_jobs": "--jobs"}) == (
        "First: raise --jobs!"
    )


def test_braces_are_text():
    message = Message("{x} and ", Term("{}", "key"), " {")
    assert translated(ValueError(message), {"key": "a {}"}) == "{x} and a {} {"


def test_warnings_and_plain_errors():
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        warnings.warn(Message("see ", Term("here", "place")), UserWarning, stacklevel=1)
    assert translated(caught[0].message, {"place": "there"}) == "see there"
    assert translated(KeyError("name"), {}) == "'name'"
    assert translated(ValueError(), {}) == ""
