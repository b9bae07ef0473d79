"""Text from elsewhere, and numbers, as a page shows them."""

import unicodedata

import numpy as np

__all__ = ["number", "shortened", "visible"]

#: Categories of characters that cannot be seen, or change how others are: controls, marks of
#: direction, surrogates, private and unassigned ones, separators of lines and paragraphs.
_UNSEEN = {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"}
#: Marks above or below one letter; more of them would reach into other lines.
_MAX_MARKS = 3


def visible(text, length=400):
    r"""Text of which every character can be seen, shortened in its middle.

    Parameters
    ----------
    text : object
        File names and messages are whatever somebody wrote into them.
    length : int, default=400
        Characters at most.

    Returns
    -------
    str
        One line. Characters that cannot be seen, or that change the direction of others, are
        escaped as ``\u202e``. It still has to be escaped for HTML.
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
    """Text of at most `length` characters, with its middle left out where it is longer."""
    if len(text) <= length:
        return text
    head = (length - 3) * 2 // 3
    return f"{text[:head]}...{text[len(text) - (length - 3 - head) :]}"


def number(value, digits=4):
    """A number with so many significant digits; a dash where there is none."""
    if value is None or np.isnan(value):
        return "\u2013"
    return f"{value:.{digits}g}".replace("-", "\u2212")  # a minus sign
