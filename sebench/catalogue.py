"""`sebench list` and `sebench show`: what there is, with parameters, sources and needs."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from sebench.config import items
from sebench.config.entries import ITEM_SECTIONS, Config, Named
from sebench.config.facts import STAGE, Facts
from sebench.config.schema import point_name
from sebench.errors import ConfigError, SebenchError, absent
from sebench.sections import LISTS, SINGULAR

#: Sections that are no entries of the configuration, but items that its entries name by themselves.
ITEMS_ALONE = {"stages": STAGE}
#: What else an entry of an item says of itself, and its heading.
PLACES = {"root": "folder", "root_env": "folder from", "file": "file", "file_env": "file from", "address": "published"}


def section_of(word: str) -> str:
    """'losses' from 'loss' or 'losses'.

    Raises:
        SebenchError: no such section.
    """
    section = SINGULAR.get(word, word)
    if section not in LISTS:
        raise SebenchError(absent("kind of entry", word, LISTS))
    return section


def rows(config: Config, section: str) -> Iterator[tuple[str, str, str]]:
    """(name, type, what it is) of every entry, then of items that have no entry and can be used by name; then of those
    of installed packages that cannot be used, with the reason."""
    if section in ITEMS_ALONE:
        for name, alone in items.registry(ITEMS_ALONE[section]).items():
            fault = _import_fault(alone)
            yield name, "unusable" if fault else alone.path, fault or alone.title
        yield from ((name, "unusable", reason) for name, reason in items.unusable(ITEMS_ALONE[section]).items())
        return
    kind = ITEM_SECTIONS.get(section)
    for name in config.names(section):
        if config.faults(section, name):  # `warn_of_the_unused` says what is wrong with it
            continue
        named = config.lookup(section, name)
        if named is not None and named.family:  # a sweep stands for its members
            continue
        type_name = name if named is None else getattr(named.entry, "type", None)
        item = items.find(kind, type_name) if kind and type_name else None
        fault = _import_fault(item) if item is not None else ""
        if fault:
            yield name, "unusable", fault
        elif named is not None:
            yield name, _form(named), _summary(named, item)
        elif item is not None:
            yield name, f"{kind} (needs parameters: give it an entry)", item.title
    for name, reason in items.unusable(kind).items() if kind else ():
        yield name, "unusable", reason


def _import_fault(item: items.Item[Facts]) -> str:
    """Why an item from outside cannot be imported; what sebench brings is not tried, as that takes seconds."""
    try:
        if not item.builtin:
            items.imported(item)
    except items.ItemError as error:
        return str(error)
    return ""


def _form(named: Named) -> str:
    entry = named.entry
    if getattr(entry, "sum", None):
        return " + ".join(f"{weight:g} {name}" for name, weight in entry.sum.items())
    if getattr(entry, "mix", None):
        beta = "swept" if entry.mix.beta is None else f"{entry.mix.beta:g}"
        return f"mix of {entry.mix.magnitude} and {entry.mix.complex}, beta {beta}"
    given = (getattr(entry, "params", None) or {}).items()
    params = ", ".join([f"{k}={v}" for k, v in given] + [f"{axis} swept" for axis in getattr(entry, "sweep", ())])
    return f"{getattr(entry, 'type', '') or ''}" + (f" ({params})" if params else "")


def _summary(named: Named, item: items.Item[Facts] | None) -> str:
    text = getattr(named.entry, "description", "") or getattr(named.entry, "title", "")
    return str(text) if text else item.title if item is not None else ""


def describe(config: Config, section: str, name: str) -> Iterator[tuple[str, str]]:
    """Everything that is known of one entry, as (heading, text)."""
    if section in ITEMS_ALONE:
        yield "name", name
        yield from _item(items.get(ITEMS_ALONE[section], name), {})
        return
    if section not in config.sections:
        raise SebenchError(f"no section {section!r}")
    if config.faults(section, name):
        raise ConfigError(config.faults(section, name))
    kind = ITEM_SECTIONS.get(section)
    named = config.lookup(section, name)
    if named is None and kind is not None and items.find(kind, name) is None:
        config.get(section, name, key=section)
    if named is None and kind is None:
        config.get(section, name, key=section)
    yield "name", name
    entry = named.entry if named is not None else None
    if named is not None and entry is not None:
        yield "defined at", named.where() if named.document.data else "registered; no entry needed"
        yield "label", named.label
        if getattr(entry, "description", ""):
            yield "description", str(entry.description)
        if getattr(entry, "sweep", None):
            ((axis, points),) = entry.sweep.items()
            yield "sweep", f"{axis} in {', '.join(map(point_name, points))}"
            yield "members", ", ".join(member.name for member in config.members(name))
            if entry.mix is None:
                yield from _item(items.get("loss", entry.type), {**entry.params, axis: "swept"})
                return
        if getattr(entry, "sum", None) or getattr(entry, "mix", None):
            yield "composition", _form(named)
            yield from _composed(config, named)
            return
    if kind is None:
        yield from _fields(entry)
        return
    item = items.find(kind, entry.type if entry is not None else name)
    if item is None:
        return
    yield from ((PLACES[key], getattr(entry, key)) for key in PLACES if getattr(entry, key, None))
    yield from _item(item, dict(entry.params) if entry is not None else {})


def _composed(config: Config, named: Named) -> Iterator[tuple[str, str]]:
    from sebench.plan.resolve import resolve_loss

    entry = named.entry
    for part in entry.sum or [entry.mix.magnitude, entry.mix.complex]:
        for what, text in describe(config, "losses", part):
            if what in ("equation", "source") or what.startswith("parameter "):
                yield f"{part}: {what}", text
    losses = [resolve_loss(config, member.name) for member in config.members(named.name)]
    yield "needs of the estimate", ", ".join(sorted(frozenset().union(*(loss.needs_views for loss in losses))))
    yield "needs of the batch", ", ".join(sorted(frozenset().union(*(loss.needs_signals for loss in losses))))
    yield "sees the phase", "no" if all(loss.phase_blind for loss in losses) else "yes"


def _fields(entry: Any) -> Iterator[tuple[str, str]]:
    for name, value in entry.model_dump(exclude_defaults=True).items():
        if name == "stages":
            yield from ((f"stage {each.pop('name')}", str(each)) for each in value)
        elif name not in ("label", "description"):
            yield name, str(value)


def _item(item: items.Item[Facts], given: dict[str, Any]) -> Iterator[tuple[str, str]]:
    yield "type", f"{item.type} ({item.path}), version {item.facts.version}"
    yield "title", item.title
    facts = {
        "equation": "equation",
        "source": "source",
        "needs_views": "needs of the estimate",
        "needs_signals": "needs of the batch",
        "uses": "uses the stage's",
        "optimum": "optimum",
        "invariances": "unchanged by",
        "views": "gives",
        "sample_rate": "sample rate",
        "input_rate": "hears at",
        "causal": "causal",
        "unit": "unit",
        "bounds": "range",
        "needs_reference": "needs the clean signal",
        "needs_noisy": "needs the mixture",
        "package": "package",
        "install": "installed by",
        "higher_is_better": "higher is better",
        "needs_root": "needs a folder",
        "frequencies": "below half the sample rate",
        "packages": "packages",
        "trains": "trains",
        "publishes": "publishes",
        "parts": "starts or freezes parts",
        "starts": "can start",
        "needs": "must start",
        "offers": "offers to losses",
        "takes_loss": "by a loss of the study",
        "by_metric": "validated by a metric",
        "measure": "validated else by",
        "devices": "on several devices",
        "augments": "augments",
        "whole_epochs": "needs whole epochs",
    }
    for key, heading in facts.items():
        value = getattr(item.facts, key, None)
        if value not in (None, "", ()):
            yield (
                heading,
                ", ".join(str(part) or "the whole" for part in value) if isinstance(value, tuple) else str(value),
            )
    for name, param in item.params.items():
        value = given.get(name, param.default)
        note = "" if name in given or param.required else " (default)"
        shown = "required" if param.required and name not in given else f"{value}{note}"
        yield f"parameter {name}", f"{shown}; {param.words if param.mark else param.text}"
