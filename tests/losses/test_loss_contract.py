"""The contract of losses, over all that are registered: who adds a loss writes no test here."""

from __future__ import annotations

import pytest
import torch

from sebench.config.items import build, registry
from sebench.losses.base import Loss
from sebench.losses.compose import build_loss
from sebench.losses.contract import CHECKS, Check, ContractBroken, check_optimum, check_phase_blind, make_estimate

OTHER_PARAMS = {
    "mag_mse": {"window_length": 512, "hop": 128},
    "complex_mse": {"window_length": 400, "hop": 100, "n_fft": 512},
    "component_clean": {"form": "asymmetric"},
    "component_noise": {"form": "asymmetric"},
}
VARIANTS = [(name, {}) for name in registry("loss")] + list(OTHER_PARAMS.items())


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
@pytest.mark.parametrize(("name", "params"), VARIANTS, ids=[f"{n}{'*' if p else ''}" for n, p in VARIANTS])
def test_contract(name: str, params: dict[str, object], check: Check) -> None:
    if params.get("window_length") and check.__name__ == "check_gradient":
        pytest.skip("a loss with its own transform reads the waveform")
    reason = check(build({"type": name, "params": params}, "loss"), make_estimate)
    if reason:
        pytest.skip(reason)


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
def test_a_weighted_sum_holds_the_contract(check: Check) -> None:
    items = {"neg_si_snr": 1.0, "complex_mse": 0.02}
    tree = {"sum": [{"weight": w, "loss": {"item": {"type": t, "params": {}}}} for t, w in items.items()]}
    if reason := check(build_loss(tree), make_estimate):
        pytest.skip(reason)


class _Lying(Loss):
    name = ""
    needs_views = ("spectrum",)
    needs_signals = ("clean",)
    phase_blind = True
    optimum = "target"

    def forward(self, estimate, batch):  # type: ignore[no-untyped-def]
        return -torch.view_as_real(estimate.spectrum - batch.spectrum("clean", estimate.stft)).square().mean((1, 2, 3))


@pytest.mark.parametrize("check", [check_optimum, check_phase_blind])
def test_a_loss_that_lies_is_found(check: Check) -> None:
    with pytest.raises(ContractBroken):
        check(_Lying(), make_estimate)
