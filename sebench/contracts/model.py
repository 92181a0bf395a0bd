"""What every model must hold, built-in or from outside, as plain functions.

A check returns an empty string, or the reason why it does not apply, and raises `ContractBroken` with what was found.
`ESSENTIAL` are those without which the numbers of a run would not mean what its table says; they are made before
the first training step; a small model costs less than a second, a large one some seconds. `CHECKS` are all.
"""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import itertools
import math
from collections.abc import Callable, Iterator, Sequence

import torch
from torch import Tensor

from sebench.contracts.base import ContractBroken, Verdict, judged
from sebench.estimate.batch import Batch
from sebench.estimate.estimate import Estimate
from sebench.models.base import Model
from sebench.models.input_statistics import measure_inputs
from sebench.seeding import seed_of

#: Root mean square of the signals under test.
LEVEL = 0.05
#: Largest part of a change of the output that may come earlier than the delay: what a convolution by FFT smears.
LEAK = 1e-4
#: Largest difference of streamed and offline output, relative to the output's root mean square: 60 dB below it.
STREAM_TOLERANCE = 1e-3
#: The same of what must be equal; sums in another order, as of another memory alignment, differ by less.
EQUAL = 1e-5
#: Lengths of chunks, over and over: shorter and longer than a block, and none of them a multiple of one.
CHUNKS = (1, 37, 641, 130)
#: Places at which the future begins, this far apart: all phases of a block come near.
PLACES, APART = 4, 53
#: The same for a long signal: few, as each call costs.
LONG_CHUNKS = (4001, 9973, 2503, 12007)
#: Samples of most signals: no whole number of blocks.
SAMPLES = 2001
#: Duration of a causal model's long signal: look-ahead of up to half of it is seen.
LONG_SECONDS = 2


@dataclasses.dataclass
class Subject:
    """A model under test.

    Args:
        name: for messages.
        build: makes a model with fresh weights from the global generator.
        device: where it is tested.
        frozen: submodules that are not trained.
        shaken: whether the model bears that its weights are not those of the start; `model` finds out.
    """

    name: str
    build: Callable[[], Model]
    device: torch.device = dataclasses.field(default_factory=lambda: torch.device("cpu"))
    frozen: Sequence[str] = ()
    shaken: bool = True

    def fresh(self, draw: int = 0, *, shaken: bool = True) -> Model:
        """A model in evaluation, the same for the same `draw`; `shaken`: with weights that are not those of the start.

        Weights of the start may hide what a model does: a last layer of zeros makes everything before it invisible.
        """
        torch.manual_seed(seed_of("model contract", draw))
        model = self.build().to(self.device)
        if shaken:
            with torch.no_grad():
                for parameter in model.parameters():
                    parameter.add_(0.1 * _spread(parameter) * torch.randn(parameter.shape).to(parameter))
        measure_inputs(model, [_of(model, self.noise(1, SAMPLES))])
        return model.eval()

    @functools.cached_property
    def model(self) -> Model:
        """The model of most checks: shaken, unless it blows up by that, as a recursion may."""
        return self._heard[0]

    @property
    def long(self) -> tuple[Tensor, Tensor]:
        """A signal of `LONG_SECONDS` and the output for it; a short one for a model that is not causal.

        Shape:
            returns `(1, samples)` both.
        """
        return self._heard[1:]

    @functools.cached_property
    def _heard(self) -> tuple[Model, Tensor, Tensor]:
        for self.shaken in (True, False):
            model = self.fresh(shaken=self.shaken)
            signal = self.noise(1, LONG_SECONDS * model.sample_rate if model.causal else SAMPLES, seed=2)
            with torch.no_grad():
                output = model(_of(model, signal)).waveform
            if output.isfinite().all():
                break
        return model, signal, output

    def noise(self, rows: int, samples: int, seed: int = 0) -> Tensor:
        """White noise.

        Shape:
            returns `(rows, samples)`.
        """
        generator = torch.Generator().manual_seed(seed_of("model contract", "noise", seed))
        return (LEVEL * torch.randn(rows, samples, generator=generator)).to(self.device)

    def batch(self, rows: int = 2, samples: int = SAMPLES, seed: int = 0) -> Batch:
        """A batch of noise."""
        return _of(self.model, self.noise(rows, samples, seed))

    def require(self, condition: bool, found: str) -> None:
        """Raise `ContractBroken` unless it holds."""
        if not condition:
            raise ContractBroken(f"model {self.name}: {found}")

    def require_equal(self, found: Tensor, expected: Tensor, what: str, relative: float = EQUAL) -> None:
        """Raise `ContractBroken` with the largest difference, unless both are the same within a tolerance."""
        self.require(found.shape == expected.shape, f"{what}: shapes {tuple(found.shape)}, {tuple(expected.shape)}")
        difference, size = float((found - expected).abs().max()), _rms(expected)
        holds = difference <= relative * size + 1e-7
        self.require(holds, f"{what}: difference up to {difference:.2g} at a root mean square of {size:.2g}")

    @property
    def delay(self) -> int:
        """The delay that the model states.

        Raises:
            ContractBroken: it states none.
        """
        try:
            delay = self.model.delay
        except NotImplementedError:
            raise ContractBroken(f"model {self.name}: {_NO_STREAM.format('delay')}") from None
        self.require(isinstance(delay, int) and delay >= 0, f"delay {delay!r}; must be a number of samples, 0 or more")
        return delay


_NO_STREAM = (
    "causal = True (also where a class does not say) and no `{}`; give it delay, reset, stream and flush, or make it a "
    "FrameModel, or say causal = False"
)


def _of(model: Model, noisy: Tensor, lengths: Tensor | None = None) -> Batch:
    """The signals as a batch at the model's rate."""
    return Batch(noisy, lengths=lengths, sample_rate=model.sample_rate)


def _spread(values: Tensor) -> float:
    """Standard deviation of weights; of equal ones what keeps the size of a layer's output."""
    spread = float(values.std()) if values.numel() > 1 else 0.0
    return spread or 0.3 * (values[0].numel() if values.dim() > 1 else 1) ** -0.5


def _rms(values: Tensor) -> float:
    return float(values.abs().square().mean().sqrt()) if values.numel() else 0.0


@contextlib.contextmanager
def _full_precision() -> Iterator[None]:
    """Convolutions in float32 on a GPU too, where TF32 would differ more than the tolerances."""
    before = torch.backends.cudnn.allow_tf32
    torch.backends.cudnn.allow_tf32 = False
    try:
        yield
    finally:
        torch.backends.cudnn.allow_tf32 = before


def check_output(subject: Subject) -> str:
    """A finite float32 waveform as long as the input, and the declared views in the shape of the spectrum."""
    _check_output(subject, SAMPLES)
    return ""


def check_short(subject: Subject) -> str:
    """The same of one sample, of less than a block, and of one block."""
    for samples in (1, 100, 128):
        _check_output(subject, samples)
    return ""


def _check_output(subject: Subject, samples: int) -> None:
    with torch.no_grad():
        estimate = subject.model(subject.batch(2, samples))
    subject.require(isinstance(estimate, Estimate), f"gives {type(estimate).__name__}; must give an Estimate")
    values = {"waveform": estimate.waveform}
    for view in subject.model.views:
        try:
            values[view] = getattr(estimate, view)
        except (ValueError, AttributeError) as error:
            raise ContractBroken(f"model {subject.name}: declares the view {view!r}: {error}") from None
    frames = (2, estimate.stft.bins, estimate.stft.frames(samples))
    for view, value in values.items():
        shape = (2, samples) if view == "waveform" else frames
        found = f"{view} of shape {tuple(value.shape)} for 2 signals of {samples} samples; must be {shape}"
        subject.require(tuple(value.shape) == shape, found)
        dtype = torch.complex64 if view in ("spectrum", "mask") else torch.float32
        subject.require(value.dtype == dtype, f"{view} of type {value.dtype}; must be {dtype}")
        subject.require(bool(value.isfinite().all()), f"{view} of {samples} samples of noise is not finite")


def check_views_agree(subject: Subject) -> str:
    """A declared gain or mask times the noisy spectrum is the spectrum."""
    views = {"gain", "mask"} & set(subject.model.views)
    batch = subject.batch()
    with torch.no_grad():
        estimate = subject.model(batch)
        noisy = batch.spectrum("noisy", estimate.stft)
        for view in sorted(views):
            product = getattr(estimate, view) * noisy
            subject.require_equal(
                product, estimate.spectrum, f"{view} times the noisy spectrum, and the spectrum", 1e-3
            )
    return "" if views else "it declares neither"


def check_repeatable(subject: Subject) -> str:
    """The same weights from the same seed, and the same output for the same input, whatever it was given before."""
    model, other = subject.fresh(7), subject.fresh(7)
    for (name, weight), again in zip(model.state_dict().items(), other.state_dict().values(), strict=True):
        subject.require(torch.equal(weight, again), f"{name} differs between two models of one seed")
    with torch.no_grad():
        first = subject.model(subject.batch()).waveform.clone()
        subject.model(subject.batch(1, 800, seed=1))
        second = subject.model(subject.batch()).waveform
    subject.require_equal(second, first, "the same input twice, another one between, in evaluation")
    return ""


def check_trained(subject: Subject) -> str:
    """In training, the seed decides; a finite gradient that is not zero reaches every parameter that is trained."""
    first, untouched = _trained(subject, 0)
    again, _ = _trained(subject, 0)
    subject.require_equal(again, first, "the same input and seed twice, in training")
    if untouched:  # with other weights too: by chance a rectifier may be shut for all inputs
        untouched &= _trained(subject, 1)[1]
    subject.require(
        not untouched, f"no gradient reaches {', '.join(sorted(untouched))}: not trained, whatever the loss"
    )
    return ""


def _trained(subject: Subject, draw: int) -> tuple[Tensor, set[str]]:
    """The output in training, and the trained parameters that no gradient reaches from any declared view."""
    model = subject.fresh(draw, shaken=subject.shaken).train()
    for path, part in model.named_modules():
        if path in subject.frozen:
            part.requires_grad_(False)
    torch.manual_seed(seed_of("model contract", "training"))
    estimate = model(subject.batch(2, 1200))
    values = [estimate.waveform, *(getattr(estimate, view) for view in model.views)]
    total = torch.stack([value.abs().square().sum() for value in values]).sum()
    if total.requires_grad:
        total.backward()
    trained = {name: parameter.grad for name, parameter in model.named_parameters() if parameter.requires_grad}
    for name, gradient in trained.items():
        finite = gradient is None or bool(gradient.isfinite().all())
        subject.require(finite, f"the gradient of {name} is not finite")
    dead = {name for name, gradient in trained.items() if gradient is None or not bool((gradient != 0).any())}
    return estimate.waveform.detach(), dead


def check_future(subject: Subject) -> str:
    """The output does not depend on samples of the input that come later than its stated delay."""
    if not subject.model.causal:
        return "it is not causal, and says so"
    delay, model = subject.delay, subject.model
    places = delay + 600 + APART * torch.arange(PLACES, device=subject.device)
    signal = subject.noise(1, 2 * delay + 1200).expand(PLACES, -1).contiguous()
    with torch.no_grad():
        _require_no_future(subject, signal, model(_of(model, signal)).waveform, places)
        signal, output = subject.long  # whose future begins at no block's end
        place = min(signal.shape[1] // 2 - APART + delay, signal.shape[1] - APART)
        _require_no_future(subject, signal, output, torch.tensor([place], device=subject.device))
    return ""


def _require_no_future(subject: Subject, signal: Tensor, output: Tensor, places: Tensor) -> None:
    """Raise `ContractBroken` if another signal from a place on, in each row, changes the output too early."""
    delay, places = subject.delay, places[:, None]
    time = torch.arange(signal.shape[1], device=subject.device)
    changed = torch.where(time < places, signal, subject.noise(1, signal.shape[1], seed=1))
    difference = (subject.model(_of(subject.model, changed)).waveform - output).abs()
    early = torch.where(time < places - delay, difference, 0.0)
    size, leak = float(difference.max()), float(early.max())
    subject.require(math.isfinite(size), f"its output for {signal.shape[1]} samples of noise is not finite")
    seen = torch.where(early > LEAK * size + 1e-7, places - time, 0)
    subject.require(
        not bool(seen.any()),
        f"causal = True with a delay of {delay} samples, and a change of its input changes the output up to "
        f"{int(seen.max())} samples earlier, by up to {leak:.2g} (RMS of the input {LEVEL}): it looks ahead",
    )


def check_stream(subject: Subject, chunks: Sequence[int] = ()) -> str:
    """`stream`, from chunk to chunk, and `flush` give the offline output after the delay."""
    if not subject.model.causal:
        return "it is not causal, and says so"
    subject.require(not subject.model.two_rates, "hears another rate than it makes, and causal = True: no stream does")
    lengths = list(chunks or _chunks(subject.delay + 1000, CHUNKS))
    signal = subject.noise(2, sum(lengths))
    with torch.no_grad():
        _require_streamed(subject, signal, subject.model(_of(subject.model, signal)).waveform, lengths)
        if not chunks:
            signal, offline = subject.long
            _require_streamed(subject, signal, offline, list(_chunks(signal.shape[1], LONG_CHUNKS)))
    return ""


def _require_streamed(subject: Subject, signal: Tensor, offline: Tensor, lengths: list[int]) -> None:
    """Raise `ContractBroken` unless the output in chunks of these lengths is the offline output."""
    delay, model, rows = subject.delay, subject.model, signal.shape[0]
    outputs = []
    try:
        state = model.reset(rows)
        for chunk in signal.split(lengths, dim=1):
            output, state = model.stream(chunk, state)
            found = f"stream gives {tuple(output.shape)} for a chunk of {tuple(chunk.shape)}; must be the same"
            subject.require(output.shape == chunk.shape, found)
            outputs.append(output)
        outputs.append(model.flush(state))
    except NotImplementedError:
        raise ContractBroken(f"model {subject.name}: {_NO_STREAM.format('stream')}") from None
    found = f"flush gives {tuple(outputs[-1].shape)}; must be {(rows, delay)}"
    subject.require(outputs[-1].shape == (rows, delay), found)
    streamed = torch.cat(outputs, dim=1)[:, delay:]
    subject.require_equal(streamed, offline, "streamed and offline output", STREAM_TOLERANCE)


def _chunks(samples: int, lengths: Sequence[int]) -> Iterator[int]:
    for length in itertools.cycle(lengths):
        yield min(length, samples)
        samples -= length
        if samples <= 0:
            return


def check_padding(subject: Subject) -> str:
    """Padding and the other utterances of a batch change nothing."""
    batch = subject.batch(3, 4000)
    batch.lengths = torch.tensor([4000, 2700, 1300])
    padded = _of(subject.model, batch.noisy + 9 * (1 - batch.sample_mask()), batch.lengths)
    with torch.no_grad():
        together = subject.model(padded).waveform
        for i, length in enumerate(batch.lengths.tolist()):
            alone = subject.model(_of(subject.model, batch.noisy[i : i + 1, :length])).waveform
            found = f"utterance {i} alone, and padded in a batch"
            subject.require_equal(together[i : i + 1, :length], alone, found, 1e-3)
    return ""


def check_silence(subject: Subject) -> str:
    """Silence gives a finite output and a finite gradient."""
    model = subject.fresh(shaken=False).train()
    estimate = model(_of(model, torch.zeros(2, 1000, device=subject.device)))
    subject.require(bool(estimate.waveform.isfinite().all()), "the output for silence is not finite")
    estimate.waveform.square().sum().backward()
    for name, parameter in model.named_parameters():
        finite = parameter.grad is None or bool(parameter.grad.isfinite().all())
        subject.require(finite, f"silence: the gradient of {name} is not finite")
    return ""


def check_submodules(subject: Subject) -> str:
    """Declared submodules are models, whose weights can come from other runs."""
    for name in subject.model.submodules:
        part = getattr(subject.model, name, None)
        subject.require(isinstance(part, Model), f"submodule {name!r} is {type(part).__name__}; must be a Model")
    return "" if subject.model.submodules else "it declares none"


#: Without these, a run's numbers would not mean what its table says.
ESSENTIAL: tuple[Callable[[Subject], str], ...] = (
    check_output,
    check_views_agree,
    check_repeatable,
    check_trained,
    check_future,
    check_stream,
)
#: All of it.
CHECKS: tuple[Callable[[Subject], str], ...] = (
    *ESSENTIAL,
    check_short,
    check_padding,
    check_silence,
    check_submodules,
)


def verdicts(subject: Subject) -> Iterator[Verdict]:
    """Every check on a model; the global generator is left as it was."""
    with torch.random.fork_rng(), _full_precision():
        yield from judged(CHECKS, subject)


def broken(subject: Subject) -> str:
    """The first essential check that the model does not hold, with what was found; "" where it holds all.

    The global generators are left as they were. What the model itself raises is not caught.
    """
    with torch.random.fork_rng(), _full_precision():
        try:
            for check in ESSENTIAL:
                check(subject)
        except ContractBroken as error:
            return str(error)
    return ""
