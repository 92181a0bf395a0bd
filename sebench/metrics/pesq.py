"""PESQ (ITU-T P.862) by the `pesq` package: narrow-band and wide-band, without Corrigendum 2."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, ClassVar

from sebench.metrics import pesq_limits
from sebench.metrics.base import Metric, Unscorable, is_constant

if TYPE_CHECKING:
    from sebench.metrics.base import Signal


class Pesq(Metric):
    """What PESQ's forms have in common: a `package` with the interface of `pesq`, and its `mode`."""

    mode: ClassVar[str] = ""

    def score(self, clean: Signal, estimate: Signal, noisy: Signal, sample_rate: int) -> float:
        """MOS-LQO."""
        # Before the package sees them: it divides by the louder peak and looks for utterances in what is left.
        if is_constant(estimate):
            raise Unscorable(f"PESQ finds no utterance: the estimate is {'constant' if estimate.any() else 'silent'}")
        pesq_limits.check(self.package, clean, sample_rate, wide=self.mode == "wb")
        pesq = importlib.import_module(self.package)
        try:
            return float(pesq.pesq(sample_rate, clean, estimate, self.mode))
        except pesq.NoUtterancesError:
            raise Unscorable("PESQ finds no utterance (NoUtterancesError)") from None
        except pesq.PesqError as error:
            raise Unscorable(f"PESQ: {type(error).__name__}: {error}") from None


class PesqNarrowBand(Pesq):
    """PESQ, narrow-band, as MOS-LQO of P.862.1

    The raw score x of P.862 mapped by 0.999 + 4 / (1 + exp(-1.4945 x + 4.6607)). Input at 16 kHz, files also at 8 kHz;
    the model itself filters to the telephone band.
    """

    name = "pesq_nb"
    version = 1
    bounds = (0.999, 4.999)
    unit = "MOS-LQO"
    package = "pesq"
    source = "ITU-T P.862 (2001), P.862.1 (2003)"
    other_rates = "down"
    own_rates = (8000,)
    mode = "nb"


class PesqWideBand(Pesq):
    """PESQ, wide-band, as MOS-LQO of P.862.2

    The `pesq` package does not have Corrigendum 2 of P.862 (2018): scores are lower than with it (`pesqc2`).
    """

    name = "pesq_wb"
    version = 1
    bounds = (0.999, 4.999)
    unit = "MOS-LQO"
    package = "pesq"
    source = "ITU-T P.862.2 (2007)"
    other_rates = "down"
    mode = "wb"
