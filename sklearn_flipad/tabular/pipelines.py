"""Attributors that take data frames."""

from sklearn.frozen import FrozenEstimator

from sklearn_flipad.pipelines import AttributionPipeline

__all__ = ["for_tables"]


def for_tables(attributor, preparer):
    """Put a fitted preparer in front of an attributor, so that it takes data frames.

    Fitting the attributor leaves the preparer as it is: it belongs to the target model, not to
    the training samples.

    Parameters
    ----------
    attributor : AttributionPipeline
        Attributor of a ``make_*`` function.
    preparer : TablePreparer or SDVTransformer
        Fitted transformer of tables to rows as the generator returned them.

    Returns
    -------
    AttributionPipeline
        With the step ``prepare`` before those of `attributor`.

    Examples
    --------
    >>> from sklearn_flipad import make_rawpad
    >>> from sklearn_flipad.datasets import load_redwine
    >>> from sklearn_flipad.tabular import TablePreparer, for_tables
    >>> preparer = TablePreparer().fit(load_redwine())
    >>> [name for name, _ in for_tables(make_rawpad(), preparer).steps]
    ['prepare', 'raw', 'detect']
    """
    steps = [("prepare", FrozenEstimator(preparer)), *attributor.steps]
    return AttributionPipeline(steps, memory=attributor.memory)
