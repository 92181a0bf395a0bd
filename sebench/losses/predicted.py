"""The distance from the best score that a predictor can give."""

from __future__ import annotations

from torch import Tensor

from sebench.losses.base import Batch, Estimate, Loss
from sebench.predictors.base import Predictor


class PredictedScore(Loss):
    """(P^ - P_max)^2, with P^ what the training stage's predictor says of the estimate: equation (8) of PESQNet.

    The predictor's weights get no gradient from it where the stage has frozen them.

    Args:
        best: P_max, the score to be reached; 4.64 is the highest of P.862.2 as the source states it.
    """

    name = "predicted_score"
    version = 1
    needs_views = ("spectrum",)
    uses = ("predictor",)
    phase_blind = True
    equation = "(P^ - best)^2, P^ = predictor(|S^|)"
    source = "Xu, Strake, Fingscheidt, arXiv 2111.03847, eq. (8)"

    def __init__(self, *, best: float = 4.64) -> None:
        super().__init__()
        self.best = best

    def forward(self, estimate: Estimate, batch: Batch) -> Tensor:
        """See `Loss.forward`."""
        predictor = self.network("predictor")
        assert isinstance(predictor, Predictor)
        return (predictor.of_estimate(estimate, batch) - self.best).square()
