"""References between entries: names that must exist, parameters that must fit, loops that must not be."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from sebench.config import drawn, items
from sebench.config.annotations import EntryOf, Param
from sebench.config.entries import ITEM_SECTIONS, SECTION_OF, Config, Named, missing
from sebench.config.explain import shown
from sebench.config.facts import CORPUS, DEGRADATION
from sebench.config.relations import broken_requirements
from sebench.config.schema import SCHEDULE_KEYS, Amounts, Point, StageEntry, StudyAmounts, point_name
from sebench.config.source import SourceError
from sebench.errors import Problem, choices, nearest
from sebench.names import ACCEPTED, is_name

#: Axes of a grid that name entries, and their sections.
AXES = {"model": "models", "loss": "losses", "recipe": "recipes"}
#: Keys of every stage that name entries, and their sections.
OF_STAGE = {"model": "models", "loss": "losses"}


@dataclass(frozen=True)
class Reference:
    """A place that names another entry."""

    section: str
    name: str
    keys: tuple[str | int, ...]


def check_references(config: Config) -> Iterator[tuple[str, str, Problem]]:
    """(section, entry, problem) of every problem between entries. What is broken itself is not said to be absent."""
    for section, entries in config.sections.items():
        told: set[str] = set()
        for named in entries.values():
            owner = named.family or named.name
            for problem in _entry_problems(config, section, named):
                mark = f"{problem.where} {problem.key} {problem.found}"
                if mark not in told:
                    told.add(mark)
                    yield section, owner, problem
    for name, problem in _loops(config):
        yield "losses", name, problem


def _entry_problems(config: Config, section: str, named: Named) -> Iterator[Problem]:
    if not named.family:  # the members of a sweep refer to what their family does
        for reference in references(section, named):
            if config.faults(reference.section, reference.name):
                continue
            key = ".".join(map(str, (named.name, *reference.keys)))
            if config.lookup(reference.section, reference.name) is None:
                yield missing(config, reference.section, reference.name, named.where(*reference.keys), key)
    kind = ITEM_SECTIONS.get(section)
    # Of a sweep the members are checked.
    if kind is not None and getattr(named.entry, "type", None) is not None and not getattr(named.entry, "sweep", None):
        yield from _item_problems(config, kind, named)
    checks = {
        "corpora": _corpus_problems,
        "mixing": _mixing_problems,
        "losses": _loss_problems,
        "metrics": _metric_problems,
        "recipes": _recipe_problems,
        "scales": _scale_problems,
        "studies": _study_problems,
    }
    if section in checks:
        yield from checks[section](config, named)


def references(section: str, named: Named) -> Iterator[Reference]:
    """All places of an entry that name others."""
    entry = named.entry
    if section == "losses":
        for keys, name in _parts(entry):
            yield Reference("losses", name, keys)
    elif section == "metrics" and entry.instead:
        yield Reference("metrics", entry.instead, ("instead",))
    elif section == "mixing":
        for index, degradation in enumerate(entry.degradations):
            if isinstance(degradation, str):
                yield Reference("degradations", degradation, ("degradations", index))
    elif section == "recipes":
        for index, stage in enumerate(entry.stages):
            for key, other in OF_STAGE.items():
                if getattr(stage, key) is not None:
                    yield Reference(other, getattr(stage, key), ("stages", index, key))
            for key, (mark, name) in stage.own(EntryOf).items():
                yield Reference(SECTION_OF[mark.kind], name, ("stages", index, key))
    elif section == "studies":
        yield from _references_of_study(entry)


def _references_of_study(study: Any) -> Iterator[Reference]:
    for key, section in (("corpus", "corpora"), ("mixing", "mixing")):
        for role, name in getattr(study, key).items():
            yield Reference(section, name, (key, role) if role else (key,))
    for name, test in study.conditions.sets.items():
        if test.mixing not in (None, "none"):
            yield Reference("mixing", test.mixing, ("conditions", "sets", name, "mixing"))
    for index, name in enumerate(study.metrics):
        yield Reference("metrics", name, ("metrics", index))
    for label, name in study.external.items():
        yield Reference("external", name, ("external", label))
    if study.select.by != "loss":
        yield Reference("metrics", study.select.by, ("select", "by"))
    for index, block in enumerate(study.grid):
        for form in ("product", "zip"):
            for axis, values in getattr(block, form).items():
                if axis in AXES:
                    for place, value in enumerate(values):
                        yield Reference(AXES[axis], str(value), ("grid", index, form, axis, place))
    for label, choice in study.choices.items():
        for key, section in (("among", "losses"), ("model", "models"), ("recipe", "recipes")):
            if getattr(choice, key) is not None:
                yield Reference(section, getattr(choice, key), ("choices", label, key))
    for index, exclusion in enumerate(study.exclude):
        for axis, section in AXES.items():
            if getattr(exclusion, axis) is not None:
                yield Reference(section, getattr(exclusion, axis), ("exclude", index, axis))
    for scale, amounts in study.scales.items():
        yield Reference("scales", scale, ("scales", scale))
        for section in ("models", "predictors"):
            for name in getattr(amounts, section):
                yield Reference(section, name, ("scales", scale, section, name))


def blocking(config: Config, study: str, scale: str, corpus: str | None) -> list[Problem]:
    """Mistakes of a study and of all entries that it uses, directly or not.

    Args:
        corpus: replaces those of the study.
    """
    queue = [("studies", study), ("scales", scale), *([("corpora", corpus)] if corpus is not None else [])]
    seen: set[tuple[str, str]] = set()
    found: list[Problem] = []
    while queue:
        section, name = queue.pop(0)
        if (section, name) in seen:
            continue
        seen.add((section, name))
        found += config.faults(section, name)
        named = config.sections[section].get(name) or config.sections[section].get(name.partition("@")[0])
        for reference in references(section, named) if named is not None else ():
            replaced = section == "studies" and reference.section == "corpora" and corpus is not None
            other = section == "studies" and reference.section == "scales" and reference.name != scale
            if not replaced and not other:
                queue.append((reference.section, reference.name))
    return list(dict.fromkeys(found))


def check_params(
    kind: str, type_name: str, params: dict[str, Any], where: Callable[..., tuple[str, str]]
) -> Iterator[Problem]:
    """Problems of an item's parameters; `where("type")` and `where("params", name)` give file and line, and the key.

    Raises:
        SourceError: the item's source is not what it must be.
    """
    item = items.find(kind, type_name)
    if item is None:
        yield Problem(*where("type"), *items.unknown(kind, type_name))
        return
    right = True
    for name, value in params.items():
        if name not in item.params:
            found = f"{kind} {type_name!r} has no parameter {name!r}"
            accepted = choices(item.params, name)
            yield Problem(*where("params", name), found, accepted, nearest(name, item.params))
            continue
        try:
            (drawn.validated if kind == DEGRADATION else Param.validate)(item.params[name], value)
        except ValueError as error:
            right = False
            yield Problem(*where("params", name), f"found {shown(value)}", str(error))
    for name, param in item.params.items():
        if param.required and name not in params:
            right = False
            yield Problem(*where("params", name), "required and absent", param.words)
    possible = () if not right else drawn.corners(item, params) if kind == DEGRADATION else (params,)
    broken = (each for values in possible for each in broken_requirements(item, values))
    for relation, values in dict(broken).items():
        given = next((name for name in params if name in relation), "")
        place = where("params", given) if given else where("type")
        yield Problem(*place, f"{values} do not fit together", relation)


def _item_problems(config: Config, kind: str, named: Named) -> Iterator[Problem]:
    swept = config.sections["losses"][named.family].entry.sweep if named.family else {}

    def where(*keys: str | int) -> tuple[str, str]:
        """A swept parameter stands under `sweep`."""
        keys = ("sweep", *keys[1:]) if keys[1:] and keys[1] in swept else keys
        return named.where(*keys), ".".join(map(str, (named.family or named.name, *keys)))

    try:
        yield from check_params(kind, named.entry.type, named.entry.params, where)
    except SourceError as error:
        yield Problem(named.where("type"), f"{named.name}.type", str(error))


def _parts(entry: Any) -> list[tuple[tuple[str, ...], str]]:
    """(keys, name) of the losses that an entry refers to."""
    if entry.sum is not None:
        return [(("sum", name), name) for name in entry.sum]
    if entry.mix is not None:
        return [(("mix", "magnitude"), entry.mix.magnitude), (("mix", "complex"), entry.mix.complex)]
    return []


def _loss_problems(config: Config, named: Named) -> Iterator[Problem]:
    for keys, name in () if named.family else _parts(named.entry):
        yield from _no_family(config, name, named.where(*keys), ".".join((named.name, *keys)))


def _loops(config: Config) -> Iterator[tuple[str, Problem]]:
    """Losses that are parts of themselves, each loop once under each of its members."""
    losses = config.sections["losses"]
    reported: set[str] = set()
    for named in losses.values():
        chain = _loop(losses, named.name)
        if chain and not reported & set(chain):
            reported |= set(chain)
            problem = Problem(named.where(), named.name, f"a loop of references: {' -> '.join(chain)}")
            yield from ((name, problem) for name in dict.fromkeys(chain))


def _no_family(config: Config, name: str, where: str, key: str) -> Iterator[Problem]:
    """A family where one loss is meant."""
    found = None if config.faults("losses", name) else config.lookup("losses", name)
    if found is not None and found.entry.sweep:
        members = [member.name for member in config.sections["losses"].values() if member.family == name]
        yield Problem(where, key, f"{name!r} is a sweep, and one loss is wanted", choices(members, name))


def _loop(losses: dict[str, Named], start: str) -> list[str]:
    """The way from a loss through its parts back to itself, if there is one; each loss is visited once."""
    came_from: dict[str, str] = {}
    queue = [start]
    while queue:
        name = queue.pop()
        for _, part in _parts(losses[name].entry) if name in losses else ():
            if part == start:
                chain = [name]
                while chain[0] != start:
                    chain.insert(0, came_from[chain[0]])
                return [*chain, start]
            if part not in came_from:
                came_from[part] = name
                queue.append(part)
    return []


def _recipe_problems(config: Config, named: Named) -> Iterator[Problem]:
    earlier: list[str] = []
    for index, stage in enumerate(named.entry.stages):
        key = f"{named.name}.stages.{index}"
        if stage.name in earlier:
            yield Problem(named.where("stages", index, "name"), key, f"two stages are called {stage.name!r}")
        if stage.loss is not None:
            yield from _no_family(config, stage.loss, named.where("stages", index, "loss"), key)
        for module, source in stage.init.items():
            if source not in earlier:
                found = f"stage {stage.name!r} starts {module or 'the model'!r} from {source!r}"
                accepted = "an earlier stage of this recipe: " + choices(earlier, source, "none stands before it")
                place = named.where("stages", index, "init", module)
                yield Problem(place, f"{key}.init", found, accepted, nearest(source, earlier))
        earlier.append(stage.name)


def _mixing_problems(config: Config, named: Named) -> Iterator[Problem]:
    """Degradations that are described in their place."""
    del config
    for index, entry in enumerate(named.entry.degradations):
        if isinstance(entry, str):
            continue

        def where(*keys: str | int, place: int = index) -> tuple[str, str]:
            keys = ("degradations", place, *keys)
            return named.where(*keys), ".".join(map(str, (named.name, *keys)))

        try:
            yield from check_params(DEGRADATION, entry.type, entry.params, where)
        except SourceError as error:
            yield Problem(*where("type"), str(error))


def _corpus_problems(config: Config, named: Named) -> Iterator[Problem]:
    """A place that is given to a corpus that reads none, and what to do with pairs to one that has none."""
    if config.faults("corpora", named.name):
        return
    item = items.find(CORPUS, named.entry.type)
    if item is not None and named.entry.align is not None and not item.facts.paired:
        found = f"`align` for corpus type {named.entry.type!r}, which has no published pairs"
        yield Problem(named.where("align"), f"{named.name}.align", found, "no `align`, or another `type`")
    if item is None or item.facts.needs_root:
        return
    for key in ("root", "root_env"):
        if getattr(named.entry, key) is not None:
            found = f"a folder for corpus type {named.entry.type!r}, which reads none"
            yield Problem(named.where(key), f"{named.name}.{key}", found, f"no `{key}`, or another `type`")


def _metric_problems(config: Config, named: Named) -> Iterator[Problem]:
    instead = named.entry.instead
    if not instead:
        return
    found = None if config.faults("metrics", instead) else config.lookup("metrics", instead)
    if found is not None and found.entry.instead:
        where, key = named.where("instead"), f"{named.name}.instead"
        yield Problem(where, key, f"{instead!r}, which has a stand-in itself", "a metric without `instead`")


def _scale_problems(config: Config, named: Named) -> Iterator[Problem]:
    del config
    entry = named.entry
    if entry.validations > entry.steps:
        found = f"{entry.validations} validations in {entry.steps} steps"
        yield Problem(named.where("validations"), f"{named.name}.validations", found, f"1 to {entry.steps}")


def _study_problems(config: Config, named: Named) -> Iterator[Problem]:
    study = named.entry
    yield from _display_name_problems(named)
    for index, block in enumerate(study.grid):
        yield from _block_problems(named, index, block)
    yield from _choice_problems(config, named)
    yield from _part_problems(config, named)
    for scale, amounts in study.scales.items():
        yield from _thinned_problems(config, named, scale)
        for place, snr_db in enumerate(amounts.snr_db or ()):
            if snr_db not in study.conditions.all_snr_db():
                key = f"{named.name}.scales.{scale}.snr_db.{place}"
                there = (f"{value:g}" for value in study.conditions.all_snr_db())
                where = named.where("scales", scale, "snr_db", place)
                yield Problem(where, key, f"{snr_db:g} dB is no test SNR of the study", choices(there))
        yield from _amount_problems(config, named, scale)
        yield from _network_change_problems(config, named, scale)
        yield from _stage_change_problems(config, named, scale)
    if set(study.mixing) != set(study.corpus) and set(study.mixing) != {""}:
        found = f"roles {', '.join(sorted(study.mixing))}"
        of_corpora = ", ".join(sorted(filter(None, study.corpus)))
        accepted = f"the corpora's: {of_corpora}" if of_corpora else "one entry: the study has one corpus"
        yield Problem(named.where("mixing"), f"{named.name}.mixing", found, accepted)
    for keys, role in _roles(study):
        if role and role not in study.corpus:
            roles = [name for name in study.corpus if name]
            key = ".".join((named.name, *keys))
            accepted = choices(roles, role, "no `data:`: the study has one corpus")
            yield Problem(named.where(*keys), key, f"no role {role!r}", accepted, nearest(role, roles))


def _part_problems(config: Config, study: Named) -> Iterator[Problem]:
    """Published test sets that no corpus can bring. One from outside that does not say what it has may have any."""
    known: dict[str, None] = {}
    for named in config.sections["corpora"].values():
        if config.faults("corpora", named.name):
            return
        item = items.find(CORPUS, named.entry.type)
        if item is None or (not item.builtin and not item.facts.parts):
            return
        known.update(dict.fromkeys(item.facts.parts))
    for name, test in study.entry.conditions.sets.items():
        for part in test.part:
            if part not in known:
                keys = ("conditions", "sets", name, "part")
                found = f"no corpus has a published test set {part!r}"
                accepted, near = choices(known, part), nearest(part, known)
                yield Problem(study.where(*keys), ".".join((study.name, *keys)), found, accepted, near)


def _roles(study: Any) -> Iterator[tuple[tuple[str, ...], str]]:
    """(keys, role) of test sets."""
    yield ("conditions", "data"), study.conditions.data
    for name, test in study.conditions.sets.items():
        yield ("conditions", "sets", name, "data"), test.data


def _block_problems(study: Named, index: int, block: Any) -> Iterator[Problem]:
    lengths = {axis: len(values) for axis, values in block.zip.items()}
    key = f"{study.name}.grid.{index}"
    if len(set(lengths.values())) > 1:
        found = ", ".join(f"{axis} has {n}" for axis, n in lengths.items())
        yield Problem(study.where("grid", index, "zip"), f"{key}.zip", found, "equal lengths")
    for axis in (*AXES, "seed"):
        twice = axis in block.product and axis in block.zip
        if twice or (axis in AXES and axis not in block.product and axis not in block.zip):
            found = f"the axis {axis!r} " + ("stands in product and in zip" if twice else "is absent")
            yield Problem(study.where("grid", index), key, found, "each of model, loss, recipe once")


def _amount_problems(config: Config, study: Named, scale: str) -> Iterator[Problem]:
    """Amounts that do not fit together once a study has changed some of a scale's."""
    own: StudyAmounts = study.entry.scales[scale]
    named = None if config.faults("scales", scale) else config.lookup("scales", scale)
    if named is None:
        return
    base: Amounts = named.entry
    steps, validations = own.steps or base.steps, own.validations or base.validations
    if validations > steps and (own.steps or own.validations):
        keys = ("scales", scale, "validations" if own.validations else "steps")
        found = f"{validations} validations in {steps} steps"
        yield Problem(study.where(*keys), ".".join((study.name, *keys)), found, f"1 to {steps} validations")


def _network_change_problems(config: Config, study: Named, scale: str) -> Iterator[Problem]:
    """Parameters that a scale gives to models and predictors: of such as the study trains, and as they may be."""
    amounts = study.entry.scales[scale]
    used = _trained(config, study)
    for section in ("models", "predictors"):
        for name, params in getattr(amounts, section).items():
            keys = ("scales", scale, section, name)
            where, key = study.where(*keys), ".".join((study.name, *keys))
            found = None if config.faults(section, name) else config.lookup(section, name)
            if found is None:
                continue
            if used is not None and name not in used[section]:
                there = used[section]
                what = f"the study trains no {section.removesuffix('s')} {name!r}"
                yield Problem(where, key, what, choices(there, name), nearest(name, there))
                continue
            yield from check_params(
                ITEM_SECTIONS[section],
                found.entry.type,
                {**found.entry.params, **params},
                lambda *own, keys=keys: (
                    study.where(*keys, *own[1:]),
                    ".".join(map(str, (study.name, *keys, *own[1:]))),
                ),
            )


def _trained(config: Config, study: Named) -> Mapping[str, list[str]] | None:
    """Models and predictors that a study's grid and recipes name; None where a recipe is not known."""
    axes = [axes for block in study.entry.grid for axes in (block.product, block.zip)]
    found: dict[str, list[str]] = {"models": [str(name) for each in axes for name in each.get("model", [])]}
    found["predictors"] = []
    for name in (str(name) for each in axes for name in each.get("recipe", [])):
        recipe = None if config.faults("recipes", name) else config.lookup("recipes", name)
        if recipe is None:
            return None
        for stage in recipe.entry.stages:
            found["models"] += [stage.model] if stage.model is not None else []
            for mark, entry in stage.own(EntryOf).values():
                found.setdefault(SECTION_OF[mark.kind], []).append(entry)
    return {section: list(dict.fromkeys(names)) for section, names in found.items()}


def _display_name_problems(study: Named) -> Iterator[Problem]:
    """Tables and figures are files of one folder, by their names."""
    for part, displays in (("tables", study.entry.tables), ("figures", study.entry.figures)):
        for name in displays:
            where, key = study.where(part, name), f"{study.name}.{part}"
            if not is_name(name) or name.endswith(".provenance"):
                yield Problem(where, key, f"the name {name!r}", ACCEPTED)
            elif part == "figures" and name in study.entry.tables:
                found = f"a table is called {name!r} too, and both would write {name}.csv"
                yield Problem(where, key, found, "names that differ")


def _stage_change_problems(config: Config, study: Named, scale: str) -> Iterator[Problem]:
    """Stages that a scale changes and no recipe of the study has, and changes that a stage would not heed."""
    axes = [axes for block in study.entry.grid for axes in (block.product, block.zip)]
    named = [str(name) for each in axes for name in each.get("recipe", [])]
    recipes = [config.lookup("recipes", name) for name in named]
    stages = {(r.name, stage.name): stage for r in recipes if r for stage in r.entry.stages}
    there = list(dict.fromkeys(stage.name for stage in stages.values()))
    all_known = all(recipes) and not any(config.faults("recipes", each) for each in named)
    idle_warmup = not any(stage.schedule.warmup_steps for stage in stages.values())
    if all_known and idle_warmup and study.entry.scales[scale].warmup_steps is not None:
        keys = ("scales", scale, "warmup_steps")
        found = "no stage of the study's recipes has a warm-up, so that there is none to replace"
        yield Problem(study.where(*keys), ".".join((study.name, *keys)), found, "`warmup_steps` of a recipe's schedule")
    for name, own in study.entry.scales[scale].stages.items():
        where, key = study.where("scales", scale, "stages", name), f"{study.name}.scales.{scale}.stages.{name}"
        if not own.model_fields_set:
            yield Problem(where, key, "changes nothing", choices(type(own).model_fields))
        for recipe, stage in ((recipe, stage) for (recipe, _), stage in stages.items() if stage.name == name):
            idle = _without_effect(stage)
            accepted = ", ".join(change for change in type(own).model_fields if change not in idle)
            for change in (change for change in idle if getattr(own, change) is not None):
                place = study.where("scales", scale, "stages", name, change)
                yield Problem(place, f"{key}.{change}", f"stage {name!r} of recipe {recipe!r} {idle[change]}", accepted)
        if name not in there and all_known:
            found = f"no recipe of the study has a stage {name!r}"
            yield Problem(where, key, found, choices(there, name), nearest(name, there))
        available = _training_mixtures(config, study, scale)
        if own.mixtures is not None and available is not None and own.mixtures > available:
            place = study.where("scales", scale, "stages", name, "mixtures")
            yield Problem(place, f"{key}.mixtures", f"{own.mixtures} of {available}", f"1 to {available}")


def _training_mixtures(config: Config, study: Named, scale: str) -> int | None:
    """Mixtures of a study's training set at a scale; None where there is no such scale."""
    own = study.entry.scales[scale].utterances
    if own is not None and own.train is not None:
        return int(own.train)
    named = None if config.faults("scales", scale) else config.lookup("scales", scale)
    return None if named is None else int(named.entry.utterances.train)


def _without_effect(stage: StageEntry) -> dict[str, str]:
    """Changes of a scale that a stage would not heed, and why."""
    found = {}
    if stage.epochs is None:
        found["epochs"] = "is as long as the scale's `steps` say"
    if stage.schedule.type not in SCHEDULE_KEYS["patience"]:
        found["patience"] = f"has a schedule that does not wait ({stage.schedule.type})"
    if "hears" not in stage.item.params:
        found["hears"] = f"is of kind {stage.kind}, and no predictor learns in it"
    return found


def _choice_problems(config: Config, study: Named) -> Iterator[Problem]:
    """What a choice names, and by what it chooses."""
    for label, choice in study.entry.choices.items():
        where, key = study.where("choices", label, "among"), f"{study.name}.choices.{label}.among"
        family = None if config.faults("losses", choice.among) else config.lookup("losses", choice.among)
        if family is not None and not family.entry.sweep:
            families = [name for name, loss in config.sections["losses"].items() if loss.entry.sweep]
            found = f"loss {choice.among!r} has no sweep to choose from"
            yield Problem(where, key, found, choices(families, choice.among))
    if study.entry.choices and study.entry.select.by == "loss":
        found = "values of different losses cannot be compared by their losses"
        yield Problem(study.where("choices"), f"{study.name}.choices", found, "`select: { by: METRIC }`")


def _thinned_problems(config: Config, study: Named, scale: str) -> Iterator[Problem]:
    """Values that a scale keeps of a sweep and no sweep of the study has."""
    grid = study.entry.grid
    names = {str(name) for block in grid for axes in (block.product, block.zip) for name in axes.get("loss", [])}
    if any(config.faults("losses", name) for name in names):
        return
    sweeps: dict[str, set[str]] = {}
    for name in names:
        for axis, points in _sweep_of(config, name).items():
            sweeps.setdefault(axis, set()).update(map(point_name, points))
    for axis, points in study.entry.scales[scale].sweeps.items():
        where, key = study.where("scales", scale, "sweeps", axis), f"{study.name}.scales.{scale}.sweeps.{axis}"
        if axis not in sweeps:
            yield Problem(where, key, f"no sweep over {axis!r}", choices(sweeps, axis), nearest(axis, sweeps))
            continue
        strange = [point for point in map(point_name, points) if point not in sweeps[axis]]
        if strange:
            found = f"no value {', '.join(strange)} in a sweep over {axis}"
            yield Problem(where, key, found, choices(sorted(sweeps[axis]), strange[0]))
            continue
        kept = set(map(point_name, points))
        for name in sorted(names):
            own = set(map(point_name, _sweep_of(config, name).get(axis, ())))
            if own and not own & kept:
                yield Problem(where, key, f"nothing is left of the sweep {name!r}", choices(sorted(own)))


def _sweep_of(config: Config, loss: str) -> dict[str, list[Point]]:
    found = config.lookup("losses", loss)
    return found.entry.sweep if found is not None else {}
