# SPDX-License-Identifier: MIT
"""A namespace of polars expressions (extra: frames): importing this registers ``pl.col("px").rpsd``."""

from typing import Any

from rpsd._denoiser import Denoiser
from rpsd._errors import InputError

try:
    import narwhals  # noqa: F401  frames are read through it
    import polars as pl
except ModuleNotFoundError as error:
    if error.name not in {"narwhals", "polars"}:
        raise
    raise ModuleNotFoundError(
        f'rpsd.integrations.polars needs {error.name}: pip install polars "rpsd[frames]"', name=error.name
    ) from None

__all__ = ["RpsdExpr"]

_FLOATS = (pl.Float32, pl.Float64)


@pl.api.register_expr_namespace("rpsd")
class RpsdExpr:
    """What ``import rpsd.integrations.polars`` adds to expressions."""

    def __init__(self, expr: pl.Expr) -> None:
        self._expr = expr

    def denoise(
        self, *, by: str | list[str] | None = None, time: str | None = None, threads: int = 1, **options: Any
    ) -> pl.Expr:
        """Denoise from the past alone: the value of a row uses no later row unless lookahead says so.

        Parameters
        ----------
        by, time : str, optional
            Columns of keys and of times, as in `rpsd.denoise`. ``over(by)`` gives the same values as
            by, but checks no times and takes one call for each group.
        threads : int, optional
            Threads to share the series out to; 0: one for each processor.
        **options
            Those of `rpsd.denoise`, but for lookahead, which is 0 unless it is given; None is offline.

        Returns
        -------
        polars.Expr
            Of the same length and name; Float32 where the prices are, else Float64. Nulls stay nulls; the
            first or last rows that a method has no value for are NaN.

        Examples
        --------
        >>> import polars as pl, rpsd.integrations.polars
        >>> frame = pl.DataFrame({"symbol": ["A", "A", "B"], "px": [1.0, 2.0, 3.0]})
        >>> frame.lazy().select(pl.col("px").rpsd.denoise().over("symbol")).collect()["px"].to_list()
        [1.0, 2.0, 3.0]
        """
        denoiser = Denoiser(**{"lookahead": 0} | options)
        if by is None and time is None:

            def of_series(series: pl.Series) -> pl.Series:
                if series.dtype in _FLOATS and not series.null_count():
                    # As an array, which is what takes least of each of many small groups.
                    return pl.Series(series.name, denoiser.denoise(series.to_numpy(), threads=threads))
                return denoiser.denoise(series, threads=threads)

            return _mapped(self._expr, self._expr, of_series)

        value = self._expr.meta.output_name(raise_if_undetermined=False)
        labels = [*(by if isinstance(by, list) else [by]), time]
        columns = [label for label in labels if label is not None]
        if value is None or value in columns:
            raise InputError(f"by and time must be other columns than the one denoised, got {columns!r}")

        def over_table(series: pl.Series) -> pl.Series:
            table = series.struct.unnest()
            return denoiser.denoise(table, by=by, time=time, value=value, threads=threads)[value]

        return _mapped(self._expr, pl.struct(self._expr, *map(pl.col, columns)), over_table)


def _mapped(expr: pl.Expr, whole: pl.Expr, function: Any) -> pl.Expr:
    """Return an expression that calls a function on all rows of a group at once."""
    if not hasattr(pl.Expr, "pipe_with_dtype"):  # older polars finds it by a call with made-up rows
        return whole.map_batches(function)
    return expr.pipe_with_dtype(
        lambda _, dtype: whole.map_batches(function, return_dtype=dtype if dtype in _FLOATS else pl.Float64)
    )
