"""Attributors that take data frames."""

from sklearn.frozen import FrozenEstimator

from sklearn_flipad.pipelines import AttributionPipeline

__all__ = ["for_tables"]


def for_tables(attributor, preparer):
    """Put a fitted preparer in front of an attributor, so that it takes data frames.

    The preparer stays as it is when the attributor is fitted: what it does belongs to the target
    model, not to the samples that train.

    Parameters
    ----------
    attributor : AttributionPipeline
        What a ``make_*`` function returns.
    preparer : TablePreparer or SDVTransformer
        Maps tables to rows as the generator returned them; fitted.

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
