"""Untrusted text and numbers in the form in which the page shows them."""

import unicodedata

import numpy as np

__all__ = ["number", "shortened", "visible"]

#: Unicode categories of invisible characters and of those that change the display of others:
#: controls, formats (direction marks), surrogates, private and unassigned characters, separators
#: of lines and paragraphs.
_UNSEEN = {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"}
#: Combining marks per letter; more of them would reach into other lines.
_MAX_MARKS = 3


def visible(text, length=400):
    r"""One line of at most `length` characters, with invisible ones escaped as ``\u202e``.

    It still has to be escaped for HTML.
    """
    shown, n_marks = [], 0
    for character in shortened(str(text), length):
        category = unicodedata.category(character)
        n_marks = n_marks + 1 if category in ("Mn", "Me") else 0
        if category in _UNSEEN or n_marks > _MAX_MARKS:
            character = character.encode("unicode_escape", "surrogatepass").decode()
        shown.append(character)
    return shortened("".join(shown), length)


def shortened(text, length):
    """Text of at most `length` characters; the middle of a longer text is left out."""
    if len(text) <= length:
        return text
    head = (length - 3) * 2 // 3
    return f"{text[:head]}...{text[len(text) - (length - 3 - head) :]}"


def number(value, digits=4):
    """A number with that many significant digits; a dash for None and NaN."""
    if value is None or np.isnan(value):
        return "\u2013"
    return f"{value:.{digits}g}".replace("-", "\u2212")  # a minus sign
