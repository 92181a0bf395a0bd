"""Negative scale-invariant signal-to-noise ratio."""

from __future__ import annotations

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
    version = 1
    needs_views = ("waveform",)
    needs_signals = ("clean",)
    phase_blind = False
    optimum = "any_scale"
    invariances = ("level", "estimate_scale", "polarity")
    equation = "-10 log10(|s_t|^2 / |s^ - s_t|^2), s_t = <s^,s> s / |s|^2"
    source = "Luo & Mesgarani, IEEE/ACM TASLP 27(8), 2019; Le Roux et al., ICASSP 2019"

    def forward(self, estimate: Estimate, batch: Batch) -> Tensor:
        """See `Loss.forward`."""
        output, target = _zero_mean(estimate.waveform, batch), _zero_mean(batch.signal("clean"), batch)
        count = batch.true_lengths()

        def mean_square(signal: Tensor) -> Tensor:
            return signal.square().sum(-1) / count

        product = (output * target).sum(-1) / count
        alpha = product / (mean_square(target) + SILENCE)
        wanted = alpha[:, None] * target
        floor = RELATIVE_FLOOR * mean_square(output.detach()) + SILENCE
        return -10.0 * ((mean_square(wanted) + floor) / (mean_square(output - wanted) + floor)).log10()


def _zero_mean(signal: Tensor, batch: Batch) -> Tensor:
    return batch.mask(signal - batch.mean_over_samples(signal)[:, None])
