"""The two-stage low-complexity system: a band gain, then a complex refinement of its output."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from annotated_types import Ge, Gt, Le
from torch import Tensor

from sebench.models.band_gain import Stage1
from sebench.models.base import FrameModel, Views
from sebench.models.complex_refine import Stage2


class TwoStage(FrameModel):
    """Two-stages: Stage1, then Stage2 on its output, 78,472 parameters.

    S1 = G X, S = M S1; the estimate's mask is M G. Reconstruction: the page names the chain, not what passes between
    the stages; here it is the first stage's spectrum. Trained jointly from the final output; weights of a trained
    Stage1 can be loaded into `stage1`.

    Args:
        bands1, embed1, hidden1: of Stage1.
        singles2, bands2, embed2, hidden2, exponent: of Stage2.
        normalise1, normalise2: normalisation of Stage1's and Stage2's inputs.
        window_length, hop: of the sqrt-Hann STFT, in samples.
    """

    name = "two_stage"
    version = 1
    views = ("waveform", "spectrum", "mask")
    submodules = ("stage1", "stage2")
    free_phase = True
    requires = ("bands1 <= window_length // 2 + 1", "singles2 + bands2 <= window_length // 2 + 1")
    source = "two-stage low-complexity page, 'Two-stages'; reconstruction of the layers"

    def __init__(
        self,
        *,
        bands1: Annotated[int, Ge(2)] = 32,
        embed1: Annotated[int, Ge(1)] = 24,
        hidden1: Annotated[int, Ge(1)] = 56,
        singles2: Annotated[int, Ge(1)] = 32,
        bands2: Annotated[int, Ge(2)] = 32,
        embed2: Annotated[int, Ge(1)] = 128,
        hidden2: Annotated[int, Ge(1)] = 64,
        exponent: Annotated[float, Gt(0), Le(1)] = 0.5,
        normalise1: Literal["none", "running_mean"] = "running_mean",
        normalise2: Literal["none", "running_level"] = "running_level",
        window_length: Annotated[int, Ge(32)] = 256,
        hop: Annotated[int, Ge(16)] = 128,
    ) -> None:
        super().__init__(window_length=window_length, hop=hop)
        self.stage1 = Stage1(
            bands=bands1, embed=embed1, hidden=hidden1, normalise=normalise1, window_length=window_length, hop=hop
        )
        self.stage2 = Stage2(
            singles=singles2,
            bands=bands2,
            embed=embed2,
            hidden=hidden2,
            exponent=exponent,
            normalise=normalise2,
            window_length=window_length,
            hop=hop,
        )

    def network(self, spectrum: Tensor, state: Any = None) -> tuple[Views, Any]:
        """Both stages' masks multiplied.

        Shape:
            spectrum complex `(batch, bins, frames)`; returns "mask" complex `(batch, bins, frames)`.
        """
        state1, state2 = state if state is not None else (None, None)
        first, state1 = self.stage1.network(spectrum, state1)
        between = first["gain"] * spectrum
        second, state2 = self.stage2.network(between, state2)
        return {"mask": second["mask"] * first["gain"], "spectrum": second["mask"] * between}, (state1, state2)
