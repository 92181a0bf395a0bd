"""References between entries: names that must exist, parameters that must fit, loops that must not be."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from sebench.config import items
from sebench.config.load import ITEM_SECTIONS, SECTIONS, Config, Named, missing
from sebench.config.schema import Point, Stage, point_name
from sebench.errors import Problem, nearest
from sebench.names import ACCEPTED, is_name


def check_references(config: Config) -> Iterator[Problem]:
    """Every problem between entries."""
    for section, kind in ITEM_SECTIONS.items():
        told: set[str] = set()
        for named in config.sections[section].values():
            if getattr(named.entry, "type", None) is None or getattr(named.entry, "sweep", None):
                continue  # the members of a sweep are checked
            for problem in _item_problems(config, kind, named):
                mark = f"{problem.where} {problem.found}"
                if mark not in told:
                    told.add(mark)
                    yield problem
    yield from _loss_problems(config)
    for named in config.sections["recipes"].values():
        yield from _recipe_problems(config, named)
    for named in config.sections["metrics"].values():
        yield from _metric_problems(config, named)
    for named in config.sections["studies"].values():
        yield from _study_problems(config, named)


def check_params(kind: str, type_name: str, params: dict[str, Any], where: Any, key: str) -> Iterator[Problem]:
    """Problems of an item's parameters; `where(name)` gives file and line of one."""
    item = items.find(kind, type_name)
    if item is None:
        names = list(items.registry(kind))
        accepted = ", ".join(names) + ", or package.module:Class"
        yield Problem(where("type"), f"{key}.type", f"no {kind} {type_name!r}", accepted, nearest(type_name, names))
        return
    for name, value in params.items():
        if name not in item.params:
            accepted = ", ".join(item.params) or "none"
            found = f"{kind} {type_name!r} has no parameter {name!r}"
            yield Problem(where("params", name), f"{key}.params.{name}", found, accepted, nearest(name, item.params))
            continue
        try:
            item.params[name].validate(value)
        except ValueError as error:
            yield Problem(where("params", name), f"{key}.params.{name}", f"found {value!r}", str(error))
    for name, param in item.params.items():
        if param.required and name not in params:
            yield Problem(where("params"), f"{key}.params.{name}", "required and absent", param.text)


def _item_problems(config: Config, kind: str, named: Named) -> Iterator[Problem]:
    swept = config.sections["losses"][named.family].entry.sweep if named.family else {}

    def where(*keys: str | int) -> str:
        """A swept parameter stands under `sweep`."""
        return named.where("sweep", *keys[1:]) if keys[1:] and keys[1] in swept else named.where(*keys)

    try:
        yield from check_params(kind, named.entry.type, named.entry.params, where, named.family or named.name)
    except items.ItemError as error:
        yield Problem(named.where("type"), f"{named.name}.type", str(error))


def _parts(entry: Any) -> list[tuple[str, str]]:
    """(key, name) of the losses that an entry refers to."""
    if entry.sum is not None:
        return [("sum", name) for name in entry.sum]
    if entry.mix is not None:
        return [("mix", entry.mix.magnitude), ("mix", entry.mix.complex)]
    return []


def _loss_problems(config: Config) -> Iterator[Problem]:
    losses = config.sections["losses"]
    reported: set[str] = set()
    for named in losses.values():
        for key, name in _parts(named.entry):
            if named.family:
                continue
            if config.lookup("losses", name) is None:
                yield missing(config, "losses", name, named.where(key, name), f"{named.name}.{key}")
            else:
                yield from _no_family(config, name, named.where(key, name), f"{named.name}.{key}")
        chain = _loop(losses, named.name, [])
        if chain and not reported & set(chain):
            reported |= set(chain)
            yield Problem(named.where(), named.name, f"a loop of references: {' -> '.join(chain)}")


def _no_family(config: Config, name: str, where: str, key: str) -> Iterator[Problem]:
    """A family where one loss is meant."""
    found = config.lookup("losses", name)
    if found is not None and found.entry.sweep:
        members = ", ".join(member.name for member in config.members(name))
        yield Problem(where, key, f"{name!r} is a sweep, and one loss is wanted", members)


def _loop(losses: dict[str, Named], name: str, path: list[str]) -> list[str]:
    if name in path:
        return [*path[path.index(name) :], name]
    if name not in losses:
        return []
    for _, part in _parts(losses[name].entry):
        found = _loop(losses, part, [*path, name])
        if found:
            return found
    return []


def _recipe_problems(config: Config, named: Named) -> Iterator[Problem]:
    earlier: list[str] = []
    for index, stage in enumerate(named.entry.stages):
        key = f"{named.name}.stages.{index}"
        if stage.name in earlier:
            yield Problem(named.where("stages", index), key, f"two stages are called {stage.name!r}")
        for section, field in (
            ("models", "model"),
            ("losses", "loss"),
            ("predictors", "predictor"),
            ("metrics", "labels"),
        ):
            name = getattr(stage, field)
            if name is not None and config.lookup(section, name) is None:
                yield missing(config, section, name, named.where("stages", index, field), f"{key}.{field}")
        if stage.loss is not None:
            yield from _no_family(config, stage.loss, named.where("stages", index, "loss"), key)
        for module, source in stage.init.items():
            if source not in earlier:
                found = f"stage {stage.name!r} starts {module or 'the model'!r} from {source!r}"
                accepted = "an earlier stage of this recipe: " + (", ".join(earlier) or "none stands before it")
                yield Problem(
                    named.where("stages", index, "init"), f"{key}.init", found, accepted, nearest(source, earlier)
                )
        earlier.append(stage.name)


def _metric_problems(config: Config, named: Named) -> Iterator[Problem]:
    instead = named.entry.instead
    if not instead:
        return
    found = config.lookup("metrics", instead)
    where, key = named.where("instead"), f"{named.name}.instead"
    if found is None:
        yield missing(config, "metrics", instead, where, key)
    elif found.entry.instead:
        yield Problem(where, key, f"{instead!r}, which has a stand-in itself", "a metric without `instead`")


def _study_problems(config: Config, named: Named) -> Iterator[Problem]:
    study = named.entry

    yield from _display_name_problems(named)

    def refer(section: str, name: str, *keys: str | int) -> Iterator[Problem]:
        if config.lookup(section, name) is None:
            yield missing(config, section, name, named.where(*keys), ".".join(map(str, (named.name, *keys))))

    for role, name in study.corpus.items():
        yield from refer("corpora", name, "corpus", *([role] if role else []))
    for role, name in study.mixing.items():
        yield from refer("mixing", name, "mixing", *([role] if role else []))
    for name, test in study.conditions.sets.items():
        if test.mixing not in (None, "none"):
            yield from refer("mixing", test.mixing, "conditions", "sets", name, "mixing")
    for index, name in enumerate(study.metrics):
        yield from refer("metrics", name, "metrics", index)
    for label, name in study.external.items():
        yield from refer("external", name, "external", label)
    if study.select.by != "loss":
        yield from refer("metrics", study.select.by, "select", "by")
    sections = {"model": "models", "loss": "losses", "recipe": "recipes"}
    for block_index, block in enumerate(study.grid):
        for form, axes in (("product", block.product), ("zip", block.zip)):
            lengths = {axis: len(values) for axis, values in axes.items()}
            if form == "zip" and len(set(lengths.values())) > 1:
                found = ", ".join(f"{axis} has {n}" for axis, n in lengths.items())
                yield Problem(
                    named.where("grid", block_index, "zip"),
                    f"{named.name}.grid.{block_index}.zip",
                    found,
                    "equal lengths",
                )
            for axis, values in axes.items():
                if axis == "seed":
                    continue
                for value_index, value in enumerate(values):
                    yield from refer(sections[axis], str(value), "grid", block_index, form, axis, value_index)
        for axis in sections:
            if (axis in block.product) == (axis in block.zip):
                found = f"the axis {axis!r} " + ("stands in product and in zip" if axis in block.zip else "is absent")
                yield Problem(
                    named.where("grid", block_index),
                    f"{named.name}.grid.{block_index}",
                    found,
                    "each of model, loss, recipe once",
                )
    yield from _choice_problems(config, named)
    for index, exclusion in enumerate(study.exclude):
        for axis, section in sections.items():
            name = getattr(exclusion, axis)
            if name is not None:
                yield from refer(section, name, "exclude", index, axis)
    for scale, amounts in study.scales.items():
        yield from refer("scales", scale, "scales", scale)
        yield from _thinned_problems(config, named, scale)
        for snr_db in amounts.snr_db or ():
            if snr_db not in study.conditions.all_snr_db():
                where, key = named.where("scales", scale, "snr_db"), f"{named.name}.scales.{scale}.snr_db"
                there = ", ".join(f"{value:g}" for value in study.conditions.all_snr_db())
                yield Problem(where, key, f"{snr_db:g} dB is no test SNR of the study", there)
        for section, changed in (("models", amounts.models), ("predictors", amounts.predictors)):
            for name, params in changed.items():
                found_item = config.lookup(section, name)
                if found_item is None:
                    yield from refer(section, name, "scales", scale, section, name)
                    continue
                yield from check_params(
                    ITEM_SECTIONS[section],
                    found_item.entry.type,
                    {**found_item.entry.params, **params},
                    lambda *keys, scale=scale, section=section, name=name: named.where(
                        "scales", scale, section, name, *keys[1:]
                    ),
                    f"{named.name}.scales.{scale}.{section}.{name}",
                )
        yield from _stage_change_problems(config, named, scale)
    roles = set(study.corpus)
    for key in ("mixing",):
        if set(study.mixing) != roles and set(study.mixing) != {""}:
            yield Problem(
                named.where(key),
                f"{named.name}.{key}",
                f"roles {sorted(study.mixing)}",
                f"the corpora's: {sorted(roles)}",
            )
    assert set(SECTIONS) >= set(sections.values())


def _display_name_problems(study: Named) -> Iterator[Problem]:
    """Tables and figures are files of one folder, by their names."""
    for part, shown in (("tables", study.entry.tables), ("figures", study.entry.figures)):
        for name in shown:
            where, key = study.where(part, name), f"{study.name}.{part}"
            if not is_name(name) or name.endswith(".provenance"):
                yield Problem(where, key, f"the name {name!r}", ACCEPTED)
            elif part == "figures" and name in study.entry.tables:
                found = f"a table is called {name!r} too, and both would write {name}.csv"
                yield Problem(where, key, found, "names that differ")


def _stage_change_problems(config: Config, study: Named, scale: str) -> Iterator[Problem]:
    """Stages that a scale changes and no recipe of the study has, and changes that a stage would not heed."""
    axes = [axes for block in study.entry.grid for axes in (block.product, block.zip)]
    recipes = [config.lookup("recipes", str(name)) for each in axes for name in each.get("recipe", [])]
    stages = {(r.name, stage.name): stage for r in recipes if r for stage in r.entry.stages}
    there = list(dict.fromkeys(stage.name for stage in stages.values()))
    for name, own in study.entry.scales[scale].stages.items():
        where, key = study.where("scales", scale, "stages", name), f"{study.name}.scales.{scale}.stages.{name}"
        for recipe, stage in ((recipe, stage) for (recipe, _), stage in stages.items() if stage.name == name):
            idle = _without_effect(stage)
            accepted = ", ".join(change for change in type(own).model_fields if change not in idle)
            for change in (change for change in idle if getattr(own, change) is not None):
                place = study.where("scales", scale, "stages", name, change)
                yield Problem(place, f"{key}.{change}", f"stage {name!r} of recipe {recipe!r} {idle[change]}", accepted)
        if name not in there:
            yield Problem(
                where, key, f"no recipe of the study has a stage {name!r}", ", ".join(there), nearest(name, there)
            )
        available = _training_mixtures(config, study, scale)
        if own.mixtures is not None and available is not None and own.mixtures > available:
            place = study.where("scales", scale, "stages", name, "mixtures")
            yield Problem(place, f"{key}.mixtures", f"{own.mixtures} of {available}", f"1 to {available}")


def _training_mixtures(config: Config, study: Named, scale: str) -> int | None:
    """Mixtures of a study's training set at a scale; None where there is no such scale."""
    own = study.entry.scales[scale].utterances
    if own is not None and own.train is not None:
        return own.train
    named = config.lookup("scales", scale)
    return None if named is None else int(named.entry.utterances.train)


def _without_effect(stage: Stage) -> dict[str, str]:
    """Changes of a scale that a stage would not heed, and why."""
    found = {}
    if stage.epochs is None:
        found["epochs"] = "is as long as the scale's `steps` say"
    if stage.schedule.type != "halve_on_plateau":
        found["patience"] = f"has a schedule that does not wait ({stage.schedule.type})"
    if stage.kind == "supervised":
        found["hears"] = "is supervised, and no predictor learns in it"
    return found


def _choice_problems(config: Config, study: Named) -> Iterator[Problem]:
    """What a choice names, and by what it chooses."""
    for label, choice in study.entry.choices.items():
        where, key = study.where("choices", label, "among"), f"{study.name}.choices.{label}.among"
        for section, name in (("losses", choice.among), ("models", choice.model), ("recipes", choice.recipe)):
            if name is not None and config.lookup(section, name) is None:
                yield missing(config, section, name, study.where("choices", label), key)
        family = config.lookup("losses", choice.among)
        if family is not None and not family.entry.sweep:
            families = [name for name, loss in config.sections["losses"].items() if loss.entry.sweep]
            yield Problem(where, key, f"loss {choice.among!r} has no sweep to choose from", ", ".join(families))
    if study.entry.choices and study.entry.select.by == "loss":
        found = "values of different losses cannot be compared by their losses"
        yield Problem(study.where("choices"), f"{study.name}.choices", found, "`select: { by: METRIC }`")


def _thinned_problems(config: Config, study: Named, scale: str) -> Iterator[Problem]:
    """Values that a scale keeps of a sweep and no sweep of the study has."""
    grid = study.entry.grid
    names = {str(name) for block in grid for axes in (block.product, block.zip) for name in axes.get("loss", [])}
    sweeps: dict[str, set[str]] = {}
    for name in names:
        for axis, points in _sweep_of(config, name).items():
            sweeps.setdefault(axis, set()).update(map(point_name, points))
    for axis, points in study.entry.scales[scale].sweeps.items():
        where, key = study.where("scales", scale, "sweeps", axis), f"{study.name}.scales.{scale}.sweeps.{axis}"
        if axis not in sweeps:
            yield Problem(where, key, f"no sweep over {axis!r}", ", ".join(sweeps) or "none", nearest(axis, sweeps))
        for point in map(point_name, points):
            if axis in sweeps and point not in sweeps[axis]:
                yield Problem(where, key, f"no value {point} in a sweep over {axis}", ", ".join(sorted(sweeps[axis])))
        kept = set(map(point_name, points))
        for name in sorted(names):
            own = set(map(point_name, _sweep_of(config, name).get(axis, ())))
            if own and not own & kept and kept <= sweeps[axis]:
                yield Problem(where, key, f"nothing is left of the sweep {name!r}", ", ".join(sorted(own)))


def _sweep_of(config: Config, loss: str) -> dict[str, list[Point]]:
    found = config.lookup("losses", loss)
    return found.entry.sweep if found is not None else {}
