"""What a degradation is: a change of the noisy signal that no added noise can express."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

import numpy as np

from sebench.errors import DataError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Signal = NDArray[np.floating]


class Degradation:
    """Base class: subclasses set the class attributes below as literals and write `degrade`.

    Parameters are keyword-only. In a mixing each may be a distribution; an object has the values that were drawn for
    one mixture.

    Class attributes:
        name, version: identity.
        frequencies: parameters in Hz that must lie below half the sample rate of a set; checked when it is planned.
        packages: distributions whose versions decide the outcome; they enter the ids of mixtures.
        source: where it is from.
    """

    name: ClassVar[str] = ""
    version: ClassVar[int] = 1
    frequencies: ClassVar[tuple[str, ...]] = ()
    packages: ClassVar[tuple[str, ...]] = ()
    source: ClassVar[str] = ""

    def degrade(self, signal: Signal, sample_rate: int, rng: np.random.Generator) -> Signal:
        """The degraded signal, aligned with the given one.

        Args:
            signal: `(samples,)` float64, at least one sample; may be changed in place.
            sample_rate: in Hz.
            rng: of this mixture and of this place in its list; nothing else may be random.

        Returns:
            `(samples,)`.
        """
        raise NotImplementedError

    def apply(self, signal: Signal, sample_rate: int, rng: np.random.Generator) -> NDArray[np.float32]:
        """What is heard of a signal, `(samples,)` float32; the signal stays as it is.

        Raises:
            DataError: what comes out has another length or is not finite.
        """
        made = np.asarray(self.degrade(np.array(signal, np.float64), sample_rate, rng), np.float32)
        name = self.name or type(self).__name__
        if made.shape != signal.shape:
            raise DataError(f"degradation {name!r} made a signal of shape {made.shape} of one of shape {signal.shape}")
        if not np.isfinite(made).all():
            raise DataError(f"degradation {name!r} made samples that are not finite")
        return made


def exactly(signal: Signal, samples: int) -> Signal:
    """The first `samples`, with zeros where there are fewer: what resamplers round off."""
    return np.pad(signal[:samples], (0, max(0, samples - len(signal))))
