# SPDX-License-Identifier: MIT
"""Parts of a walk forward: in time order, apart, equally long, and as long as they can be."""

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import rpsd
from rpsd._folds import LEAST_PART, walk_forward

LAYOUT = {
    "folds": st.integers(2, 8),
    "train": st.none() | st.integers(LEAST_PART, 300),
    "purge": st.integers(0, 120),
    "embargo": st.integers(0, 60),
}


def least(folds, train, purge, embargo):
    return 32 * folds + (32 if train is None else train) + purge + (folds - 1) * embargo


@given(**LAYOUT, spare=st.integers(0, 500))
def test_parts_follow_each_other_with_their_gaps(folds, train, purge, embargo, spare):
    n = least(folds, train, purge, embargo) + spare
    splits = walk_forward(n, folds, train, purge, embargo)
    tests = [split.test for split in splits]
    assert len(tests) == folds
    assert tests[-1][1] == n
    (length,) = {stop - start for start, stop in tests}
    assert length >= 32
    assert all(later[0] - earlier[1] == embargo for earlier, later in itertools.pairwise(tests))
    for k, split in enumerate(splits):
        trained = np.zeros(n, bool)
        for start, stop in split.train:
            assert 0 <= start < stop
            assert not trained[start:stop].any()
            trained[start:stop] = True
        end = split.test[0] - purge
        begin = 0 if train is None else end - train
        wanted = np.zeros(n, bool)
        wanted[begin:end] = True
        for _, stop in tests[:k]:
            wanted[stop : stop + embargo] = False
        np.testing.assert_array_equal(trained, wanted)
        assert begin >= 0
    if train is None:
        assert splits[0].train == ((0, tests[0][0] - purge),)
        assert 0 <= splits[0].train[0][1] - length <= folds  # what does not divide is trained on


@given(**LAYOUT)
def test_a_series_one_sample_too_short_is_refused(folds, train, purge, embargo):
    n = least(folds, train, purge, embargo)
    with pytest.raises(rpsd.InputError, match=f"x must have at least {n} samples with folds={folds}, "):
        walk_forward(n - 1, folds, train, purge, embargo)
