"""The loss of DEMUCS: a distance of waveforms and of spectra in several resolutions, plain or compressed."""

from __future__ import annotations

from typing import Annotated, Literal

import torch
from annotated_types import Ge, Gt, MinLen
from torch import Tensor, nn

from sebench.losses.base import Batch, Estimate, Loss
from sebench.signal.fft import rfft

#: FFT length, hop, window length
Resolution = tuple[int, int, int]


class MultiStft(Loss):
    """L1 of waveforms, and spectral convergence and log magnitudes in several resolutions, with compression.

    L = <|s^ - s|> + mean over resolutions of (L_sc + L_mag), L_sc = ||f(|S^|) - f(|S|)||_F / ||f(|S|)||_F and
    L_mag = <|log f(|S^|) - log f(|S|)|>, with f(x) = x^r or log(1 + x): equations (1) to (10) of the compressed losses
    for DEMUCS; r = 1 is the original (arXiv 2006.12847), and by (6) the second term is r times the original's.
    Ambiguous in print: the text calls y "enhanced", and (3) then divides by the enhanced spectrum; the original divides
    by the clean one, which is the default here. The print sums over the resolutions and has no weights; here it is the
    mean (for the sum, multiply `sc_weight` and `mag_weight` by their number), as in the public code, which gives the
    two spectral terms the weight 0.1 for causal models. The print has 1/T before the L1 norms of (4), (6), (8); here
    L_mag is the mean over bins too. Norms are of one utterance, as printed; the public code's are of a whole batch.

    Args:
        compression: r, or "log1p".
        resolutions: (FFT length, hop, window length) each, in samples; Hann windows, frames centred on the hops.
        wave_weight, sc_weight, mag_weight: of the three terms.
        denominator: what the spectral convergence is relative to, utterance by utterance.
        floor: least norm to divide by, as a factor on that of the noisy spectrum. The equations have none: a segment
            in a pause of the speech then outweighs all others. (The public code takes one norm over a whole batch.)
        power_floor: least |S|^2.
    """

    name = "multi_stft"
    version = 3
    needs_views = ("waveform",)
    needs_signals = ("clean", "noisy")
    optimum = "target"
    equation = (
        "w_wave mean |s^ - s| + mean_i (w_sc ||f|S^| - f|S|||_F / ||f|S|||_F + w_mag mean |log f|S^| - log f|S||), "
        "f(x) = x^r or log(1 + x)"
    )
    requires = ("all(0 < hop <= window <= n_fft and n_fft % 2 == 0 for n_fft, hop, window in resolutions)",)
    source = "compressed losses for DEMUCS, eqs. (1)-(10); Defossez et al., arXiv 2006.12847"

    def __init__(
        self,
        *,
        compression: Annotated[float, Gt(0)] | Literal["log1p"] = 1.0,
        resolutions: Annotated[tuple[tuple[int, int, int], ...], MinLen(1)] = (
            (512, 50, 240),
            (1024, 120, 600),
            (2048, 240, 1200),
        ),
        wave_weight: Annotated[float, Ge(0)] = 1.0,
        sc_weight: Annotated[float, Ge(0)] = 1.0,
        mag_weight: Annotated[float, Ge(0)] = 1.0,
        denominator: Literal["clean", "enhanced"] = "clean",
        floor: Annotated[float, Ge(0)] = 0.0,
        power_floor: Annotated[float, Gt(0)] = 1e-7,
    ) -> None:
        super().__init__()
        self.compress = _Log1p() if compression == "log1p" else _Power(float(compression))
        self.resolutions: list[Resolution] = [(n_fft, hop, window) for n_fft, hop, window in resolutions]
        for n_fft, hop, window_length in self.resolutions:
            if not 0 < hop <= window_length <= n_fft or n_fft % 2:
                raise ValueError(
                    f"resolution {n_fft, hop, window_length}: 0 < hop <= window length <= FFT length, which is even"
                )
            hann = torch.hann_window(window_length, periodic=True)
            self.register_buffer(f"window_{window_length}", hann, persistent=False)
        self.weights = (wave_weight, sc_weight, mag_weight)
        self.denominator = denominator
        self.floor = floor
        self.power_floor = power_floor

    def forward(self, estimate: Estimate, batch: Batch) -> Tensor:
        """See `Loss.forward`."""
        return self.forward_with_terms(estimate, batch)[0]

    def forward_with_terms(self, estimate: Estimate, batch: Batch) -> tuple[Tensor, dict[str, Tensor]]:
        """See `Loss.forward_with_terms`: the three terms are named."""
        output, target = batch.mask(estimate.waveform), batch.signal("clean")
        pairs = [self._distances(output, resolution, batch) for resolution in self.resolutions]
        convergence, magnitude = (torch.stack(values).mean(0) for values in zip(*pairs, strict=True))
        terms = {
            "wave_l1": batch.mean_over_samples((output - target).abs()),
            "spectral_convergence": convergence,
            "log_magnitude": magnitude,
        }
        total = sum(weight * term for weight, term in zip(self.weights, terms.values(), strict=True))
        assert isinstance(total, Tensor)
        return total, terms

    def _distances(self, output: Tensor, resolution: Resolution, batch: Batch) -> tuple[Tensor, Tensor]:
        """L_sc and L_mag in one resolution, each `(batch,)`."""
        key = ("centred_power", "clean", resolution, self.power_floor)
        target = batch.keep(key, lambda: self._power(batch.signal("clean"), resolution))
        enhanced = self._power(output, resolution)
        (small, log_small), (large, log_large) = self.compress(enhanced), self.compress(target)
        # the frames that are centred on a sample of the utterance
        counts = torch.div(batch.true_lengths(), resolution[1], rounding_mode="floor") + 1
        difference, reference = small - large, large if self.denominator == "clean" else small
        logs = (log_small - log_large).abs()
        if batch.padded:
            valid = (torch.arange(target.shape[1], device=target.device) < counts[:, None]).float()[..., None]
            difference, reference, logs = difference * valid, reference * valid, logs * valid
        norm = _norm(reference)
        if self.floor:
            key = ("centred_power", "noisy", resolution, self.power_floor)
            noisy, _ = self.compress(batch.keep(key, lambda: self._power(batch.signal("noisy"), resolution)))
            norm = torch.maximum(norm, self.floor * _norm(noisy * valid if batch.padded else noisy))
        convergence = _norm(difference) / norm
        return convergence, logs.sum((1, 2)) / (counts * target.shape[2])

    def _power(self, signal: Tensor, resolution: Resolution) -> Tensor:
        """Floored |S|^2. Where in a frame its window stands turns the phases alone: no zeros come before it.

        Shape:
            signal `(batch, samples)`; returns `(batch, 1 + samples // hop, bins)`.
        """
        n_fft, hop, window_length = resolution
        frames = 1 + signal.shape[-1] // hop
        before = n_fft // 2 - (n_fft - window_length) // 2
        after = (frames - 1) * hop + window_length - before - signal.shape[-1]
        framed = nn.functional.pad(signal, (before, after)).unfold(-1, window_length, hop)
        parts = rfft(framed * getattr(self, f"window_{window_length}"), n_fft)
        return parts.square().sum(-1).clamp_min(self.power_floor)


class _Power:
    """x^2 -> x^r and its logarithm."""

    def __init__(self, exponent: float) -> None:
        self.exponent = exponent

    def __call__(self, power: Tensor) -> tuple[Tensor, Tensor]:
        logarithm = 0.5 * self.exponent * power.log()
        return power.sqrt() if self.exponent == 1.0 else logarithm.exp(), logarithm


class _Log1p:
    """x^2 -> log(1 + x) and its logarithm."""

    def __call__(self, power: Tensor) -> tuple[Tensor, Tensor]:
        compressed = power.sqrt().log1p()
        return compressed, compressed.log()


def _norm(values: Tensor) -> Tensor:
    """Frobenius norm of each utterance, with a gradient of zero at zero."""
    norm: Tensor = torch.linalg.vector_norm(values, dim=(1, 2))
    return norm
