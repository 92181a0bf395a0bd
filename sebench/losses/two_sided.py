"""The mean squared error over all bins of a two-sided spectrum, against either of two targets."""

from __future__ import annotations

from typing import Annotated, Literal

from annotated_types import Ge
from torch import Tensor

from sebench.losses.base import Batch, Estimate, Loss
from sebench.losses.spectral import scale_rms, squared


class TwoSidedMse(Loss):
    """<|S^ - S|^2> over frames and all K bins of the two-sided transform: equations (5) and (6) of PESQNet.

    `target: clean` is (5), J_joint, which asks for dereverberation too; `target: speech`, the speech as it is in the
    mixture, is (6), J_noise. A sum of the two with weights beta and 1 - beta is (7).

    Args:
        target: "clean", the direct-path speech, or "speech", with its room.
        scale: "target_rms" divides estimate and target by the target's RMS, utterance by utterance. The equations
            have no scale, and (9) adds them to a squared difference of scores.
        floor: least RMS to divide by, as a factor on the noisy signal's; 0.3 is a target at -10 dB SNR.
    """

    name = "two_sided_mse"
    version = 1
    needs_views = ("spectrum",)
    needs_signals = ("clean", "speech", "noisy")
    optimum = "target"
    equation = "mean_{k,t} |S^(k,t) - S(k,t)|^2 over the K bins of the two-sided spectrum"
    source = "Xu, Strake, Fingscheidt, arXiv 2111.03847, eqs. (5), (6)"

    def __init__(
        self,
        *,
        target: Literal["clean", "speech"] = "clean",
        scale: Literal["target_rms", "none"] = "none",
        floor: Annotated[float, Ge(0)] = 0.3,
    ) -> None:
        super().__init__()
        self.target, self.scale, self.floor = target, scale, floor

    def forward(self, estimate: Estimate, batch: Batch) -> Tensor:
        """See `Loss.forward`."""
        stft = estimate.stft
        error = squared(estimate.spectrum - batch.spectrum(self.target, stft))
        # All bins count twice but the first one and, where there is one, the middle of the two-sided spectrum.
        once = error[:, 0] + (error[:, -1] if stft.n_fft % 2 == 0 else 0.0)
        total = (2 * error.sum(1) - once) / stft.n_fft
        mean = batch.mean_over_frames(total[:, None], stft)
        return mean if self.scale == "none" else mean / scale_rms(batch, self.target, self.floor).square()
