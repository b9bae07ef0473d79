"""Rows with values that a synthesizer cannot return, and the error that refuses them."""

import numpy as np
import pandas as pd

__all__ = ["reasons_by_row", "refuse_impossible"]


def reasons_by_row(reasons, index):
    """Reasons of all columns as a Series of texts, "" for possible rows.

    `reasons` has a list of texts by name of column, "" for possible values.
    """
    rows = [""] * len(index)
    for name, texts in reasons.items():
        for row, text in enumerate(texts):
            if text:
                rows[row] += f"{'; ' if rows[row] else ''}{name}: {text}"
    return pd.Series(rows, index=index, dtype=object, name="impossible")


def refuse_impossible(reasons):
    """Raise ValueError if there is a reason, with the first one of each column."""
    odd = {name: np.array([bool(text) for text in texts]) for name, texts in reasons.items()}
    odd = {name: rows for name, rows in odd.items() if rows.any()}
    if not odd:
        return
    rows = np.any(list(odd.values()), axis=0)
    told = " ".join(
        f"Column {name!r}, row {int(found.argmax())}: {reasons[name][int(found.argmax())]}."
        for name, found in odd.items()
    )
    raise ValueError(
        f"{int(rows.sum())} of {len(rows)} rows of X are impossible for this synthesizer. {told} "
        "If they are in other units or under other names, convert or rename them. Otherwise the "
        "synthesizer cannot have made these rows, which is evidence of its own: leave them out, by "
        "the method impossible(X) of the transformer, whose text is empty for possible rows."
    )
