"""The sections of the configuration by the words that people use: what `sebench list` and `sebench show` take."""

from __future__ import annotations

LISTS = (
    *("losses", "models", "predictors", "external", "metrics", "corpora", "mixing", "degradations", "recipes"),
    *("studies", "scales"),
)
SINGULAR = {"loss": "losses", "corpus": "corpora", "study": "studies", "mixing": "mixing"} | {
    name.removesuffix("s"): name for name in ("models", "predictors", "metrics", "degradations", "recipes", "scales")
}
#: The word for one entry, by section.
ONE = {name: name for name in LISTS} | {name: word for word, name in SINGULAR.items()}


def one_of(words: tuple[str, ...]) -> str:
    """Words as a person lists them: "a, b or c"."""
    return f"{', '.join(words[:-1])} or {words[-1]}"
