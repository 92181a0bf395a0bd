"""Statistics of a model's input: against NumPy, what is constant, and who must measure them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from sebench.errors import DataError
from sebench.estimate.batch import Batch
from sebench.models.input_statistics import InputStatistics, measure_inputs, statistics_of, unmeasured


class Holder(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.inner = InputStatistics()


class Measurer(Holder):
    def measure(self, batches: Iterable[Batch]) -> None:
        self.inner.measure(batch.noisy[0] for batch in batches)


def parts(*counts: int) -> list[Tensor]:
    values = 3.0 + 0.2 * torch.randn(sum(counts), 5, 2, generator=torch.Generator().manual_seed(0))
    return list(values.split(counts))


@pytest.mark.parametrize("counts", [(300,), (1, 200, 99)])
def test_they_are_those_of_numpy(counts: tuple[int, ...]) -> None:
    statistics = InputStatistics(5, 2)
    statistics.measure(parts(*counts))
    values = torch.cat(parts(*counts)).double().numpy()
    np.testing.assert_allclose(statistics.mean.numpy(), values.mean(0), rtol=1e-6)
    np.testing.assert_allclose(statistics.deviation.numpy(), values.std(0), rtol=1e-6)
    assert int(statistics.count) == 300
    normalised = statistics(torch.cat(parts(*counts)))
    torch.testing.assert_close(normalised.mean(0), torch.zeros(5, 2), rtol=0, atol=1e-4)
    torch.testing.assert_close(normalised.std(0, correction=0), torch.ones(5, 2), rtol=0, atol=1e-4)


def test_nothing_measured_changes_nothing() -> None:
    statistics, values = InputStatistics(5, 2), parts(10)[0]
    assert torch.equal(statistics(values), values)
    assert not statistics.measured


def test_what_is_constant_becomes_zero() -> None:
    statistics, (values,) = InputStatistics(5, 2), parts(100)
    values[:, 2, 1] = 4.0
    statistics.measure([values])
    assert bool((statistics(values)[:, 2, 1] == 0).all())
    assert float(statistics.deviation.min()) == pytest.approx(1e-4 * float(statistics.deviation.max()))


def test_silence_stays_silent() -> None:
    statistics = InputStatistics(5, 2)
    statistics.measure([torch.zeros(10, 5, 2)])
    assert statistics.measured
    assert torch.equal(statistics.deviation, torch.ones(5, 2))


def test_a_measurement_that_breaks_off_leaves_nothing() -> None:
    def broken() -> Iterator[Tensor]:
        yield from parts(10)
        raise KeyboardInterrupt

    statistics = InputStatistics(5, 2)
    with pytest.raises(KeyboardInterrupt):
        statistics.measure(broken())
    assert not statistics.measured
    assert torch.equal(statistics.mean, torch.zeros(5, 2))
    with pytest.raises(ValueError, match="nothing to measure"):
        statistics.measure([])


def test_they_are_measured_once() -> None:
    model = Measurer()
    assert unmeasured(model) == ["inner"]
    measure_inputs(model, [Batch(torch.randn(1, 100))])
    assert unmeasured(model) == []
    before = statistics_of(model)
    assert list(before) == ["inner.mean", "inner.deviation", "inner.count"]
    measure_inputs(model, (pytest.fail("looked at the data again") for _ in range(1)))
    assert all(torch.equal(before[name], value) for name, value in model.state_dict().items())


def test_statistics_that_nothing_measures_are_refused() -> None:
    with pytest.raises(DataError, match="Holder: nothing measures the input statistics inner"):
        measure_inputs(Holder(), [Batch(torch.randn(1, 100))])
