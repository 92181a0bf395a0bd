"""What computes a metric: packages, their weights, and what is said where one is missing."""

from __future__ import annotations

import hashlib
import subprocess
import sys
from importlib import metadata
from pathlib import Path

import numpy as np
import pytest

from sebench.config.items import build, registry
from sebench.config.load import load_config
from sebench.metrics import base
from sebench.metrics.base import Metric, MissingPackageError, implementation, installed, model_file
from sebench.plan import resolve

CONFIG = Path(__file__).parents[2] / "config"


class Elsewhere(Metric):
    name = "elsewhere"
    needs_reference = False
    package = "no-such-package"

    def score(self, clean, estimate, noisy, sample_rate):
        raise AssertionError


def test_package_version_and_weights():
    assert implementation("", "si_sdr") == "sebench si_sdr"
    assert implementation("pesq", "pesq_nb") == f"pesq {metadata.version('pesq')}"
    file = registry("metric")["dnsmos_p808"].facts.model_files[0]
    digest = hashlib.sha256(model_file("speechmos", file).read_bytes()).hexdigest()
    version = metadata.version("speechmos")
    assert implementation("speechmos", "x", (file,)) == f"speechmos {version} (model_v8.onnx {digest[:8]})"
    assert implementation("speechmos", "x", (file, file)).count(digest[:8]) == 2


def test_weights_of_the_version_that_was_tested():
    """The networks whose scores are compared in the literature, whatever version of the package holds them."""
    found = {name: build({"type": name}, "metric").model_files for name in ("dnsmos_p808", "dnsmos_p835")}
    digests = {
        name: hashlib.sha256(model_file("speechmos", file).read_bytes()).hexdigest()[:16]
        for name, (file,) in found.items()
    }
    assert digests == {"dnsmos_p808": "9246480c58567bc6", "dnsmos_p835": "269fbebdb513aa23"}


def test_what_is_installed():
    assert installed("")
    assert installed("pesq")
    assert not installed("no-such-package")
    with pytest.raises(metadata.PackageNotFoundError):
        implementation("no-such-package", "x")
    with pytest.raises(MissingPackageError, match="has no such file"):
        implementation("speechmos", "x", ("speechmos/other.onnx",))


def test_a_missing_package_is_no_failed_score():
    with pytest.raises(MissingPackageError, match=r"'elsewhere' needs the package 'no-such-package'.*pip install no-s"):
        Elsewhere().compute(clean=None, estimate=np.ones(100), noisy=None, sample_rate=16000)


def test_pesqc2_says_how_it_is_installed(monkeypatch, signals):
    monkeypatch.setattr(base, "installed", lambda package: package != "pesqc2")
    given = {"clean": signals["clean"], "estimate": signals["noisy"], "noisy": None, "sample_rate": 16000}
    with pytest.raises(MissingPackageError, match=r"`make env`.*--no-build-isolation --no-deps pesqc2"):
        build({"type": "pesqc2"}, "metric").compute(**given)
    assert build({"type": "pesq_wb"}, "metric").compute(**given).status == "ok"


def test_the_planner_names_weights_and_absent_packages(monkeypatch):
    config = load_config(CONFIG)
    plain = resolve.metric_identity(config, "dnsmos_p808")["implementation"]
    assert plain.startswith("speechmos ")
    assert "(model_v8.onnx 9246480c)" in plain
    assert resolve.metric_identity(config, "seg_snr")["implementation"] == "sebench seg_snr"
    monkeypatch.setattr(resolve, "installed", lambda package: package not in ("pesqc2", "speechmos"))
    assert resolve.metric_identity(config, "dnsmos_p808")["implementation"] == "speechmos absent"
    assert resolve.metric_identity(config, "pesqc2")["type"] == "pesq_wb", "its stand-in"


def test_each_shipped_entry_names_a_metric_and_stays_cheap_to_plan():
    code = f"""
import sys
from pathlib import Path
from sebench.config.load import load_config
from sebench.plan.resolve import metric_identity
config = load_config(Path({str(CONFIG)!r}))
types = {{metric_identity(config, name)["type"] for name in config.sections["metrics"]}}
print(*sorted(types))
heavy = {{"numpy", "scipy", "torch", "librosa", "onnxruntime", "speechmos", "gammatone", "pesq", "pesqc2"}}
assert not heavy & set(sys.modules), heavy & set(sys.modules)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    builtin = [name for name, item in registry("metric").items() if item.builtin]
    assert done.stdout.split() == sorted(builtin)
