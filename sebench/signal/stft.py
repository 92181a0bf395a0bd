"""Short-time Fourier transform with zeros outside the signal, perfect reconstruction, and a streaming form.

Frame t covers the samples [t*hop - (window_length - hop), t*hop + hop): it is complete as soon as block t of `hop`
samples has arrived, so an offline pass and a stream see the same frames. Outside the signal there are zeros, never a
reflection, which would let the first and last frames depend on other samples than those that they cover.

All of it is float32 / complex64; bfloat16 and float16 inputs are cast up.
"""

from __future__ import annotations

import functools

import torch
from torch import Tensor, nn

#: periodic windows by name
WINDOWS = ("sqrt_hann", "hann")


def make_window(name: str, length: int) -> Tensor:
    """A periodic window.

    Args:
        name: "sqrt_hann" or "hann".
        length: in samples.

    Shape:
        returns `(length,)`, float32.

    Raises:
        ValueError: unknown name.
    """
    if name not in WINDOWS:
        raise ValueError(f"window {name!r}: accepted are {', '.join(WINDOWS)}")
    hann = torch.hann_window(length, periodic=True, dtype=torch.float64)
    return (hann.sqrt() if name == "sqrt_hann" else hann).float()


class Stft(nn.Module):
    """Unnormalised STFT and its inverse; `inverse(forward(x), samples)` is `x` for each window and overlap.

    "sqrt_hann" fades each frame in and out again: its synthesis window is the canonical dual of the analysis window,
    g[n] = w[n] / sum_k w^2[n + k*hop] (with half overlap, g = w), and what an altered spectrum puts behind
    `window_length` is cut off. "hann" adds the inverse transforms up as they are, all `n_fft` samples of them (Allen,
    IEEE Trans. ASSP 25(3), 1977): g[n] = 1 / sum_k w[n + k*hop], which is 1 with half overlap.

    Args:
        window_length: in samples.
        hop: in samples; divides `window_length`, and at least two frames cover each sample.
        n_fft: length of the transform, at least `window_length` (default: `window_length`); zeros follow the frame.
        window: "sqrt_hann" or "hann".

    Raises:
        ValueError: a length that does not fit.
    """

    analysis: Tensor
    synthesis: Tensor

    def __init__(self, window_length: int, hop: int, n_fft: int | None = None, window: str = "sqrt_hann") -> None:
        super().__init__()
        n_fft = n_fft or window_length
        if hop < 1 or window_length % hop or window_length < 2 * hop:
            raise ValueError(f"hop {hop}: must divide window_length {window_length} and be at most half of it")
        if n_fft < window_length:
            raise ValueError(f"n_fft {n_fft}: must be at least window_length {window_length}")
        self.window_length, self.hop, self.n_fft, self.window = window_length, hop, n_fft, window
        self.overlap = window_length // hop
        self.bins = n_fft // 2 + 1
        analysis = make_window(window, window_length)
        shape = (analysis if window == "sqrt_hann" else torch.ones(n_fft)).double()
        #: hops that a synthesised frame reaches over
        self.span = -(-len(shape) // hop)
        sums = (analysis * shape[:window_length]).reshape(self.overlap, hop).sum(0).repeat(self.span)
        self.register_buffer("analysis", analysis, persistent=False)
        self.register_buffer("synthesis", (shape / sums[: len(shape)]).float(), persistent=False)

    @property
    def key(self) -> tuple[int, int, int, str]:
        """What the transform is: equal keys give equal spectra."""
        return self.window_length, self.hop, self.n_fft, self.window

    def frames(self, samples: int) -> int:
        """Number of frames that cover `samples` samples."""
        return -(-samples // self.hop) + self.overlap - 1

    def frame_lengths(self, lengths: Tensor) -> Tensor:
        """`frames` of each utterance.

        Shape:
            lengths `(batch,)`, int64; returns `(batch,)`, int64.
        """
        return torch.div(lengths + self.hop - 1, self.hop, rounding_mode="floor") + self.overlap - 1

    def forward(self, signal: Tensor) -> Tensor:
        """Analyse.

        Shape:
            signal `(batch, samples)`; returns complex64 `(batch, bins, frames)`.
        """
        samples = signal.shape[-1]
        before = self.window_length - self.hop
        after = (self.frames(samples) * self.hop) - samples
        return self.analyse(nn.functional.pad(signal.float(), (before, after)))

    def analyse(self, signal: Tensor) -> Tensor:
        """Analyse without padding: the frames that lie wholly in `signal`.

        Shape:
            signal `(batch, window_length + (frames - 1) * hop)`, float32; returns complex64 `(batch, bins, frames)`.
        """
        blocks = signal.unflatten(-1, (-1, self.hop))
        count = blocks.shape[-2] - self.overlap + 1
        framed = torch.cat([blocks[:, k : k + count] for k in range(self.overlap)], dim=-1)
        spectrum: Tensor = torch.fft.rfft(framed * self.analysis, n=self.n_fft).transpose(1, 2)
        return spectrum

    def inverse(self, spectrum: Tensor, samples: int) -> Tensor:
        """Synthesise by overlap-add.

        Shape:
            spectrum complex `(batch, bins, frames)`; returns float32 `(batch, samples)`.
        """
        before = self.window_length - self.hop
        return self.overlap_add(self.synthesise(spectrum))[:, before : before + samples]

    def synthesise(self, spectrum: Tensor) -> Tensor:
        """Windowed time signals of the frames.

        Shape:
            spectrum complex `(batch, bins, frames)`; returns float32 `(batch, frames, span * hop)`, zeros at the end
            where the synthesis window is shorter.
        """
        framed = torch.fft.irfft(spectrum.transpose(1, 2), n=self.n_fft)[..., : len(self.synthesis)] * self.synthesis
        missing = self.span * self.hop - len(self.synthesis)
        return nn.functional.pad(framed, (0, missing)) if missing else framed

    def overlap_add(self, framed: Tensor) -> Tensor:
        """Add frames at their places.

        Shape:
            framed `(batch, frames, span * hop)`; returns `(batch, (span + frames - 1) * hop)`.
        """
        pieces = framed.unflatten(-1, (self.span, self.hop))
        placed = [nn.functional.pad(pieces[:, :, k], (0, 0, k, self.span - 1 - k)).flatten(1) for k in range(self.span)]
        return functools.reduce(torch.add, placed)

    def extra_repr(self) -> str:
        """For `repr`."""
        return f"window_length={self.window_length}, hop={self.hop}, n_fft={self.n_fft}, window={self.window!r}"


class FrameSource:
    """Streaming analysis: push samples in chunks of any length, get the spectra of the frames that became complete.

    Args:
        stft: the transform.
        batch: number of signals that run side by side.
    """

    def __init__(self, stft: Stft, batch: int = 1) -> None:
        self.stft = stft
        self._kept = stft.analysis.new_zeros(batch, stft.window_length - stft.hop)

    def push(self, chunk: Tensor) -> Tensor:
        """Add samples.

        Shape:
            chunk `(batch, samples)`; returns complex64 `(batch, bins, frames)`, frames 0 where no block is complete.
        """
        stft = self.stft
        self._kept = torch.cat([self._kept, chunk.float()], dim=-1)
        count = (self._kept.shape[-1] - stft.window_length) // stft.hop + 1
        if count < 1:
            return torch.zeros(chunk.shape[0], stft.bins, 0, dtype=torch.complex64, device=chunk.device)
        spectrum = stft.analyse(self._kept[:, : stft.window_length + (count - 1) * stft.hop])
        self._kept = self._kept[:, count * stft.hop :]
        return spectrum


class FrameSink:
    """Streaming synthesis: push frames, get the samples that no later frame changes, `hop` of them for each frame.

    The first `window_length - hop` samples lie before the start of the signal.

    Args:
        stft: the transform.
        batch: number of signals that run side by side.
    """

    def __init__(self, stft: Stft, batch: int = 1) -> None:
        self.stft = stft
        self._tail = stft.synthesis.new_zeros(batch, (stft.span - 1) * stft.hop)

    def push(self, spectrum: Tensor) -> Tensor:
        """Add frames.

        Shape:
            spectrum complex `(batch, bins, frames)`; returns float32 `(batch, frames * hop)`.
        """
        count = spectrum.shape[-1] * self.stft.hop
        if count == 0:
            return self._tail[:, :0]
        added = self.stft.overlap_add(self.stft.synthesise(spectrum))
        added = added + nn.functional.pad(self._tail, (0, count))
        self._tail = added[:, count:]
        return added[:, :count]
