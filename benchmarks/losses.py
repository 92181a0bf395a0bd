"""What losses cost: forward and backward on 16 x 4 s at 16 kHz, as ratios within one run.

    python benchmarks/losses.py [--device cuda] [--repeats 15]

Each loss gets a waveform that requires a gradient, and a fresh batch, so that every transform of estimate and target is
counted. `ratio` is to the bare squared error of magnitudes on the same STFT, written in six lines below; `theirs` is
the same loss by another package in the same run, of which ours must take no more time. Measurements of a round follow
each other and the median over rounds of their ratios is printed. Writes benchmarks/losses.csv.
"""

from __future__ import annotations

import argparse
import csv
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median

import auraloss
import torch
from torch import Tensor
from torchmetrics.functional.audio import scale_invariant_signal_noise_ratio

from sebench.config.items import build, registry
from sebench.estimate.batch import Batch
from sebench.estimate.estimate import Estimate
from sebench.signal.stft import Stft

RATE, SECONDS, BATCH = 16000, 4.0, 16
WINDOW, HOP = 512, 256
RESOLUTIONS = ((512, 50, 240), (1024, 120, 600), (2048, 240, 1200))

Measured = Callable[[Tensor, Tensor, Tensor], Tensor]


def ours(name: str, **params: object) -> Measured:
    """A registered loss, as training calls it."""
    loss = build({"type": name, "params": params}, "loss")
    stft = Stft(WINDOW, HOP)

    def measured(output: Tensor, clean: Tensor, noise: Tensor) -> Tensor:
        loss.to(output.device)
        transform = stft.to(output.device)
        batch = Batch(clean + noise, clean, clean, noise)
        gain = None
        if "gain" in loss.needs_views:  # a gain is what such a loss is given; its gradient ends at the gain
            gain = torch.sigmoid(
                output.new_zeros(BATCH, transform.bins, transform.frames(output.shape[1])) + output.mean()
            )
        return loss(Estimate(batch, transform, waveform=output, gain=gain), batch).mean()

    return measured


def bare_magnitude_mse(output: Tensor, clean: Tensor, noise: Tensor) -> Tensor:
    """What a person would write, with torch alone."""
    del noise
    window = torch.hann_window(WINDOW, device=output.device).sqrt()

    def magnitude(signal: Tensor) -> Tensor:
        return torch.stft(signal, WINDOW, HOP, window=window, pad_mode="constant", return_complex=True).abs()

    return (magnitude(output) - magnitude(clean)).square().mean()


def _auraloss(make: Callable[[torch.device], torch.nn.Module]) -> Measured:
    """A loss of auraloss, made once, as ours are."""
    made: dict[torch.device, torch.nn.Module] = {}

    def measured(output: Tensor, clean: Tensor, noise: Tensor) -> Tensor:
        del noise
        if output.device not in made:
            made[output.device] = make(output.device)
        value: Tensor = made[output.device](output[:, None], clean[:, None])
        return value

    return measured


def _multi(device: torch.device) -> torch.nn.Module:
    sizes, hops, windows = (list(values) for values in zip(*RESOLUTIONS, strict=True))
    return auraloss.freq.MultiResolutionSTFTLoss(sizes, hops, windows, device=device)


def _linear(distance: str) -> Callable[[torch.device], torch.nn.Module]:
    weights = {"w_sc": 0.0, "w_log_mag": 0.0, "w_lin_mag": 1.0}
    return lambda device: auraloss.freq.STFTLoss(WINDOW, HOP, WINDOW, **weights, mag_distance=distance, device=device)


def _torchmetrics_si_snr(output: Tensor, clean: Tensor, noise: Tensor) -> Tensor:
    del noise
    return -scale_invariant_signal_noise_ratio(output, clean).mean()


#: ours -> (package, theirs)
THEIRS: dict[str, list[tuple[str, Measured]]] = {
    "neg_si_snr": [
        ("torchmetrics", _torchmetrics_si_snr),
        ("auraloss", _auraloss(lambda _: auraloss.time.SISDRLoss())),
    ],
    "mag_mse": [("auraloss", _auraloss(_linear("L2")))],
    "mag_mae": [("auraloss", _auraloss(_linear("L1")))],
    "multi_stft": [("auraloss", _auraloss(_multi))],
}
PARAMS: dict[str, dict[str, object]] = {"multi_stft": {"wave_weight": 0.0}, "mag_mse": {"scale": "none"}}


def seconds(measured: Measured, output: Tensor, clean: Tensor, noise: Tensor) -> float:
    """One forward and backward."""
    output.grad = None
    if output.is_cuda:
        torch.cuda.synchronize()
    start = time.perf_counter()
    measured(output, clean, noise).backward()
    if output.is_cuda:
        torch.cuda.synchronize()
    return time.perf_counter() - start


def main() -> None:
    """Measure, print, write."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("losses", nargs="*", help="those to measure; all, and the file written, if none is named")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--repeats", type=int, default=15)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    generator = torch.Generator().manual_seed(0)
    clean, noise = (0.05 * torch.randn(BATCH, int(RATE * SECONDS), generator=generator) for _ in range(2))
    clean, noise = clean.to(arguments.device), noise.to(arguments.device)
    output = (clean + 0.5 * noise).requires_grad_()

    rows = []
    for name in arguments.losses or sorted(registry("loss")):
        candidates = {"bare": bare_magnitude_mse, "ours": ours(name, **PARAMS.get(name, {}))}
        candidates |= dict(THEIRS.get(name, []))
        for measured in candidates.values():
            seconds(measured, output, clean, noise)
        rounds = [
            {who: seconds(measured, output, clean, noise) for who, measured in candidates.items()}
            for _ in range(arguments.repeats)
        ]
        ratio = median(found["ours"] / found["bare"] for found in rounds)
        times = median(found["ours"] for found in rounds)
        row = {"loss": name, "ms": f"{1e3 * times:.1f}", "ratio": f"{ratio:.2f}", "package": "", "to_theirs": ""}
        others = [(who, median(found["ours"] / found[who] for found in rounds)) for who, _ in THEIRS.get(name, [])]
        for who, other in others or [("", 0.0)]:
            rows.append({**row, "package": who, "to_theirs": f"{other:.2f}" if who else ""})
            theirs = f", {other:.2f} times {who}'s" if who else ""
            print(f"{name:<18}{1e3 * times:8.1f} ms, {ratio:5.2f} times the bare magnitude MSE{theirs}", flush=True)
    if arguments.losses:
        return
    path = Path(__file__).with_suffix(".csv") if arguments.device == "cpu" else Path(f"losses-{arguments.device}.csv")
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
    print(f"wrote {path}")


if __name__ == "__main__":
    main()
