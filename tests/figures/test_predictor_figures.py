"""The figures of predictors: the scatter of predicted over measured scores, and the epochs of alternating training."""

from __future__ import annotations

import csv
import io

import numpy as np
import pandas as pd
import pytest
from matplotlib.colors import to_hex

from sebench.artefacts import Node, Store
from sebench.errors import DataError
from sebench.figures import epochs, scatter
from sebench.figures.epochs import EpochsSpec
from sebench.figures.scatter import ScatterPanelSpec, ScatterSpec
from sebench.figures.step import run
from sebench.files import write_json, write_parquet

#: mixture -> (measured, predicted); None: there is none.
EASY = {"a": (1.5, 1.7), "b": (2.0, 2.1), "c": (None, 3.0), "d": (4.0, 3.5)}
HARD = {"e": (1.1, 1.3), "f": (1.2, None)}


def freeze_scores(store: Store, name: str, values: dict[str, tuple[float | None, float | None]]) -> tuple[Node, Node]:
    """Scores (of two metrics, in another order) and predictions."""
    scores, predictions = Node("scores", name, {"of": name}), Node("predictions", name, {"of": name})
    frames = []
    for metric, shift in (("other", 100.0), ("pesqc2", 0.0)):
        measured = [value for value, _ in reversed(values.values())]
        frame = pd.DataFrame({"mixture": list(reversed(values)), "metric": metric})
        frame["value"] = [np.nan if value is None else value + shift for value in measured]
        frame["status"] = ["failed" if value is None else "ok" for value in measured]
        frames.append(frame)
    predicted = [value for _, value in values.values()]
    guess = pd.DataFrame({"mixture": list(values), "value": [np.nan if v is None else v for v in predicted]})
    guess["status"] = ["failed" if value is None else "ok" for value in predicted]
    for node in (scores, predictions):
        store.freeze(node)
    write_parquet(store.outputs(scores)["scores.parquet"], pd.concat(frames, ignore_index=True))
    write_parquet(store.outputs(predictions)["predictions.parquet"], guess)
    return scores, predictions


@pytest.fixture
def scattered(tmp_path) -> tuple[Store, Node]:
    store = Store(tmp_path / "results")
    easy, hard = freeze_scores(store, "easy", EASY), freeze_scores(store, "hard", HARD)
    panels = [
        ScatterPanelSpec(
            label="PESQNet, s_hat",
            predictions={"0 dB": easy[1].key, "-5 dB": hard[1].key},
            scores={"0 dB": easy[0].key, "-5 dB": hard[0].key},
        ),
        ScatterPanelSpec(label="PESQNet, y", predictions={"0 dB": hard[1].key}, scores={"0 dB": hard[0].key}),
        ScatterPanelSpec(label="absent", predictions={}, scores={}),
    ]
    spec = ScatterSpec(title="Predicted over measured", metric="pesqc2", called="PESQ", panels=panels)
    node = Node(
        "figure",
        "scatter",
        {"figure": "scatter", **spec.model_dump(mode="json")},
        {n.key: n.key for n in (*easy, *hard)},
    )
    store.freeze(node)
    return store, node


def spec_of(model, node: Node):
    return model.model_validate({key: value for key, value in node.spec.items() if key != "figure"})


def numbers(store: Store, node: Node) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(store.outputs(node)["figure.csv"].read_text())))


def test_points_of_the_scatter(scattered) -> None:
    """An utterance with both scores is a point, of its own panel, condition and metric; one without is none."""
    store, node = scattered
    run(node, store)
    found = [tuple(row.values()) for row in numbers(store, node)]
    assert sorted(found) == sorted(
        [
            *(("PESQNet, s_hat", "0 dB", name, f"{EASY[name][0]:g}", f"{EASY[name][1]:g}") for name in "abd"),
            ("PESQNet, s_hat", "-5 dB", "e", "1.1", "1.3"),
            ("PESQNet, y", "0 dB", "e", "1.1", "1.3"),
        ]
    )
    assert store.outputs(node)["figure.png"].read_bytes().startswith(b"\x89PNG")
    assert b"<svg" in store.outputs(node)["figure.svg"].read_bytes()


def test_what_the_scatter_draws_and_says(scattered) -> None:
    store, node = scattered
    figure, _ = scatter.make(node, store, spec_of(ScatterSpec, node))
    first, second, third = (axis for axis in figure.axes if axis.get_visible())
    drawn = {line.get_label(): line.get_xydata().tolist() for line in first.lines[1:]}
    assert sorted(drawn["0 dB"]) == [list(EASY[name]) for name in "abd"]
    assert drawn["-5 dB"] == [[1.1, 1.3]]
    measured, predicted = np.array([EASY["a"], EASY["b"], EASY["d"], (1.1, 1.3)]).T
    mae, lcc = np.abs(measured - predicted).mean(), np.corrcoef(measured, predicted)[0, 1]
    assert first.get_title() == f"PESQNet, s_hat\nMAE {mae:.2f}, LCC {lcc:.2f}, 4 utterances"
    assert second.get_title() == "PESQNet, y\nMAE 0.20, 1 utterances", "one point has no correlation"
    assert third.get_title() == "absent\nno utterance has both scores"
    ends = [line.lines[0].get_xydata() for line in (first, second, third)]
    assert all((end[:, 0] == end[:, 1]).all() for end in ends), "where both scores are equal"
    assert len({axis.get_xlim() + axis.get_ylim() for axis in (first, second, third)}) == 1


HISTORY = [
    {"epoch": 0, "valid_loss": 4.0, "mae": 0.5, "lcc": None, "step": 0},
    {"epoch": 1, "valid_loss": 3.0, "mae": 0.7, "lcc": 0.1, "step": 3},
    {"epoch": 2, "valid_loss": 3.5, "mae": 0.25, "lcc": 0.9, "step": 6},
]
QUANTITIES = {"valid_loss": "loss (9)", "lcc": "LCC of PESQNet"}


@pytest.fixture
def alternated(tmp_path) -> tuple[Store, Node]:
    store = Store(tmp_path / "results")
    curves = {}
    for label, rows in {"alpha=0": HISTORY, "alpha=1": HISTORY[:2], "failed": []}.items():
        node = Node("run", "toy", {"label": label})
        store.freeze(node)
        write_json(store.outputs(node)["history.json"], rows)
        curves[label] = node.key
    spec = EpochsSpec(title="Alternation", curves=curves, quantities=QUANTITIES)
    figure = Node(
        "figure", "epochs", {"figure": "epochs", **spec.model_dump(mode="json")}, {key: key for key in curves.values()}
    )
    store.freeze(figure)
    return store, figure


def test_numbers_of_the_epochs(alternated) -> None:
    store, node = alternated
    run(node, store)
    assert numbers(store, node) == [
        {"row": "alpha=0", "epoch": "0", "valid_loss": "4", "lcc": ""},
        {"row": "alpha=0", "epoch": "1", "valid_loss": "3", "lcc": "0.1"},
        {"row": "alpha=0", "epoch": "2", "valid_loss": "3.5", "lcc": "0.9"},
        {"row": "alpha=1", "epoch": "0", "valid_loss": "4", "lcc": ""},
        {"row": "alpha=1", "epoch": "1", "valid_loss": "3", "lcc": "0.1"},
    ]
    assert store.outputs(node)["figure.png"].read_bytes().startswith(b"\x89PNG")


def test_parts_of_a_loss_are_drawn_and_a_wrong_one_is_named(alternated) -> None:
    store, node = alternated
    run = store.parent(node, next(iter(node.spec["curves"].values())))
    write_json(store.outputs(run)["history.json"], [{**row, "loss/mag_mse": 2.5} for row in HISTORY])
    spec = spec_of(EpochsSpec, node)
    quantities = {"loss/mag_mse": "MSE"}
    _, told = epochs.make(node, store, spec.model_copy(update={"quantities": quantities}))
    assert told.splitlines()[:2] == ["row,epoch,loss/mag_mse", "alpha=0,0,2.5"]
    with pytest.raises(DataError, match=r"no column 'loss/mag_mes'.*did you mean 'loss/mag_mse'"):
        epochs.make(node, store, spec.model_copy(update={"quantities": {"loss/mag_mes": "MSE"}}))


def test_what_the_epochs_draw(alternated) -> None:
    """A line per run and panel; filled where the enhancer was trained, open where the predictor was, or nothing."""
    store, node = alternated
    figure, _ = epochs.make(node, store, spec_of(EpochsSpec, node))
    loss, lcc = figure.axes
    assert [axis.get_ylabel() for axis in (loss, lcc)] == ["loss (9)", "LCC of PESQNet"]
    lines = {line.get_label(): line.get_xydata().tolist() for line in loss.lines if line.get_linestyle() == "-"}
    assert lines == {"alpha=0": [[0, 4], [1, 3], [2, 3.5]], "alpha=1": [[0, 4], [1, 3]]}
    markers = [line for line in loss.lines if line.get_linestyle() == "None"]
    faces = {(tuple(x for x, _ in m.get_xydata()), to_hex(m.get_markerfacecolor()) == "#ffffff") for m in markers}
    assert faces == {((1.0,), False), ((0.0, 2.0), True), ((0.0,), True)}
    drawn = [line.get_xydata().tolist() for line in lcc.lines if line.get_linestyle() == "-"]
    assert drawn == [[[1, 0.1], [2, 0.9]], [[1, 0.1]]]
    assert [text.get_text() for text in loss.get_legend().get_texts()] == ["alpha=0", "alpha=1"]


@pytest.mark.parametrize("scene", ["scattered", "alternated"])
def test_again_gives_the_same_bytes(scene: str, request: pytest.FixtureRequest) -> None:
    store, node = request.getfixturevalue(scene)
    written = []
    for _ in range(2):
        run(node, store)
        written.append({name: path.read_bytes() for name, path in store.outputs(node).items()})
    assert written[0] == written[1]
    assert b"tIME" not in written[0]["figure.png"]
