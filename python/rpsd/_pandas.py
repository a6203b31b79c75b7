# SPDX-License-Identifier: MIT
"""The types of pandas, which is never imported for them."""

import sys
from typing import Any


def pandas_type(name: str) -> tuple[Any, ...]:
    """Return a type of pandas as `isinstance` takes it; none where nobody has loaded pandas.

    Another thread may be about to: the module is there from the beginning of its import, its types are not.
    """
    found = getattr(sys.modules.get("pandas"), name, None)
    return () if found is None else (found,)
