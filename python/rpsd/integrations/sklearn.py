# SPDX-License-Identifier: MIT
"""A scikit-learn transformer (extra: sklearn)."""

import sys
from collections.abc import Callable
from dataclasses import replace
from inspect import Parameter, Signature
from typing import Any, Final

import numpy as np

from rpsd._denoiser import Denoiser
from rpsd._options import Options, make_options
from rpsd._pandas import pandas_type
from rpsd._schema import fields, unknown

try:
    from sklearn.base import BaseEstimator, OneToOneFeatureMixin, TransformerMixin
    from sklearn.utils.validation import validate_data
except ModuleNotFoundError as error:
    if (error.name or "").partition(".")[0] != "sklearn":
        raise
    raise ModuleNotFoundError(
        'rpsd.integrations.sklearn needs the "sklearn" extra: pip install "rpsd[sklearn]"', name="sklearn"
    ) from None

__all__ = ["DenoiseTransformer"]

# A transformer has a method of the name transform, so that the option needs another one.
_RENAMED: Final = {"transform": "wavelet_transform"}
# The field of the schema that each parameter stands for, under the parameter's name, for errors.
_FIELDS: Final = {
    _RENAMED.get(option, option): (option, replace(field, name=_RENAMED.get(option, option)))
    for option, field in fields(Options).items()
}
# The schema's defaults, but causal; threads is the argument of rpsd.denoise.
_DEFAULTS: Final = {name: field.default for name, (_, field) in _FIELDS.items()} | {
    "lookahead": 0,
    "threads": 1,
}


def _with_parameters(init: Callable[..., None]) -> Callable[..., None]:
    """Give __init__ the signature of the schema: scikit-learn reads the names of parameters off it."""
    keywords = [Parameter(name, Parameter.KEYWORD_ONLY, default=value) for name, value in _DEFAULTS.items()]
    init.__signature__ = Signature(  # type: ignore[attr-defined]
        [Parameter("self", Parameter.POSITIONAL_OR_KEYWORD), *keywords]
    )
    return init


class DenoiseTransformer(OneToOneFeatureMixin, TransformerMixin, BaseEstimator):  # type: ignore[misc]
    """Denoise the columns of X, whose rows are time, from the past alone.

    Each column is a series of its own, and X must be in the order of time. The value of a row is that of
    `rpsd.denoise` with the same options: with the default ``lookahead=0`` no later row changes a bit of it.

    Parameters
    ----------
    threads : int, default=1
        Threads to share the columns out to; 0: one for each processor.
    lookahead : int or None, default=0
        Later rows that the value of a row may use; the last ``lookahead`` rows are NaN. None is offline:
        each value uses all of X, and none of them may be used in a backtest or a cross-validation.
    **options
        The other options of docs/config.md by name, with the defaults there: method, wavelet, level,
        window, min_periods, outliers, breaks, space and the rest. The option ``transform`` is
        ``wavelet_transform`` here, beside the method. A parameter that has its default counts as not given.

    Attributes
    ----------
    n_features_in_ : int
        Number of columns seen by `fit`.
    feature_names_in_ : ndarray of str, shape (n_features_in_,)
        Their names, where X has names that are all strings.

    Notes
    -----
    There is nothing to fit: `fit` checks X and the options, and what `transform` returns depends on the X
    that it is given and on the options alone. Each call starts anew, so that the first rows of a test block
    are a beginning: about 64 rows of the default come out as they are, and with methods wavelet and fir the
    first ``min_periods - 1`` are NaN. As no value looks ahead, a whole series may be transformed before it
    is split, which has one beginning (docs/integrations.md).

    NaN is a missing sample and stays NaN. The shape is kept, and so are float32 and float64; all else becomes
    float64. The index of a DataFrame counts: times must not go backwards, and ``breaks="auto"`` goes by them.

    Examples
    --------
    >>> import numpy as np, rpsd
    >>> from rpsd.integrations.sklearn import DenoiseTransformer
    >>> prices = rpsd.simulate("a", 500, nsr=2.0).noisy
    >>> smooth = DenoiseTransformer().fit_transform(prices[:, np.newaxis])
    >>> bool((smooth[:, 0] == rpsd.denoise(prices, lookahead=0)).all())
    True
    """

    @_with_parameters
    def __init__(self, **options: Any) -> None:
        for name in options:
            if name not in _DEFAULTS:
                raise unknown("option", name, _DEFAULTS)
        for name, value in (_DEFAULTS | options).items():
            setattr(self, name, value)

    def fit(self, X: Any, y: Any = None) -> "DenoiseTransformer":
        """Check X and the options; nothing is learnt.

        Parameters
        ----------
        X : array_like or DataFrame, shape (n_samples, n_features)
            Rows in the order of time.
        y : None
            Ignored.

        Returns
        -------
        DenoiseTransformer
            Itself.

        Raises
        ------
        ValueError
            For an X that is not two-dimensional, has no row or column, or an infinite sample.
        ConfigError
            For a bad option.

        Warns
        -----
        RpsdWarning
            For an option that the method does not use.
        """
        self._checked(X, reset=True)
        Denoiser(**self._given())
        return self

    def transform(self, X: Any) -> Any:
        """Denoise each column.

        Parameters
        ----------
        X : array_like or DataFrame, shape (n_samples, n_features)
            Rows in the order of time.

        Returns
        -------
        ndarray, shape (n_samples, n_features)
            float32 where X is, else float64; a DataFrame where `set_output` asks for it.

        Raises
        ------
        ValueError
            As `fit`; an InputError, which is one, where the times of a DataFrame go backwards.
        """
        values = self._checked(X, reset=False)
        denoiser = Denoiser(make_options(**self._given()))  # warns of nothing: fit has
        if not isinstance(X, pandas_type("DataFrame")):
            return denoiser.denoise(values, axis=0, threads=self.threads)
        frame = sys.modules["pandas"].DataFrame(values, index=X.index, columns=X.columns)
        return denoiser.denoise(frame, threads=self.threads).to_numpy()

    def _checked(self, X: Any, *, reset: bool) -> Any:
        return validate_data(
            self, X, reset=reset, dtype=[np.float64, np.float32], ensure_all_finite="allow-nan"
        )

    def _given(self) -> dict[str, Any]:
        """Return the options that have another value than the schema's default."""
        checked = {name: field.check(getattr(self, name)) for name, (_, field) in _FIELDS.items()}
        return {
            option: checked[name]
            for name, (option, field) in _FIELDS.items()
            if checked[name] != field.default
        }

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = True
        tags.transformer_tags.preserves_dtype = ["float64", "float32"]
        tags.requires_fit = False
        return tags
