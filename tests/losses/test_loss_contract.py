"""The contract of losses, over all that are registered: who adds a loss writes no test here."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from sebench.config.items import build, registry
from sebench.config.load import load_config
from sebench.contracts.loss import (
    CHECKS,
    STFT,
    Check,
    ContractBroken,
    check_invariances,
    check_optimum,
    check_phase_blind,
    make_batch,
    make_estimate,
    verdicts,
    with_stand_ins,
)
from sebench.estimate.estimate import Estimate
from sebench.losses.base import Loss
from sebench.losses.compose import build_loss
from sebench.plan.resolve import resolve_loss
from sebench.signal.stft import Stft

ROOT = Path(__file__).parents[2]
OTHER_PARAMS = {
    "mag_mse": {"window_length": 512, "hop": 128},
    "complex_mse": {"window_length": 400, "hop": 100, "n_fft": 512},
    "component_clean": {"form": "asymmetric"},
    "component_noise": {"form": "asymmetric"},
    "lsd": {"window_length": 320, "hop": 160},
    "wlsd": {"weight_from": "estimate"},
    "plsd": {"error": "absolute"},
    "complex_comp": {"exponent": 0.5, "bins": "all"},
    "mag_mse_amr": {"order": 10, "n_fft": 1024, "window_length": 512, "hop": 256},
    "two_sided_mse": {"target": "speech", "scale": "target_rms"},
    "multi_stft": {"compression": "log1p", "denominator": "enhanced", "floor": 2.0},
}
VARIANTS = [(name, {}) for name in registry("loss")] + list(OTHER_PARAMS.items())


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
@pytest.mark.parametrize(("name", "params"), VARIANTS, ids=[f"{n}{'*' if p else ''}" for n, p in VARIANTS])
def test_contract(name: str, params: dict[str, object], check: Check) -> None:
    reason = check(with_stand_ins(build({"type": name, "params": params}, "loss")), make_estimate)
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


def test_spectra_are_computed_once_for_all_losses_on_one_transform(monkeypatch: pytest.MonkeyPatch) -> None:
    """Ten losses on one estimate: the noisy, the clean and the enhanced signal are transformed once each."""
    transformed = []
    forward = Stft.forward
    monkeypatch.setattr(Stft, "forward", lambda self, signal: (transformed.append(self.key), forward(self, signal))[1])
    names = ["mag_mse", "complex_mse", "mag_mae", "lsd", "wplsd", "mag_comp", "complex_comp", "neg_snr", "neg_sdr"]
    tree = {"sum": [{"weight": 1.0, "loss": {"item": {"type": name, "params": {}}}} for name in names]}
    batch = make_batch()
    estimate = Estimate(batch, STFT, waveform=(0.5 * batch.noisy).requires_grad_())
    build_loss(tree)(estimate, batch).sum().backward()
    assert transformed == [STFT.key] * 3


@pytest.mark.parametrize("check", [check_optimum, check_phase_blind])
def test_a_loss_that_lies_is_found(check: Check) -> None:
    with pytest.raises(ContractBroken):
        check(_Lying(), make_estimate)


def test_verdicts_say_what_fails_and_why() -> None:
    found = {what: (holds, why) for what, holds, why in verdicts(_Lying())}
    assert found["It is smallest where it says."][0] is False
    assert "phase_blind = True" in next(why for holds, why in found.values() if "phase" in why)
    assert found["One finite float32 value per utterance."] == (True, "")


CONFIG = load_config(ROOT / "config", strict=False)
OWN = [named.name for named in CONFIG.sections["losses"].values() if not named.family]
SHIPPED = dict.fromkeys(CONFIG.members(name)[i].name for name in OWN for i in (0, -1))


@pytest.mark.parametrize("name", SHIPPED)
def test_shipped_entries_are_what_their_class_declares(name: str) -> None:
    """With their own parameters: a declaration may hold for the defaults alone."""
    loss = with_stand_ins(build_loss(resolve_loss(CONFIG, name).tree))
    for check in (check_optimum, check_invariances, check_phase_blind):
        check(loss, make_estimate)
