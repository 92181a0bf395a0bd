"""The sections of the configuration by the words that people use: what `sebench list` and `sebench show` take."""

from __future__ import annotations

from collections.abc import Sequence

LISTS = (
    "losses",
    "models",
    "predictors",
    "external",
    "metrics",
    "corpora",
    "mixing",
    "degradations",
    "recipes",
    "stages",
    "studies",
    "scales",
)
SINGULAR = {"loss": "losses", "corpus": "corpora", "study": "studies", "mixing": "mixing"} | {
    name.removesuffix("s"): name
    for name in ("models", "predictors", "metrics", "degradations", "recipes", "stages", "scales")
}
#: The word for one entry, by section.
ONE = {name: name for name in LISTS} | {name: word for word, name in SINGULAR.items()}


def one_of(words: Sequence[str]) -> str:
    """Words as a person lists them: "a, b or c"."""
    return f"{', '.join(words[:-1])} or {words[-1]}" if len(words) > 1 else words[0]
