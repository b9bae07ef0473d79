"""Synthesizers of SDV: their samples, and the final layers of CTGAN, CopulaGAN and TVAE.

Their generators return two parts for each number: a component of a Gaussian mixture, by softmax,
and a position within it, by tanh. A table holds only the resulting value, so the most likely
component is taken, for suspects and own samples alike.
"""

from copy import deepcopy
from importlib import import_module
from numbers import Integral

import numpy as np
import pandas as pd
import torch
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.utils._param_validation import HasMethods
from sklearn.utils.validation import check_is_fitted

from sklearn_flipad.base.optional import import_optional
from sklearn_flipad.base.randomness import Purpose, draw_seed, separate_stream
from sklearn_flipad.final_layer import ColumnActivations, FinalLayer, Link

__all__ = ["SDVTransformer", "final_layer_of_sdv", "sample_sdv"]

#: Standard deviations per unit of a position, see rdt's ClusterBasedNormalizer.
_DEVIATIONS = 4


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
    _check_synthesizer(synthesizer, _sdv().single_table.base.BaseSingleTableSynthesizer)
    if not isinstance(n_samples, Integral) or n_samples < 1:
        raise ValueError(f"n_samples must be a positive number of rows, got {n_samples!r}.")
    # A copy, since drawing changes the synthesizer's random state and batch-norm statistics.
    synthesizer = deepcopy(synthesizer)
    synthesizer.reset_sampling()
    # Only some kinds have a random state of their own; the others use numpy's global one.
    if hasattr(synthesizer._model, "set_random_state"):
        synthesizer._set_random_state(draw_seed(random_state))
    table = synthesizer.sample(int(n_samples))
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
    model = _model_of(synthesizer)
    model.set_random_state(draw_seed(separate_stream(random_state, Purpose.MEAN_ACTIVATION)))
    generator = model._generator if hasattr(model, "_generator") else model.decoder
    module = generator.seq[-1]
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


class SDVTransformer(TransformerMixin, BaseEstimator):
    """Map the rows of a table to the outputs of the generator of a CTGAN, CopulaGAN or TVAE.

    A number becomes its position in the most likely component of the column's mixture, in
    [-1, 1], and the one-hot encoded component; a category is one-hot encoded.

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
        _model_of(self.synthesizer)
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
        X = X[self._checked(X)].reset_index(drop=True)
        table = self.synthesizer._data_processor.transform(X)
        normalizer = getattr(self.synthesizer, "_gaussian_normalizer_hyper_transformer", None)
        if normalizer is not None:
            table = normalizer.transform(table)
        infos = _transformer_of(self.synthesizer._model)._column_transform_info_list
        return np.concatenate([_encoded(info, table) for info in infos], axis=1)

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
        for info in _transformer_of(self.synthesizer._model)._column_transform_info_list:
            n_hot = info.output_info[-1].dim
            names += [info.column_name] if info.column_type == "continuous" else []
            names += [f"{info.column_name}_{index}" for index in range(n_hot)]
        return np.array(names, dtype=object)

    def _checked(self, X):
        """Names of the synthesizer's columns; raise an error if the rows cannot be used."""
        if not isinstance(X, pd.DataFrame):
            raise TypeError(f"X must be a pandas DataFrame, got {type(X).__name__}.")
        names = list(self.synthesizer._data_processor.get_sdtypes(primary_keys=False))
        missing = [name for name in names if name not in X.columns]
        extra = [name for name in X.columns if name not in names]
        if missing or extra:
            raise ValueError(
                f"X must have the columns of the synthesizer, {names}; it lacks {missing} and has "
                f"{extra} beside them. Rename or drop columns."
            )
        gaps = [name for name in names if X[name].isna().any()]
        if gaps:
            raise ValueError(
                f"Columns {gaps} of X have missing values, which are no outputs of the generator: "
                "remove those rows."
            )
        return names

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.two_d_array = False
        tags.input_tags.categorical = True
        tags.input_tags.string = True
        return tags


def _check_synthesizer(synthesizer, kinds):
    names = [kind.__name__ for kind in (kinds if isinstance(kinds, tuple) else (kinds,))]
    if not isinstance(synthesizer, kinds):
        raise TypeError(
            f"synthesizer must be a {' or '.join(names)} of sdv, got {type(synthesizer).__name__}."
        )
    if not synthesizer._fitted:
        raise ValueError(f"The {type(synthesizer).__name__} is not fitted: call its fit first.")


def _model_of(synthesizer):
    """Copy of the generator inside a synthesizer, with its transformer."""
    from_sdv = _sdv().single_table
    # CopulaGANSynthesizer is a CTGANSynthesizer.
    _check_synthesizer(synthesizer, (from_sdv.CTGANSynthesizer, from_sdv.TVAESynthesizer))
    return deepcopy(synthesizer._model)


def _transformer_of(model):
    return model._transformer if hasattr(model, "_transformer") else model.transformer


def _activation_of(model):
    spans = [span for column in _transformer_of(model).output_info_list for span in column]
    return ColumnActivations(tuple((span.activation_fn, span.dim) for span in spans))


def _encoded(info, table):
    """Outputs of the generator for a column, shape (n, n_outputs), of the likeliest component."""
    if info.column_type != "continuous":
        one_hot = info.transform.transform(table[[info.column_name]]).to_numpy(dtype=np.float64)
        unknown = ~one_hot.any(axis=1)
        if unknown.any():
            value = table[info.column_name].iloc[int(unknown.argmax())]
            raise ValueError(
                f"Column {info.column_name!r} holds {value!r}, which the synthesizer does not "
                "know: it cannot have made such rows. Leave them out."
            )
        return one_hot
    values = table[info.column_name].to_numpy(dtype=np.float64)[:, None]
    mixture, valid = info.transform._bgm_transformer, info.transform.valid_component_indicator
    best = mixture.predict_proba(values)[:, valid].argmax(axis=1)
    mean = mixture.means_.ravel()[valid][best]
    deviation = np.sqrt(mixture.covariances_.ravel()[valid][best])
    place = (values[:, 0] - mean) / (_DEVIATIONS * deviation)
    return np.column_stack([place.clip(-1, 1), np.eye(int(valid.sum()))[best]])


def _sdv():
    """The package sdv."""
    import_optional("sdv.single_table.base", "Synthesizers of SDV need sdv", "tabular")
    return import_module("sdv")
