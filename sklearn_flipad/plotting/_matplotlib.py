"""matplotlib, imported when something is drawn."""

__all__ = ["import_pyplot"]


def import_pyplot():
    """Return ``matplotlib.pyplot``, or say which extra installs it."""
    try:
        import matplotlib.pyplot as plt
    except ImportError as error:
        raise ImportError(
            "Plotting needs matplotlib: pip install 'sklearn-flipad[plot]'."
        ) from error
    return plt
