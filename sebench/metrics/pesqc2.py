"""Wide-band PESQ with Corrigendum 2 (ITU-T P.862, 2018), by the `pesqc2` package."""

from __future__ import annotations

from sebench.metrics.pesq import Pesq


class PesqCorrigendum2(Pesq):
    """PESQ, wide-band with Corrigendum 2, as MOS-LQO of P.862.2

    The corrigendum corrects the level of the loudness model. Scores are higher than `pesq_wb`'s, by 0.8 in the mean on
    the corrigendum's own data: the two are not comparable.
    """

    name = "pesqc2"
    version = 1
    bounds = (0.999, 4.999)
    unit = "MOS-LQO"
    package = "pesqc2"
    install = "pip install cython 'setuptools>=77' && pip install --no-build-isolation --no-deps pesqc2==0.0.4"
    source = "ITU-T P.862.2 (2007), P.862 Corrigendum 2 (2018); Torcoli et al., arXiv 2505.19760"
    other_rates = "down"
    mode = "wb"
