"""Component losses L_C, L_N and SDW: what a gain does to the speech and to the noise, weighed against each other."""

from __future__ import annotations

from typing import Annotated, Literal

import torch
from annotated_types import Ge, Gt, Le
from torch import Tensor

from sebench.losses.base import Batch, Estimate, Loss
from sebench.losses.spectral import bins_of, scale_rms


class _ComponentLoss(Loss):
    """Common part: the two terms, weighed by the subclass's (speech, noise).

    Args:
        weight: w in (0, 1], on the noise term of L_C and on the speech term of L_N; at 1 both are the balanced loss.
        form: "component" or "asymmetric".
        scale: "target_rms" divides all signals by the RMS of the speech, utterance by utterance.
        floor: least RMS to divide by, as a factor on the noisy signal's.
    """

    def __init__(
        self,
        *,
        weight: Annotated[float, Gt(0), Le(1)] = 0.4,
        form: Literal["component", "asymmetric"] = "component",
        scale: Literal["target_rms", "none"] = "target_rms",
        floor: Annotated[float, Ge(0)] = 0.3,
    ) -> None:
        super().__init__()
        self.weight, self.form, self.scale, self.floor = weight, form, scale, floor
        self._error = {"component": component_errors, "asymmetric": asymmetric_errors}[form]

    def weights(self) -> tuple[float, float]:
        """Factors on the speech term and on the noise term."""
        raise NotImplementedError

    def forward(self, estimate: Estimate, batch: Batch) -> Tensor:
        """See `Loss.forward`."""
        on_speech, on_noise = self.weights()
        speech_error, noise_error = self._error(estimate, batch)
        error = batch.mean_over_frames(on_speech * speech_error + on_noise * noise_error, estimate.stft)
        if self.scale == "none":
            return error
        return error / scale_rms(batch, "speech", self.floor).square()


def component_errors(estimate: Estimate, batch: Batch) -> tuple[Tensor, Tensor]:
    """|S - G S|^2 and |G N|^2.

    Shape:
        returns two real `(batch, bins, frames)`.
    """
    speech, noise = (batch.magnitude(name, estimate.stft).square() for name in ("speech", "noise"))
    return (1.0 - estimate.gain).square() * speech, estimate.gain.square() * noise


def asymmetric_errors(estimate: Estimate, batch: Batch) -> tuple[Tensor, Tensor]:
    """Squared magnitude error of the output where it is too small (speech lost), and where too large (noise left).

    Shape:
        returns two real `(batch, bins, frames)`.
    """
    stft = estimate.stft
    mixture = (batch.spectrum("speech", stft) + batch.spectrum("noise", stft)).abs()
    error = estimate.gain * mixture - batch.magnitude("speech", stft)
    return torch.relu(-error).square(), torch.relu(error).square()


class ComponentClean(_ComponentLoss):
    """L_C(w): the clean speech is kept, noise counts w.

    L_C(w) = <|S - G S|^2> + w <|G N|^2>. Reconstruction: the two-stage page names L_C without its formula; this is the
    component-loss family of Xu, Elshamy, Fingscheidt (arXiv 1908.05087, ICASSP 2020) and Xia et al. (arXiv 2001.10601).
    `form="asymmetric"`: the squared error of magnitudes, with weight 1 where the output is too small and w where it is
    too large, which fits the printed numbers as well.

    Args:
        weight: w in (0, 1], on the noise term.
        form: "component" or "asymmetric".
        scale: "target_rms" divides all signals by the RMS of the speech, utterance by utterance.
        floor: least RMS to divide by, as a factor on the noisy signal's.
    """

    name = "component_clean"
    version = 1
    needs_views = ("gain",)
    needs_signals = ("speech", "noise", "noisy")
    phase_blind = True
    optimum = "gain"
    invariances = ("level",)
    equation = "(mean |S - G S|^2 + w mean |G N|^2) / rms(s)^2"
    source = "two-stage low-complexity page, 'L_C'; reconstruction after arXiv 1908.05087"

    def weights(self) -> tuple[float, float]:
        """See `_ComponentLoss.weights`."""
        return 1.0, self.weight


class ComponentNoise(_ComponentLoss):
    """L_N(w): noise is suppressed, the speech term counts w.

    L_N(w) = w <|S - G S|^2> + <|G N|^2>. Reconstruction: the two-stage page names L_N without its formula; this is the
    component-loss family of Xu, Elshamy, Fingscheidt (arXiv 1908.05087, ICASSP 2020) and Xia et al. (arXiv 2001.10601).
    `form="asymmetric"`: the squared error of magnitudes, with weight w where the output is too small and 1 where it is
    too large, which fits the printed numbers as well.

    Args:
        weight: w in (0, 1], on the speech term.
        form: "component" or "asymmetric".
        scale: "target_rms" divides all signals by the RMS of the speech, utterance by utterance.
        floor: least RMS to divide by, as a factor on the noisy signal's.
    """

    name = "component_noise"
    version = 1
    needs_views = ("gain",)
    needs_signals = ("speech", "noise", "noisy")
    phase_blind = True
    optimum = "gain"
    invariances = ("level",)
    equation = "(w mean |S - G S|^2 + mean |G N|^2) / rms(s)^2"
    source = "two-stage low-complexity page, 'L_N'; reconstruction after arXiv 1908.05087"

    def weights(self) -> tuple[float, float]:
        """See `_ComponentLoss.weights`."""
        return self.weight, 1.0


class SpeechDistortionWeighted(Loss):
    """Speech-distortion-weighted loss: lambda <|S - G S|^2> + (1 - lambda) <|G N|^2>, equation (17).

    Args:
        weight: lambda; 0.6 is what Braun & Tashev found on their validation set.
        bins: "inner" leaves out the lowest and the highest bin, "all" does not.
    """

    name = "sdw"
    version = 1
    needs_views = ("gain",)
    needs_signals = ("speech", "noise")
    phase_blind = True
    optimum = "gain"
    equation = "lambda mean |S - G S|^2 + (1 - lambda) mean |G N|^2"
    source = "Braun & Tashev, arXiv 2009.12286, eq. (17); Xia et al., arXiv 2001.10601"

    def __init__(
        self, *, weight: Annotated[float, Ge(0), Le(1)] = 0.6, bins: Literal["inner", "all"] = "inner"
    ) -> None:
        super().__init__()
        self.weight = weight
        self._bins = bins_of(bins)

    def forward(self, estimate: Estimate, batch: Batch) -> Tensor:
        """See `Loss.forward`."""
        speech_error, noise_error = component_errors(estimate, batch)
        error = self.weight * speech_error + (1.0 - self.weight) * noise_error
        return batch.mean_over_frames(error[:, self._bins], estimate.stft)
