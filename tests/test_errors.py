# SPDX-License-Identifier: MIT
"""The exception classes keep the ancestry and the content that callers rely on."""

import copy
import pickle

import pytest

from rpsd import _errors

ERRORS = ["ConfigError", "InputError", "GuardrailError", "CausalityError", "StateError"]


@pytest.mark.parametrize("name", ERRORS)
def test_every_error_is_an_rpsd_error(name):
    assert issubclass(getattr(_errors, name), _errors.RpsdError)


def test_no_error_class_is_left_out_of_the_list_above():
    classes = {n for n, c in vars(_errors).items() if isinstance(c, type) and issubclass(c, Exception)}
    assert classes == {"RpsdError", "RpsdWarning", *ERRORS}


def test_only_input_errors_are_value_errors():
    assert issubclass(_errors.InputError, ValueError)
    assert not issubclass(_errors.ConfigError, ValueError)


def test_the_warning_is_a_user_warning_and_no_error():
    assert issubclass(_errors.RpsdWarning, UserWarning)
    assert not issubclass(_errors.RpsdWarning, _errors.RpsdError)


@pytest.mark.parametrize("through", [copy.copy, lambda error: pickle.loads(pickle.dumps(error))])
def test_a_guardrail_error_carries_its_report_between_processes(through):
    error = through(_errors.GuardrailError("rmse 0.7 > 0.5", {"rmse": 0.7}))
    assert type(error) is _errors.GuardrailError
    assert str(error) == "rmse 0.7 > 0.5"
    assert error.report == {"rmse": 0.7}
