"""The sentence of a claim: its numbers say what they are."""

from __future__ import annotations

import pytest

from sebench.statistics.claims import Verdict
from sebench.tables.table import JudgedClaim


@pytest.mark.parametrize(
    ("difference", "low", "high", "expected"),
    [
        (0.31, 0.12, 0.5, "difference +0.31, 95% interval +0.12 to +0.50"),
        (0.31, 0.0, 0.5, "difference +0.31, 95% interval +0.00 to +0.50"),
        (0.0021, -0.0002, 0.0040, "difference +0.0021, 95% interval -0.0002 to +0.0040"),
        (-1.8e-5, -3.3e-5, -4.1e-6, "difference -0.000018, 95% interval -0.000033 to -0.000004"),
        (-1.8e-9, -3.3e-9, -4.1e-10, "difference -0.000000, 95% interval -0.000000 to -0.000000"),
        (12.5, 12.1, 13.0, "difference +12.50, 95% interval +12.10 to +13.00"),
    ],
)
def test_a_small_difference_is_not_printed_as_zero(difference: float, low: float, high: float, expected: str) -> None:
    claim = JudgedClaim("text", "A", "B", "PESQ", "", Verdict("holds", difference, low, high, 32))
    assert claim.line() == f"holds: text (A over B, PESQ): {expected}, 32 scenes"


def test_a_difference_without_an_interval() -> None:
    claim = JudgedClaim("text", "A", "B", "PESQ", "", Verdict("holds", 0.004, 0.004, 0.004))
    assert claim.line() == "holds: text (A over B, PESQ): difference +0.004"
