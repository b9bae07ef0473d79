"""Synthesizers of SDV: their samples, and the final layers of CTGAN, CopulaGAN and TVAE.

Their generators return two parts for each number: a component of a Gaussian mixture, by softmax,
and a position within it, by tanh. A table holds only the resulting value, so the most likely
component is taken, for suspects and own samples alike.
"""

import warnings
from copy import deepcopy
from numbers import Integral

import numpy as np
import torch
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.utils._param_validation import HasMethods
from sklearn.utils.validation import check_is_fitted

from sklearn_flipad.base.randomness import Purpose, draw_seed, separate_stream
from sklearn_flipad.final_layer import ColumnActivations, FinalLayer, Link
from sklearn_flipad.tabular._impossible import reasons_by_row, refuse_impossible
from sklearn_flipad.tabular._sdv_limits import intervals_of, table_and_reasons
from sklearn_flipad.tabular._sdv_models import (
    check_columns,
    check_synthesizer,
    copulas_of,
    date_factors,
    encoder_of,
    generator_of,
    model_of,
    sdv,
)
from sklearn_flipad.tabular._values import matches

__all__ = ["SDVTransformer", "final_layer_of_sdv", "impossible_for_sdv", "sample_sdv"]


def sample_sdv(synthesizer, n_samples, *, random_state=0):
    """Draw rows from a synthesizer of SDV, by its own method ``sample``.

    Parameters
    ----------
    synthesizer : sdv.single_table.BaseSingleTableSynthesizer
        Fitted synthesizer, which stays as it is.
    n_samples : int
        Number of rows, at least 1.
    random_state : int, RandomState instance or None, default=0
        Seed. Rows depend on `n_samples` too: CTGAN and CopulaGAN normalize their batches.

    Returns
    -------
    DataFrame, shape (n_samples, n_columns)
        Columns in the order, the units and the rounding of the table that the synthesizer was
        fitted to.

    Raises
    ------
    ImportError
        If sdv is missing.
    TypeError
        If `synthesizer` is of another type.
    ValueError
        If it is not fitted, or `n_samples` is not positive.

    Warns
    -----
    UserWarning
        If sdv returns dates of other times than those of its table.

    Examples
    --------
    >>> from sdv.single_table import GaussianCopulaSynthesizer
    >>> from sdv.metadata import Metadata
    >>> from sklearn_flipad.datasets import load_redwine
    >>> from sklearn_flipad.tabular import sample_sdv
    >>> table = load_redwine()[["pH", "alcohol"]]
    >>> metadata = Metadata.detect_from_dataframe(table)
    >>> synthesizer = GaussianCopulaSynthesizer(metadata)
    >>> synthesizer.fit(table)
    >>> sample_sdv(synthesizer, 100).shape
    (100, 2)
    """
    check_synthesizer(synthesizer, sdv().single_table.base.BaseSingleTableSynthesizer)
    if not isinstance(n_samples, Integral) or n_samples < 1:
        raise ValueError(f"n_samples must be a positive number of rows, got {n_samples!r}.")
    # A copy, since drawing changes the synthesizer's random state and batch-norm statistics.
    synthesizer = deepcopy(synthesizer)
    synthesizer.reset_sampling()
    # Only some kinds have a random state of their own; the others use numpy's global one.
    if hasattr(synthesizer._model, "set_random_state"):
        synthesizer._set_random_state(draw_seed(random_state))
    table = synthesizer.sample(int(n_samples))
    odd = [name for name, factor in date_factors(synthesizer).items() if factor != 1]
    if odd:
        warnings.warn(
            f"Dates of the columns {odd} are of other times than those of the synthesizer's table: "
            "this version of sdv returns nanoseconds, whatever unit it was fitted to. Fit it to "
            "those columns as astype('datetime64[ns]').",
            UserWarning,
            stacklevel=2,
        )
    return table.reset_index(drop=True)


def final_layer_of_sdv(synthesizer, *, n_samples=5000, random_state=0):
    """Trace the final layer of a CTGAN, CopulaGAN or TVAE of SDV.

    Parameters
    ----------
    synthesizer : CTGANSynthesizer, CopulaGANSynthesizer or TVAESynthesizer
        Fitted synthesizer, which stays as it is.
    n_samples : int, default=5000
        Number of Monte-Carlo samples of the mean activation, rounded up to whole batches of
        the synthesizer.
    random_state : int, RandomState instance or None, default=0
        Seed. The rows are not those that :func:`sample_sdv` draws with the same seed.

    Returns
    -------
    FinalLayer
        Layer whose samples are rows encoded by :class:`SDVTransformer`. Outputs are weighted by
        their deviations, so that each column counts.

    Raises
    ------
    ImportError
        If sdv is missing.
    TypeError
        If `synthesizer` is of another type.
    ValueError
        If it is not fitted.

    Notes
    -----
    CTGAN and CopulaGAN run in training mode, as SDV runs them, and add Gumbel noise before their
    softmax; TVAE adds normal noise after its tanh. So their samples are not exactly functions of
    the activations.
    """
    model = model_of(synthesizer)
    model.set_random_state(draw_seed(separate_stream(random_state, Purpose.MEAN_ACTIVATION)))
    module = generator_of(model).seq[-1]
    inputs, outputs = [], []

    def note(_, args, output):
        inputs.append(args[0].detach().cpu().double())
        outputs.append(output.detach().cpu().double())

    hook = module.register_forward_hook(note)
    try:
        model.sample(int(n_samples))
    finally:
        hook.remove()
    activation = _activation_of(model)
    outputs = activation.centered(torch.cat(outputs))
    deviation = outputs.std(dim=0).numpy()
    # Softmax does not see a shift that its columns share, so that part is taken out of the layer.
    weight = activation.centered(module.weight.detach().cpu().double().T).T
    bias = activation.centered(module.bias.detach().cpu().double())
    mean = torch.cat(inputs).mean(dim=0).numpy()
    return FinalLayer(
        [Link("linear", weight.numpy())],
        input_shape=mean.shape,
        mean_activation=mean,
        activation=activation,
        bias=bias.numpy(),
        output_scale=np.where(deviation > 0, deviation, 1.0),
    )


def impossible_for_sdv(synthesizer, X):
    """Tell for each row why a synthesizer of SDV cannot have made it.

    A category that its table does not have is impossible, and so is a number beyond the range that
    the synthesizer clips to, or beyond 4 standard deviations of each component of the mixture in
    which CTGAN, CopulaGAN and TVAE place numbers; so are rows that break its constraints.

    Parameters
    ----------
    synthesizer : sdv.single_table.BaseSingleTableSynthesizer
        Fitted synthesizer of any kind.
    X : DataFrame, shape (n, n_columns)
        Rows with the columns of the synthesizer's table, in the same units, in any order. Keys and
        personal data, which it makes up, are ignored and may be left out.

    Returns
    -------
    Series of str, shape (n,)
        The column and the reason, with the index of `X`; empty for possible rows. Values that were
        rounded since count as possible if one that rounds to them is.

    Raises
    ------
    ImportError
        If sdv is missing.
    TypeError
        If `synthesizer` is of another type, or `X` is not a DataFrame.
    ValueError
        If the synthesizer is not fitted, or a column is missing, unknown, of another kind or has
        missing values.

    References
    ----------
    Xu et al., "Modeling Tabular data using Conditional GAN", NeurIPS 2019, section 4.2
    (mode-specific normalization).

    Examples
    --------
    >>> from sdv.single_table import GaussianCopulaSynthesizer
    >>> from sdv.metadata import Metadata
    >>> from sklearn_flipad.datasets import load_redwine
    >>> from sklearn_flipad.tabular import impossible_for_sdv
    >>> table = load_redwine()[["pH", "alcohol"]]
    >>> synthesizer = GaussianCopulaSynthesizer(Metadata.detect_from_dataframe(table))
    >>> synthesizer.fit(table)
    >>> impossible_for_sdv(synthesizer, table[:2].assign(alcohol=[9.4, 940]))[1]
    "alcohol: 940 is above 14.9, the largest value of the synthesizer's table, to which it clips"
    """
    check_synthesizer(synthesizer, sdv().single_table.base.BaseSingleTableSynthesizer)
    check_columns(synthesizer, X)
    return reasons_by_row(table_and_reasons(synthesizer, X)[1], X.index)


class SDVTransformer(TransformerMixin, BaseEstimator):
    """Map the rows of a table to the outputs of the generator of a CTGAN, CopulaGAN or TVAE.

    A number becomes its position in the most likely component of the column's mixture, in
    [-1, 1], and the one-hot encoded component; a category is one-hot encoded. Columns that the
    synthesizer makes up, such as keys and personal data, are left out. Rows that it cannot have
    made are refused, see :meth:`impossible`.

    Parameters
    ----------
    synthesizer : CTGANSynthesizer, CopulaGANSynthesizer or TVAESynthesizer
        The target model, fitted.

    Attributes
    ----------
    feature_names_in_ : ndarray of str
        Names of the columns.
    n_features_in_ : int
        Number of columns.

    See Also
    --------
    final_layer_of_sdv : The final layer whose outputs these values are.
    TablePreparer : For generators that return standardized columns.

    Examples
    --------
    ::

        own = sample_sdv(synthesizer, 4000)
        transformer = SDVTransformer(synthesizer).fit(own)
        flipad = for_tables(make_flipad(final_layer_of_sdv(synthesizer)), transformer)
        flipad.fit(pd.concat([own, others]), y)
    """

    _parameter_constraints: dict = {"synthesizer": [HasMethods("sample")]}

    def __init__(self, synthesizer):
        self.synthesizer = synthesizer

    def fit(self, X, y=None):
        """Validate the synthesizer and the rows; nothing is learned.

        Parameters
        ----------
        X : DataFrame, shape (n, n_columns)
            Rows with the columns of the synthesizer's table, in any order.
        y : Ignored
            Not used.

        Returns
        -------
        self

        Raises
        ------
        TypeError
            If X is not a DataFrame or the synthesizer is of another kind.
        ValueError
            If a column is missing, unknown, or holds values that cannot be used.
        """
        self._validate_params()
        model_of(self.synthesizer)
        names = self._checked(X)
        self.feature_names_in_ = np.array(names, dtype=object)
        self.n_features_in_ = len(names)
        return self

    def transform(self, X):
        """Encode rows.

        Parameters
        ----------
        X : DataFrame, shape (n, n_columns)
            Rows with the columns of the synthesizer's table, in any order.

        Returns
        -------
        ndarray of float64, shape (n, n_features_out)

        Raises
        ------
        TypeError, ValueError
            As in fit.
        """
        check_is_fitted(self)
        self._checked(X)
        table, reasons = table_and_reasons(self.synthesizer, X)
        refuse_impossible(reasons)
        normalizer = copulas_of(self.synthesizer)
        if normalizer is not None:
            table = normalizer.transform(table)
        infos = encoder_of(self.synthesizer._model)._column_transform_info_list
        return np.concatenate([_encoded(info, table) for info in infos], axis=1)

    def impossible(self, X):
        """Tell for each row why the synthesizer cannot have made it.

        Parameters
        ----------
        X : DataFrame, shape (n, n_columns)
            Rows, as for :meth:`transform`, which refuses the impossible ones.

        Returns
        -------
        Series of str, shape (n,)
            As :func:`impossible_for_sdv` returns it.

        Raises
        ------
        TypeError, ValueError
            As :func:`impossible_for_sdv`.
        """
        return impossible_for_sdv(self.synthesizer, X)

    def get_feature_names_out(self, input_features=None):
        """Names of the encoded features.

        Parameters
        ----------
        input_features : array-like of str, default=None
            Ignored.

        Returns
        -------
        ndarray of str
            Name of the column, followed by the number of the component or category.
        """
        check_is_fitted(self)
        names = []
        for info in encoder_of(self.synthesizer._model)._column_transform_info_list:
            n_hot = info.output_info[-1].dim
            names += [info.column_name] if info.column_type == "continuous" else []
            names += [f"{info.column_name}_{index}" for index in range(n_hot)]
        return np.array(names, dtype=object)

    def _checked(self, X):
        """Names of the columns that the synthesizer models; ValueError if rows cannot be used."""
        return check_columns(self.synthesizer, X)

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.two_d_array = False
        tags.input_tags.categorical = True
        tags.input_tags.string = True
        return tags


def _activation_of(model):
    spans = [span for column in encoder_of(model).output_info_list for span in column]
    return ColumnActivations(tuple((span.activation_fn, span.dim) for span in spans))


def _encoded(info, table):
    """Outputs of the generator for a column, shape (n, n_outputs), of the likeliest component."""
    if info.column_type != "continuous":
        known = info.transform.dummies
        return np.eye(len(known))[matches(table[info.column_name], known)]
    values = table[info.column_name].to_numpy(dtype=np.float64)[:, None]
    valid = info.transform.valid_component_indicator
    likely = info.transform._bgm_transformer.predict_proba(values)[:, valid]
    bottom, top = intervals_of(info)
    # Those that reach the value come first; rounding and clipping may leave it to none.
    best = (likely + ((values >= bottom) & (values <= top))).argmax(axis=1)
    place = (2 * values[:, 0] - bottom[best] - top[best]) / (top - bottom)[best]
    return np.column_stack([place.clip(-1, 1), np.eye(int(valid.sum()))[best]])
