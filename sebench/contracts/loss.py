"""What every loss must hold, built-in or from outside, as plain functions.

`check(loss, make_estimate)` returns an empty string, or the reason why the check does not apply, and raises
`ContractBroken` with what was found. `make_estimate(batch, output)` turns the waveform that a system would have put out
into an estimate; the one here gives every view, as tensors that require gradients.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator

import torch
from torch import Tensor

from sebench.contracts.base import ContractBroken, Verdict, judged
from sebench.estimate.batch import Batch
from sebench.estimate.estimate import Estimate
from sebench.losses.base import Loss
from sebench.predictors.pesqnet import PesqNet
from sebench.seeding import seed_of
from sebench.signal.stft import Stft

MakeEstimate = Callable[[Batch, Tensor], Estimate]
Check = Callable[[Loss, MakeEstimate], str]

SAMPLES = 4000
STFT = Stft(256, 128)


def make_estimate(batch: Batch, output: Tensor, dtype: torch.dtype = torch.float32) -> Estimate:
    """An estimate with all views, each a leaf of the graph; frames wholly in the padding hold `output`'s padding.

    Shape:
        output `(batch, samples)`.
    """
    spectrum = STFT(batch.mask(output))
    if batch.padded:
        spectrum = torch.where(batch.frame_mask(STFT)[:, None] > 0, spectrum, STFT(output))
    noisy = batch.spectrum("noisy", STFT)
    filled = noisy.abs() > 1e-8
    mask = torch.where(filled, spectrum / torch.where(filled, noisy, torch.ones_like(noisy)), torch.ones_like(noisy))
    views = {"waveform": output.to(dtype), "spectrum": spectrum, "gain": mask.abs().to(dtype), "mask": mask}
    return Estimate(batch, STFT, **{name: view.detach().clone().requires_grad_() for name, view in views.items()})


def make_batch(batch: int = 3, samples: int = SAMPLES, level: float = 0.05) -> Batch:
    """Voiced bursts in noise.

    Shape:
        signals `(batch, samples)`; `clean` and `speech` are the same.
    """
    generator = torch.Generator().manual_seed(seed_of("loss contract", samples))
    seconds = torch.arange(samples) / 16000
    pitch = 120.0 + 40.0 * torch.arange(batch)[:, None]
    voiced = sum(torch.sin(2 * torch.pi * k * pitch * seconds + k) / k for k in range(1, 12))
    speech = level * torch.as_tensor(voiced) * (1.1 + torch.sin(2 * torch.pi * 5 * seconds))
    noise = level * torch.randn(batch, samples, generator=generator)
    return Batch(speech + noise, speech, speech, noise, torch.full((batch,), samples))


def scaled(batch: Batch, factor: float) -> Batch:
    """The batch with all signals times a factor."""
    signals = (None if s is None else factor * s for s in (batch.noisy, batch.clean, batch.speech, batch.noise))
    noisy, clean, speech, noise = signals
    assert noisy is not None
    return Batch(noisy, clean, speech, noise, batch.lengths, batch.sample_rate)


def with_stand_ins(loss: Loss) -> Loss:
    """The loss with a small network in the place of each that it uses."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed_of("loss contract", "stand-ins"))
        loss.attach({"predictor": PesqNet(channels=2, kernels=4, hidden=4, dense=(4,)).requires_grad_(False)})
    return loss


def _target(batch: Batch) -> Tensor:
    return batch.signal("clean")


def _middling(batch: Batch) -> Tensor:
    """An output between the target and the input."""
    return 0.8 * _target(batch) + 0.3 * batch.signal("noise")


def _close(a: Tensor, b: Tensor, relative: float = 1e-4) -> bool:
    return bool(torch.allclose(a, b, rtol=relative, atol=relative))


def _require(condition: bool, loss: Loss, found: str) -> None:
    if not condition:
        raise ContractBroken(f"{loss.name or type(loss).__name__}: {found}")


def check_shape(loss: Loss, make_estimate: MakeEstimate) -> str:
    """One finite float32 value per utterance."""
    batch = make_batch()
    value = loss(make_estimate(batch, _middling(batch)), batch)
    _require(value.shape == (3,), loss, f"shape {tuple(value.shape)}; must be (batch,) = (3,)")
    _require(value.dtype == torch.float32, loss, f"type {value.dtype}; must be float32")
    _require(bool(value.isfinite().all()), loss, f"value {value.tolist()}")
    return ""


def check_needs(loss: Loss, make_estimate: MakeEstimate) -> str:
    """It asks for no signal and no view that it does not declare."""
    full = make_batch()
    clean, speech, noise = (
        full.signal(name) if name in loss.needs_signals else None for name in ("clean", "speech", "noise")
    )
    batch = Batch(full.noisy, clean, speech, noise, full.lengths)
    estimate = make_estimate(full, _middling(full))
    views = {name: getattr(estimate, name) for name in loss.needs_views}
    try:
        loss(Estimate(batch, estimate.stft, **views) if views else estimate, batch)
    except ValueError as error:
        raise ContractBroken(f"{loss.name}: with needs_views and needs_signals alone: {error}") from error
    return ""


def check_gradient(loss: Loss, make_estimate: MakeEstimate) -> str:
    """A finite gradient that is not zero reaches each declared view."""
    batch = make_batch()
    estimate = make_estimate(batch, _middling(batch))
    leaves = {name: getattr(estimate, name) for name in loss.needs_views}
    waveform = estimate.waveform
    loss(estimate, batch).sum().backward()
    for name, leaf in leaves.items():
        if not leaf.is_leaf:
            return f"view {name!r} of this estimate follows from another view"
        if name == "spectrum" and leaf.grad is None and waveform.is_leaf and waveform.grad is not None:
            leaf = waveform  # a loss with a transform of its own
        _require(leaf.grad is not None, loss, f"no gradient reaches view {name!r}")
        _require(bool(leaf.grad.isfinite().all()), loss, f"the gradient of view {name!r} is not finite")
        _require(bool((leaf.grad != 0).any()), loss, f"the gradient of view {name!r} is zero")
    return ""


def check_degenerate(loss: Loss, make_estimate: MakeEstimate) -> str:
    """Finite value and gradient where the target, the output, or everything is silent, and at the target itself."""
    plain = make_batch()
    zeros = torch.zeros_like(plain.noisy)
    noise = plain.signal("noise")
    cases = {
        "target silent": (Batch(noise, zeros, zeros, noise, plain.lengths), noise),
        "output zero": (plain, zeros),
        "target and output silent": (Batch(noise, zeros, zeros, noise, plain.lengths), zeros),
        "everything silent": (Batch(zeros, zeros, zeros, zeros, plain.lengths), zeros),
        "output equal to the target": (plain, _target(plain)),
        "noise silent": (Batch(_target(plain), _target(plain), _target(plain), zeros, plain.lengths), _target(plain)),
    }
    for case, (batch, output) in cases.items():
        _require_finite(loss, make_estimate, batch, output, case)
    return ""


def check_short(loss: Loss, make_estimate: MakeEstimate) -> str:
    """Finite value and gradient on one block of samples, and on one sample."""
    for samples in (128, 1):
        batch = make_batch(samples=samples)
        _require_finite(loss, make_estimate, batch, _middling(batch), f"{samples} samples")
    return ""


def _require_finite(loss: Loss, make_estimate: MakeEstimate, batch: Batch, output: Tensor, case: str) -> None:
    estimate = make_estimate(batch, output)
    leaves = {name: getattr(estimate, name) for name in loss.needs_views}
    value = loss(estimate, batch)
    _require(bool(value.isfinite().all()), loss, f"{case}: value {value.tolist()}")
    value.sum().backward()
    for name, leaf in leaves.items():
        finite = leaf.grad is None or bool(leaf.grad.isfinite().all())
        _require(finite, loss, f"{case}: the gradient of view {name!r} is not finite")


def check_bfloat16(loss: Loss, make_estimate: MakeEstimate) -> str:
    """A real view in bfloat16, and nothing else, gives a float32 value near that of float32 and a finite gradient."""
    plain = make_batch()
    zeros = torch.zeros_like(plain.noisy)
    noise = plain.signal("noise")
    cases = {
        "": (plain, _middling(plain)),
        "output zero: ": (plain, zeros),
        "target silent: ": (Batch(noise, zeros, zeros, noise, plain.lengths), noise),
        "everything silent: ": (Batch(zeros, zeros, zeros, zeros, plain.lengths), zeros),
    }
    name = "waveform" if "waveform" in loss.needs_views else "gain"
    for case, (batch, output) in cases.items():
        whole = make_estimate(batch, output)
        try:
            exact = getattr(whole, name).detach()
        except ValueError:
            return f"this estimate has no view {name!r}"
        rounded = exact.to(torch.bfloat16).requires_grad_()
        value = loss(Estimate(batch, whole.stft, **{name: rounded}), batch)
        _require(value.dtype == torch.float32, loss, f"{case}type {value.dtype} from bfloat16; must be float32")
        value.sum().backward()
        finite = rounded.grad is None or bool(rounded.grad.isfinite().all())
        _require(finite, loss, f"{case}the gradient of {name!r} in bfloat16 is not finite")
        expected = loss(Estimate(batch, whole.stft, **{name: exact}), batch)
        found = f"{case}{value.tolist()} from {name!r} in bfloat16, {expected.tolist()} in float32"
        _require(_close(value, expected, 0.05), loss, found)
    return ""


def check_padding(loss: Loss, make_estimate: MakeEstimate) -> str:
    """What lies in the padding changes nothing."""
    plain = make_batch()
    plain.lengths = torch.tensor([SAMPLES, 2500, 1300])
    junk = torch.randn(plain.noisy.shape, generator=torch.Generator().manual_seed(1)) * (1.0 - plain.sample_mask())
    noisy, clean, speech, noise = (plain.signal(name) for name in ("noisy", "clean", "speech", "noise"))
    dirty = Batch(noisy + junk, clean - junk, speech - 2 * junk, noise + 3 * junk, plain.lengths)
    output = plain.mask(_middling(plain))
    expected = loss(make_estimate(plain, output), plain)
    found = loss(make_estimate(dirty, output + 5 * junk), dirty)
    _require(_close(found, expected), loss, f"{found.tolist()} with noise in the padding, {expected.tolist()} without")
    return ""


def check_batching(loss: Loss, make_estimate: MakeEstimate) -> str:
    """An utterance has the same value alone, cut to its length, as within a batch."""
    together = make_batch()
    together.lengths = torch.tensor([SAMPLES, 2500, 1300])
    output = together.mask(_middling(together))
    values = loss(make_estimate(together, output), together)
    for i, length in enumerate((SAMPLES, 2500, 1300)):
        signals = (together.signal(name)[i : i + 1, :length] for name in ("noisy", "clean", "speech", "noise"))
        noisy, clean, speech, noise = signals
        alone = Batch(noisy, clean, speech, noise, torch.tensor([length]))
        value = loss(make_estimate(alone, output[i : i + 1, :length]), alone)
        _require(
            _close(value, values[i : i + 1]),
            loss,
            f"utterance {i}: {value.item()} alone, {values[i].item()} in a batch",
        )
    return ""


def check_optimum(loss: Loss, make_estimate: MakeEstimate) -> str:
    """It is smallest where it says."""
    checks = {"target": _optimum_target, "any_scale": _optimum_any_scale, "gain": _optimum_gain}
    if loss.optimum == "none":
        return "no optimum is declared"
    _require(loss.optimum in checks, loss, f"optimum {loss.optimum!r}; accepted: {', '.join(checks)}, none")
    checks[loss.optimum](loss, make_estimate)
    return ""


def _optimum_target(loss: Loss, make_estimate: MakeEstimate) -> None:
    batch = make_batch()
    target, noise = _target(batch), batch.signal("noise")
    best = loss(make_estimate(batch, target), batch)
    worse = {"0.9 x target": 0.9 * target, "1.1 x target": 1.1 * target, "zero": 0 * target}
    worse |= {"target + noise": target + 0.1 * noise, "input": batch.signal("noisy")}
    for name, output in worse.items():
        value = loss(make_estimate(batch, output), batch)
        _require(bool((value > best).all()), loss, f"{value.tolist()} at {name}, {best.tolist()} at the target")


def _optimum_any_scale(loss: Loss, make_estimate: MakeEstimate) -> None:
    batch = make_batch()
    target, noise = _target(batch), batch.signal("noise")
    best = loss(make_estimate(batch, target), batch)
    for factor in (0.3, 3.0):
        value = loss(make_estimate(batch, factor * target), batch)
        _require(
            _close(value, best, 0.02), loss, f"{value.tolist()} at {factor} x target, {best.tolist()} at the target"
        )
    for name, output in {"target + noise": target + 0.1 * noise, "input": batch.signal("noisy")}.items():
        value = loss(make_estimate(batch, output), batch)
        _require(bool((value > best).all()), loss, f"{value.tolist()} at {name}, {best.tolist()} at the target")


def _optimum_gain(loss: Loss, make_estimate: MakeEstimate) -> None:
    plain = make_batch()
    speech, noise, zeros = plain.signal("speech"), plain.signal("noise"), torch.zeros_like(plain.noisy)
    for name, batch, factors in (
        ("without noise", Batch(speech, speech, speech, zeros, plain.lengths), (1.0, 0.7, 0.0)),
        ("without speech", Batch(noise, zeros, zeros, noise, plain.lengths), (0.0, 0.3, 1.0)),
    ):
        values = [loss(make_estimate(batch, factor * batch.noisy), batch) for factor in factors]
        ordered = all(bool((a < b).all()) for a, b in itertools.pairwise(values))
        found = ", ".join(f"{v.tolist()} at gain {f}" for v, f in zip(values, factors, strict=True))
        _require(ordered, loss, f"{name} the gain {factors[0]} must be best: {found}")


def check_invariances(loss: Loss, make_estimate: MakeEstimate) -> str:
    """Declared invariances hold."""
    if not loss.invariances:
        return "no invariance is declared"
    batch = make_batch()
    output = _middling(batch)
    expected = loss(make_estimate(batch, output), batch)
    variants: dict[str, tuple[Batch, Tensor]] = {
        "level": (scaled(batch, 0.2), 0.2 * output),
        "estimate_scale": (batch, 3.0 * output),
        "polarity": (batch, -output),
    }
    for name in loss.invariances:
        _require(name in variants, loss, f"invariance {name!r}; accepted: {', '.join(variants)}")
        changed, changed_output = variants[name]
        value = loss(make_estimate(changed, changed_output), changed)
        _require(
            _close(value, expected, 1e-3), loss, f"invariance {name!r}: {expected.tolist()} became {value.tolist()}"
        )
    return ""


def check_phase_blind(loss: Loss, make_estimate: MakeEstimate) -> str:
    """Turning all phases by 90 degrees changes the value if and only if the loss is not phase-blind."""
    batch = make_batch()
    plain = make_estimate(batch, _middling(batch))
    spectrum = 1j * plain.spectrum
    views = {"waveform": plain.stft.inverse(spectrum, batch.samples), "spectrum": spectrum}
    views |= {name: view for name, view in plain._given.items() if name == "gain" and view is not None}
    views |= {name: 1j * view for name, view in plain._given.items() if name == "mask" and view is not None}
    expected, value = (loss(estimate, batch) for estimate in (plain, Estimate(batch, plain.stft, **views)))
    # A blind loss may move a little on the waveform: cutting out frames and turning phases do not commute exactly.
    holds = _close(value, expected, 0.1) if loss.phase_blind else not _close(value, expected, 1e-3)
    found = f"phase_blind = {loss.phase_blind}, and turning all phases made {value.tolist()} of {expected.tolist()}"
    _require(holds, loss, found)
    return ""


#: All of it.
CHECKS: tuple[Check, ...] = (
    check_shape,
    check_needs,
    check_gradient,
    check_degenerate,
    check_short,
    check_bfloat16,
    check_padding,
    check_batching,
    check_optimum,
    check_invariances,
    check_phase_blind,
)


def verdicts(loss: Loss) -> Iterator[Verdict]:
    """Every check on a loss: what must hold, whether it does, and why not, or why it does not apply."""
    yield from judged(CHECKS, with_stand_ins(loss), make_estimate)
