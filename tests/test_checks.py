import pytest
from hypothesis import given
from hypothesis import strategies as st

from fairhuman.checks import within


@given(st.floats(0.95001, 1.04999))
def test_text_is_constant_inside_the_tolerance(factor):
    assert within("norm", 3.0 * factor, 3.0, relative=0.05) == "norm: 3 ± 5 %"


@given(st.floats(1.0501, 1e6))
def test_text_shows_the_value_outside(factor):
    assert "found" in within("norm", 3.0 * factor, 3.0, relative=0.05)


def test_not_a_number_is_outside():
    assert within("norm", float("nan"), 3.0, absolute=1) == "norm: found nan, expected 3 ± 1"


def test_a_tolerance_is_needed():
    with pytest.raises(ValueError, match="one must be positive"):
        within("norm", 1.0, 1.0)
