"""Training a predictor of a metric on the output of an enhancer (PESQNet)."""

from __future__ import annotations

from collections.abc import Callable

from torch import nn

from sebench.stages.with_predictor import WithPredictor, hold, mean_of
from sebench.training.history import Validation
from sebench.training.optimisers import build_optimiser
from sebench.training.stage import Context, StepResult


class PredictorTraining(WithPredictor):
    """A predictor on the output of a frozen enhancer, by the squared difference to the measured metric."""

    name = "predictor"
    version = 2
    trains = ("predictor",)
    publishes = ("predictor",)
    starts = ("enhancer",)
    needs = ("enhancer",)
    takes_loss = False
    measure = "squared error"
    augments = False
    tells = ("mae", "lcc", "mae_noisy", "lcc_noisy", "unlabelled")
    source = "Xu, Strake, Fingscheidt, arXiv 2111.03847, sec. IV-B"

    def start(self, context: Context) -> None:
        """See `Stage.start`."""
        super().start(context)
        hold(self.enhancer)
        self.modules = {"enhancer": self.enhancer, "predictor": self.predictor, "unlabelled": self.unlabelled}
        parameters = [parameter for parameter in self.predictor.parameters() if parameter.requires_grad]
        self.optimisers = {"predictor": build_optimiser(parameters, context.spec.stage.optimiser)}
        self.steps = context.spec.stage.steps
        self.valid_name = self.measure
        self._set_training()

    @property
    def product(self) -> nn.Module:
        """The predictor."""
        return self.predictor

    def _initialised(self) -> dict[str, nn.Module]:
        return {"": self.predictor, "enhancer": self.enhancer}

    def step(self, number: int) -> StepResult:
        """One batch, one step of the optimiser; none where no utterance has a label."""
        return self._train_predictor(number, self.steps - 1, self.optimisers["predictor"])

    def validate(self, step: int, pause: Callable[[], None]) -> Validation:
        """Mean squared error over whole utterances, of each the mean over its signals; MAE and LCC beside it."""
        pairs = [pairs for _, pairs in self._validated(pause)]
        errors = tuple(mean_of([(p - m) ** 2 for p, m in one if m is not None]) for one in pairs)
        found = [error for error in errors if error is not None]
        also = {**self._agreement(pairs), "unlabelled": self.unlabelled.value}
        return Validation(mean_of(found), len(found), len(pairs), errors, also)

    def _set_training(self) -> None:
        self.predictor.train()
