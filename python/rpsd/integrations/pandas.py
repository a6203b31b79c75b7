# SPDX-License-Identifier: MIT
"""An accessor of pandas objects: importing this module registers ``series.rpsd`` and ``frame.rpsd``."""

from typing import Any

import pandas as pd

from rpsd._api import denoise

__all__ = ["RpsdAccessor"]


@pd.api.extensions.register_series_accessor("rpsd")
@pd.api.extensions.register_dataframe_accessor("rpsd")
class RpsdAccessor:
    """What ``import rpsd.integrations.pandas`` adds to Series and DataFrames."""

    def __init__(self, data: Any) -> None:
        self._data = data

    def denoise(self, **given: Any) -> Any:
        """Denoise from the past alone: the value of a row uses no later row unless lookahead says so.

        Parameters
        ----------
        **given
            by, time, value, threads and the options of `rpsd.denoise`, but for lookahead, which is 0
            unless it is given; None is offline.

        Returns
        -------
        Series or DataFrame
            Mirrors the object.

        Examples
        --------
        >>> import pandas as pd, rpsd.integrations.pandas
        >>> pd.Series([1.0, 2.0, 3.0], name="px").rpsd.denoise().to_list()
        [1.0, 2.0, 3.0]
        """
        return denoise(self._data, **{"lookahead": 0} | given)
