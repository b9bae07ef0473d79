"""What the transformers of samples have in common."""

from functools import wraps

from sklearn.base import TransformerMixin

from sklearn_flipad.samples import shape_of

__all__ = ["SampleTransformerMixin"]


class SampleTransformerMixin(TransformerMixin):
    """A transformer that takes images as well as rows.

    ``set_output``, and the global option ``transform_output``, are for rows: arrays of more
    than two axes stay arrays, since no data frame can hold them.
    """

    def __init_subclass__(cls, **kwargs):
        super().__init_subclass__(**kwargs)
        wrapped = vars(cls).get("transform")
        if hasattr(wrapped, "__wrapped__"):
            cls.transform = _frames_of_rows_only(wrapped)


def _frames_of_rows_only(wrapped):
    """A method that scikit-learn has wrapped to return data frames, for rows alone."""
    plain = wrapped.__wrapped__

    @wraps(plain)
    def method(self, X, *args, **kwargs):
        # What comes in as rows leaves as rows, and nothing else does.
        return (wrapped if len(shape_of(X)) == 2 else plain)(self, X, *args, **kwargs)

    return method


SampleTransformerMixin.fit_transform = _frames_of_rows_only(TransformerMixin.fit_transform)
