"""Enhance a recording of any rate, length and number of channels, in bounded memory.

The file is read in chunks; each channel is resampled to the model's rate, enhanced, and resampled back. The output has
the input's rate, length and channels, sample n of it belongs to sample n of the input. What a model makes that hears at
one rate and makes another is written at the rate that it makes.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np
import soundfile
import soxr
import torch
from numpy.typing import NDArray

from sebench.corpora.audio import SoundFileReader, opened
from sebench.enhancement.load import CHECKPOINT, load_model
from sebench.errors import DataError
from sebench.estimate.batch import Batch
from sebench.files import replacing
from sebench.models.base import Model
from sebench.targets import check_target
from sebench.training.device import device_of, pick_device

Block = NDArray[np.float32]  # (samples, channels)

CHUNK_SECONDS = 10.0
OVERLAP_SECONDS = 1.0

#: Sample format of the output by file format, and whether it keeps the input's where that is one of these.
SUBTYPES = {"WAV": "FLOAT", "FLAC": "PCM_24", "OGG": "VORBIS", "W64": "FLOAT", "AIFF": "FLOAT", "CAF": "FLOAT"}
CLIPPING = {"PCM_16", "PCM_24", "PCM_32", "PCM_S8", "PCM_U8"}


def enhance_file(
    checkpoint: Path | str | Model, source: Path | str, target: Path | str, *, force: bool = False
) -> Path:
    """Enhance one recording, on the device that training and enhanced sets are computed on: see `pick_device`.

    Args:
        checkpoint: a run's folder, its `checkpoint.safetensors`, or a model that is loaded already, which stays on its
            device.
        source: any file that libsndfile reads.
        target: its suffix chooses the format: float32 WAV, 24-bit FLAC, Ogg Vorbis, ...
        force: whether a file that is there may be replaced. The source never is.

    Returns:
        the file that was written; it is there only if all of the source was enhanced.

    Raises:
        DataError: the source cannot be read, is not whole or holds no finite audio; the target may not or cannot be
            written, or its format is not known; the model's output is not finite; the device cannot be used.
    """
    source, target = Path(source), Path(target)
    container = _container(target)
    if not source.exists():
        raise DataError(f"{source}: no such file")
    if source.is_dir():
        raise DataError(f"{source}: is a folder; accepted: an audio file")
    read = [source] if isinstance(checkpoint, Model) else [source, Path(checkpoint), Path(checkpoint) / CHECKPOINT]
    check_target(target, read, force)
    model = checkpoint if isinstance(checkpoint, Model) else load_model(checkpoint).to(pick_device())
    with opened(source) as reader:
        blocks: Iterable[Block] = _finite(reader, source)
        form = (reader.sample_rate, reader.channels)
        if model.two_rates:  # what it makes may be more than the file's rate can hold
            blocks, form = _resample(blocks, form[0], model.sample_rate, form[1]), (model.sample_rate, form[1])
        enhanced = enhance_blocks(model, blocks, *form)
        try:
            with (
                replacing(target) as temporary,
                soundfile.SoundFile(os.fsencode(temporary), "w", *form, SUBTYPES[container], format=container) as file,
            ):
                for block in enhanced:
                    if not np.isfinite(block).all():
                        raise DataError(f"{source}: what the model makes of it is not finite")
                    file.write(_within_range(block, container))
        except (soundfile.LibsndfileError, ValueError) as error:
            what = f"{form[1]} channels at {form[0]} Hz"
            raise DataError(f"{target}: cannot be written as {container} with {what}: {error}") from error
    return target


def _finite(reader: SoundFileReader, source: Path) -> Iterator[Block]:
    """All that decodes, in chunks of `CHUNK_SECONDS`, `(samples, channels)`; refused where a sample is not finite."""
    for block in reader.blocks(max(1, round(CHUNK_SECONDS * reader.sample_rate))):
        if not np.isfinite(block).all():
            raise DataError(f"{source}: holds samples that are not finite")
        yield block


def enhance_blocks(model: Model, blocks: Iterable[Block], sample_rate: int, channels: int) -> Iterator[Block]:
    """Enhance audio that arrives in blocks; as many samples come out as went in, in step with them.

    Shape:
        blocks `(samples, channels)` of any length; yields the same.
    """
    count = _Count()
    stream: Iterable[Block] = count.watch(blocks)
    if sample_rate != model.sample_rate:
        stream = _resample(stream, sample_rate, model.sample_rate, channels)
    stream = _streamed(model, stream, channels) if model.causal else _overlapped(model, stream, channels)
    if sample_rate != model.sample_rate:
        stream = _resample(stream, model.sample_rate, sample_rate, channels)
    # Two conversions of rates may end a sample early or late.
    written = 0
    pending: Block = np.zeros((0, channels), np.float32)
    for block in stream:
        ready, pending = np.concatenate([pending, block]), np.zeros((0, channels), np.float32)
        allowed = count.samples - written
        ready, pending = ready[:allowed], ready[allowed:]
        written += len(ready)
        if len(ready):
            yield ready
    rest = count.samples - written
    if rest:
        tail = pending[:rest]
        yield np.concatenate([tail, np.zeros((rest - len(tail), channels), np.float32)])


class _Count:
    """Counts the samples that pass."""

    def __init__(self) -> None:
        self.samples = 0

    def watch(self, blocks: Iterable[Block]) -> Iterator[Block]:
        for block in blocks:
            self.samples += len(block)
            yield block


def _resample(blocks: Iterable[Block], source: int, target: int, channels: int) -> Iterator[Block]:
    # soxr's stream compensates its filter's delay: its first output sample belongs to the first input sample.
    resampler = soxr.ResampleStream(source, target, channels, dtype="float32", quality="VHQ")
    for block in blocks:
        yield resampler.resample_chunk(np.ascontiguousarray(block)).reshape(-1, channels)
    yield resampler.resample_chunk(np.zeros((0, channels), np.float32), last=True).reshape(-1, channels)


def _streamed(model: Model, blocks: Iterable[Block], channels: int) -> Iterator[Block]:
    """A causal model, from chunk to chunk, without its delay."""
    with torch.inference_mode():
        state = model.reset(channels)
        late = model.delay
        for block in blocks:
            if not len(block):
                continue
            output, state = model.stream(_on_device_of(model, block), state)
            output, late = output[:, late:], max(0, late - output.shape[1])
            yield output.T.cpu().numpy()
        yield model.flush(state)[:, late:].T.cpu().numpy()


def _overlapped(model: Model, blocks: Iterable[Block], channels: int) -> Iterator[Block]:
    """Any other model: pieces that overlap, faded into each other."""
    size, overlap = round(CHUNK_SECONDS * model.sample_rate), round(OVERLAP_SECONDS * model.sample_rate)
    fade = ((np.arange(overlap, dtype=np.float32) + 0.5) / overlap)[:, None]
    kept: Block | None = None  # the enhanced end of the last piece
    for piece, last in _pieces(blocks, size, overlap, channels):
        batch = Batch(_on_device_of(model, piece), sample_rate=model.sample_rate)
        with torch.inference_mode():
            output = model(batch).waveform.float().T.cpu().numpy().copy()
        if kept is not None:
            count = min(overlap, len(output))
            output[:count] = kept[:count] * (1.0 - fade[:count]) + output[:count] * fade[:count]
        yield output if last else output[: size - overlap]
        kept = output[size - overlap :]


def _on_device_of(model: Model, block: Block) -> torch.Tensor:
    """`(channels, samples)`."""
    return torch.from_numpy(np.ascontiguousarray(block.T)).to(device_of(model))


def _pieces(blocks: Iterable[Block], size: int, overlap: int, channels: int) -> Iterator[tuple[Block, bool]]:
    """Pieces of `size` samples, each of which repeats the last `overlap` of the one before; the last may be shorter."""
    waiting: Block = np.zeros((0, channels), np.float32)
    for block in blocks:
        waiting = np.concatenate([waiting, block])
        while len(waiting) > size:
            yield waiting[:size], False
            waiting = waiting[size - overlap :]
    if len(waiting):
        yield waiting, True


def _container(target: Path) -> str:
    name = {"AIF": "AIFF"}.get(target.suffix[1:].upper(), target.suffix[1:].upper())
    if name not in SUBTYPES:
        accepted = ", ".join(f".{known.lower()}" for known in SUBTYPES)
        raise DataError(
            f"{target}: the suffix {target.suffix!r} names no format that can be written; accepted: {accepted}"
        )
    return name


def _within_range(block: Block, container: str) -> Block:
    """Integer formats wrap or clip beyond full scale: clip on purpose."""
    return np.clip(block, -1.0, 1.0) if SUBTYPES[container] in CLIPPING else block
