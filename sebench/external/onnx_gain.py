"""A network in an ONNX file that gives a gain per bin from log power spectra: NSNet2 and its like."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from annotated_types import Gt, Le

from sebench.errors import DataError
from sebench.external.base import External

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


class OnnxGain(External):
    """Log power in, gain out, one frame after the other (Braun & Tashev, arXiv 2008.06412).

    The file holds an ONNX network: float32 log10(max(|X|^2, floor)) as `(batch, frames, bins)` to gains of that shape,
    whatever its input and output are called. Gains are limited to `min_gain_db` .. 0 dB and multiply the spectrum.

    With the defaults this is the published inference of NSNet2 in the DNS-Challenge repository, whose window is not
    the periodic one of `sebench.signal.stft`: the square root of a symmetric Hann window for analysis and synthesis.
    Frames start at the first sample; no earlier one overlaps with it, so that half a window fades in.

    Args:
        window_length: samples of the window (square root of a symmetric Hann window) and of the transform.
        hop: samples from frame to frame.
        floor: of the power, before the logarithm.
        min_gain_db: the smallest gain.

    Raises:
        ValueError: the hop does not divide the window.
    """

    name = "onnx_gain"
    version = 1
    requires = ("window_length % hop == 0", "2 * hop <= window_length")
    source = "Braun & Tashev, arXiv 2008.06412; github.com/microsoft/DNS-Challenge, NSNet2-baseline"

    def __init__(
        self,
        *,
        window_length: Annotated[int, Gt(1)] = 320,
        hop: Annotated[int, Gt(0)] = 160,
        floor: Annotated[float, Gt(0)] = 1e-12,
        min_gain_db: Annotated[float, Le(0)] = -80.0,
    ) -> None:
        if window_length % hop or window_length == hop:
            raise ValueError(f"hop {hop}: must divide window_length {window_length} and be at most half of it")
        self.window_length, self.hop = window_length, hop
        self.floor, self.min_gain = floor, 10.0 ** (min_gain_db / 20.0)
        self.bins = window_length // 2 + 1
        self._file = Path()
        self._session: Any = None

    def open(self, file: Path) -> None:
        """See `External.open`: a session of one thread, so that its output does not depend on what was granted."""
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        options.log_severity_level = 3
        try:
            session = onnxruntime.InferenceSession(str(file), options, providers=["CPUExecutionProvider"])
        except Exception as error:  # its exceptions have no common base but this
            raise DataError(f"{file}: no ONNX network that can be read: {error}") from None
        inputs, outputs = session.get_inputs(), session.get_outputs()
        accepted = f"one input and an output `(batch, frames, {self.bins})` of float32"
        if len(inputs) != 1 or not outputs:
            raise DataError(f"{file}: has {len(inputs)} inputs and {len(outputs)} outputs; accepted: {accepted}")
        for what, found in (("input", inputs[0]), ("output", outputs[0])):
            rank_fits = len(found.shape) == 3
            fixed = [size for size in found.shape[-1:] if isinstance(size, int)]
            if found.type != "tensor(float)" or not rank_fits or any(size != self.bins for size in fixed):
                told = f"its {what} {found.name!r} is {found.type} of shape {found.shape}"
                raise DataError(f"{file}: {told}; accepted: {accepted}")
        self._file, self._session = file, session

    def enhance(self, noisy: NDArray[np.float32]) -> NDArray[np.float32]:
        """See `External.enhance`; not a number where the input is not finite."""
        import numpy as np

        if not np.isfinite(noisy).all():
            return np.full(noisy.shape, np.nan, np.float32)
        window = np.sqrt(np.hanning(self.window_length))
        spectrum = np.fft.rfft(window * self._frames(noisy))
        feature = np.log10(np.maximum(np.abs(spectrum) ** 2, self.floor)).astype(np.float32)
        gain = self._gain(feature[None])[0].clip(self.min_gain, 1.0)
        frames = window * np.fft.irfft(gain * spectrum, self.window_length)
        output = np.zeros(self.hop * (len(frames) - 1) + self.window_length)
        for start in range(0, self.window_length, self.hop):  # the same part of all frames: they lie side by side
            part = frames[:, start : start + self.hop].reshape(-1)
            output[start : start + len(part)] += part
        return output[: len(noisy)].astype(np.float32)

    def _frames(self, signal: NDArray[np.float32]) -> NDArray[np.float64]:
        """`(frames, window_length)`: frames start every hop, the first at the first sample."""
        import numpy as np

        count = -(-len(signal) // self.hop)
        padded = np.zeros((count - 1) * self.hop + self.window_length)
        padded[: len(signal)] = signal
        return np.lib.stride_tricks.sliding_window_view(padded, self.window_length)[:: self.hop]

    def _gain(self, feature: NDArray[np.float32]) -> NDArray[np.float64]:
        """`(1, frames, bins)` to the same shape."""
        import numpy as np

        name = self._session.get_inputs()[0].name
        try:
            found = self._session.run(None, {name: feature})[0]
        except Exception as error:
            raise DataError(f"{self._file}: cannot process an input of shape {feature.shape}: {error}") from None
        if found.shape != feature.shape:
            raise DataError(f"{self._file}: gives gains of shape {found.shape}; accepted: {feature.shape}")
        return np.asarray(found, np.float64)
