"""DNSMOS: mean opinion scores that networks predict from the estimate alone, with the weights of package `speechmos`.

The package's own code imports librosa (1.9 s per process) and runs both networks for every score. Here its weights are
run by ONNX Runtime, one thread, behind a front end in NumPy; tests compare scores with the package's.
"""

from __future__ import annotations

import functools
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, Literal

from sebench.metrics.base import Metric, Unscorable, is_constant, model_file

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from sebench.metrics.base import Signal

SECONDS = 9.01  # that a network hears at once
SHORTEST_SECONDS = 0.25
#: Second-degree polynomials, highest power first, that map the P.835 network's outputs (in this order) to ratings.
RATINGS = {
    "sig": (-0.08397278, 1.22083953, 0.0052439),
    "bak": (-0.13166888, 1.60915514, -0.39604546),
    "ovrl": (-0.06766283, 1.11546468, 0.04602535),
}
MELS, FRAME, HOP = 120, 321, 160


class Dnsmos(Metric):
    """What both forms have in common: mean over windows of 9.01 s, one every second.

    A shorter signal is repeated. The networks know samples up to full scale, and the package refuses others: a signal
    with a louder peak is divided by that peak, and score files say so. Clipping it would have its distortion rated.

    Reconstruction: nothing says how short a signal may be. 0.25 s is what PESQ needs.
    """

    def score(self, clean: Signal, estimate: Signal, noisy: Signal, sample_rate: int) -> float:
        """The predicted mean opinion score, of the estimate alone."""
        import numpy as np

        if is_constant(estimate):
            told = "constant" if estimate.any() else "silent"
            raise Unscorable(f"DNSMOS has nothing to rate: the estimate is {told}")
        if estimate.size < SHORTEST_SECONDS * sample_rate:
            raise Unscorable(f"DNSMOS needs {SHORTEST_SECONDS} s, has {estimate.size / sample_rate:.3f} s")
        network = _session(str(model_file(self.package, self.model_files[0])))
        opinions = [
            self.opinion(network, window) for window in _windows(estimate / max(1.0, _peak(estimate)), sample_rate)
        ]
        return float(np.mean(opinions))

    def note(self, estimate: Signal) -> str:
        """Whether the signal was scaled."""
        peak = _peak(estimate)
        return f"scaled to full scale: its peak is {peak:.3g}" if peak > 1.0 else ""

    def opinion(self, network: Any, window: Signal) -> float:
        """The score of one window."""
        raise NotImplementedError


class DnsmosP808(Dnsmos):
    """DNSMOS P.808, predicted mean opinion score of overall quality, 1 to 5

    The network of 2021 on a mel spectrogram relative to its loudest value. Nothing limits its output to the scale.
    """

    name = "dnsmos_p808"
    version = 2
    needs_reference = False
    unit = "MOS"
    package = "speechmos"
    model_files = ("speechmos/dnsmos_models/model_v8.onnx",)
    source = "Reddy, Gopal, Cutler, ICASSP 2021, arXiv 2010.15258"
    other_rates = "down"

    def opinion(self, network: Any, window: Signal) -> float:
        """The network's output as it is."""
        spectrogram = _mel_spectrogram(window[:-HOP])
        return float(network.run(None, {"input_1": spectrogram[None].astype("float32")})[0][0, 0])


class DnsmosP835(Dnsmos):
    """DNSMOS P.835, predicted mean opinion score of speech, background or both, 1 to 5

    The network hears the waveform; a polynomial of each output is the rating. Nothing limits it to the scale.

    Args:
        score: "sig" (speech), "bak" (background, higher is less intrusive) or "ovrl" (overall).
    """

    name = "dnsmos_p835"
    version = 2
    needs_reference = False
    unit = "MOS"
    package = "speechmos"
    model_files = ("speechmos/dnsmos_models/sig_bak_ovr.onnx",)
    source = "Reddy, Gopal, Cutler, ICASSP 2022, arXiv 2110.01763"
    other_rates = "down"

    def __init__(self, *, score: Literal["ovrl", "sig", "bak"] = "ovrl") -> None:
        self.rating = score

    def opinion(self, network: Any, window: Signal) -> float:
        """One of the network's three outputs, mapped."""
        import numpy as np

        outputs = network.run(None, {"input_1": window[None].astype("float32")})[0][0]
        return float(np.polyval(RATINGS[self.rating], float(outputs[list(RATINGS).index(self.rating)])))


def _peak(signal: Signal) -> float:
    return float(max(signal.max(), -signal.min()))


@functools.cache
def _session(path: str) -> Any:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = 3
    return onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])


def _windows(signal: Signal, sample_rate: int) -> Iterator[Signal]:
    import numpy as np

    length = int(SECONDS * sample_rate)
    while signal.size < length:
        signal = np.concatenate([signal, signal])
    for second in range(int(signal.size // sample_rate - SECONDS) + 1):
        window = signal[second * sample_rate : int((second + SECONDS) * sample_rate)]
        # The end is rounded down: of some seconds (7 to 23, 119 to 122) a window lacks one sample. DNSMOS as published
        # leaves these out, and so do the scores that people compare with.
        if window.size == length:
            yield window


def _mel_spectrogram(signal: Signal) -> NDArray[np.float64]:
    """Mel powers `(frames, mels)` in dB below the loudest, not less than -80, as (dB + 40) / 40; Hann frames of 321
    samples around every 160th."""
    import numpy as np

    padded = np.pad(signal, FRAME // 2)
    window = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(FRAME) / FRAME)
    frames = np.lib.stride_tricks.sliding_window_view(padded, FRAME)[::HOP]
    power = np.abs(np.fft.rfft(window * frames)) ** 2
    mel = np.einsum("tb,bm->tm", power, _mel_filters())  # not by BLAS, see `inner`
    decibels = 10.0 * np.log10(np.maximum(mel, 1e-10) / max(mel.max(), 1e-10))
    scaled: NDArray[np.float64] = (np.maximum(decibels, decibels.max() - 80.0) + 40.0) / 40.0
    return scaled


@functools.cache
def _mel_filters() -> NDArray[np.float64]:
    """Triangles of unit area `(bins, mels)`, 0 to 8 kHz, on Slaney's scale: linear below 1 kHz, logarithmic above."""
    import numpy as np

    linear, logarithmic = 200.0 / 3.0, np.log(6.4) / 27.0  # Hz a mel, and nepers a mel
    top = 15.0 + np.log(8000.0 / 1000.0) / logarithmic
    mels = np.linspace(0.0, top, MELS + 2)
    edges = np.where(mels < 15.0, linear * mels, 1000.0 * np.exp(logarithmic * (mels - 15.0)))
    low, centre, high = edges[:-2], edges[1:-1], edges[2:]
    bins = np.fft.rfftfreq(FRAME, 1.0 / 16000.0)[:, None]
    rising, falling = (bins - low) / (centre - low), (high - bins) / (high - centre)
    filters: NDArray[np.float64] = np.maximum(0.0, np.minimum(rising, falling)) * 2.0 / (high - low)
    return filters
