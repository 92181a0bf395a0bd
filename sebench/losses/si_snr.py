"""Negative scale-invariant signal-to-noise ratio."""

from __future__ import annotations

import torch
from torch import Tensor

from sebench.losses.base import Batch, Estimate, Loss

#: Part of the estimate's own power that is added to both sides of the ratio: the value stays within +-80 dB.
RELATIVE_FLOOR = 1e-8
#: Mean square below which a signal counts as silent (-120 dB re full scale).
SILENCE = 1e-12


class NegSiSnr(Loss):
    """Negative SI-SNR in dB.

    With zero-mean s^ and s and s_t = <s^,s> s / |s|^2: -10 log10(|s_t|^2 / |s^ - s_t|^2), over the utterance's samples
    (Luo & Mesgarani, IEEE/ACM TASLP 27(8), 2019, eqs. 21-23; Le Roux et al., ICASSP 2019, eq. 5, with zero-mean
    signals). A floor of 1e-8 of the estimate's power bounds it at 80 dB and keeps it scale-invariant; a silent target
    or estimate gives a finite value.
    """

    name = "neg_si_snr"
    version = 2
    needs_views = ("waveform",)
    needs_signals = ("clean",)
    optimum = "any_scale"
    invariances = ("level", "estimate_scale", "polarity")
    equation = "-10 log10(|s_t|^2 / |s^ - s_t|^2), s_t = <s^,s> s / |s|^2"
    source = "Luo & Mesgarani, IEEE/ACM TASLP 27(8), 2019; Le Roux et al., ICASSP 2019"

    def forward(self, estimate: Estimate, batch: Batch) -> Tensor:
        """See `Loss.forward`."""
        output, count = batch.mask(estimate.waveform), batch.true_lengths()
        target, target_power = batch.keep("zero_mean_clean", lambda: _zero_mean(batch.signal("clean"), batch))
        # The target has no mean, so neither its product with the output nor the part along it knows the output's.
        alpha = torch.linalg.vecdot(output, target) / count / (target_power + SILENCE)
        rest = output - alpha[:, None] * target
        error = torch.linalg.vecdot(rest, rest) / count - (rest.sum(-1) / count).square()
        wanted = alpha.square() * target_power
        floor = RELATIVE_FLOOR * (wanted + error).detach() + SILENCE
        loss: Tensor = -10.0 * ((wanted + floor) / (error.clamp_min(0.0) + floor)).log10()
        return loss


def _zero_mean(signal: Tensor, batch: Batch) -> tuple[Tensor, Tensor]:
    """The signal without its mean, and its power."""
    centred = batch.mask(signal - batch.mean_over_samples(signal)[:, None])
    return centred, torch.linalg.vecdot(centred, centred) / batch.true_lengths()
