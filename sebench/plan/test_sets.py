"""The test conditions of a study on the corpora that it is planned for."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from sebench.config.entries import Config, Named
from sebench.config.schema import TestSet
from sebench.errors import ConfigError, Problem, nearest
from sebench.plan import nodes as make


@dataclass(frozen=True)
class Tested:
    """One condition, or the place of a test set that cannot be had.

    Args:
        set_name: of the test set; "" where the study has only one.
        role: of the corpus; None where it has no such published set and none is mixed instead.
        snr_db: None where the mixing draws it.
        mixing: the set's own entry; None: the role's.
        part: the published set.
    """

    set_name: str
    role: str | None
    snr_db: float | None = None
    mixing: str | None = None
    part: str | None = None

    @property
    def name(self) -> str:
        """Short name, as in paths."""
        parts = [self.set_name, "" if self.snr_db is None else f"snr{self.snr_db:g}"]
        return "-".join(part for part in parts if part)

    @property
    def header(self) -> str:
        """What tables call it."""
        parts = [self.set_name, "" if self.snr_db is None else f"{self.snr_db:g} dB"]
        return " ".join(part for part in parts if part)


def tested(
    config: Config, study: Named, corpora: Mapping[str, str], wanted_snr_db: Sequence[float] | None
) -> Iterator[Tested]:
    """All conditions of a study.

    Args:
        corpora: role -> corpus.
        wanted_snr_db: those of its SNRs that a scale computes; None: all.

    Raises:
        ConfigError: a role that the study does not have, or an SNR or a part that a corpus with its own mixtures does
            not have.
    """
    conditions = study.entry.conditions
    sets = conditions.sets or {"": TestSet(data=conditions.data, snr_db=conditions.snr_db)}
    for name, test in sets.items():
        keys = ("conditions", "sets", name) if name else ("conditions",)
        role = test.data or next(iter(corpora))
        if role not in corpora:
            key = ".".join((study.name, *keys, "data"))
            accepted, near = ", ".join(corpora), nearest(role, corpora)
            raise ConfigError([Problem(study.where(*keys, "data"), key, f"no role {role!r}", accepted, near)])
        where, key = study.where(*keys, "part"), ".".join((study.name, *keys, "part"))
        part = make.part_of(config, corpora[role], test.part, where, key)
        if part is not None:
            yield Tested(name, role, part=part)
            continue
        if test.mixing == "none":
            yield Tested(name, None)
            continue
        kept = [snr for snr in test.snr_db if wanted_snr_db is None or snr in wanted_snr_db]
        make.check_published_snrs(config, study, corpora[role], kept, keys)
        for snr_db in kept if test.snr_db else [None]:
            yield Tested(name, role, snr_db, test.mixing)
