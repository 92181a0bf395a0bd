"""A table as LaTeX: booktabs, holes and notes as text below."""

from __future__ import annotations

from sebench.tables.table import Table
from sebench.tables.text import BOLD, PLAIN, UNDERLINED, UNLINED, Block, blocks

_SPECIAL = {
    "\\": r"\textbackslash{}",
    "&": r"\&",
    "%": r"\%",
    "$": r"\$",
    "#": r"\#",
    "_": r"\_",
    "{": r"\{",
    "}": r"\}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "–": "--",
    "—": "---",
    "Δ": r"$\Delta$",
    "α": r"$\alpha$",
    "±": r"$\pm$",
    "<": r"\textless{}",
    ">": r"\textgreater{}",
    BOLD: r"\textbf{",
    PLAIN: "}",
    UNDERLINED: r"\underline{",
    UNLINED: "}",
}


def escape(text: str) -> str:
    """Text that LaTeX prints as it is."""
    return "".join(_SPECIAL.get(character, character) for character in text)


def write(table: Table) -> str:
    r"""One `table` per block; needs `\usepackage{booktabs}`."""
    notes = [f"[{letter}] {reason}" for reason, letter in table.footnotes().items()]
    claims = [claim.line(table.digits_of(claim.column)) for claim in table.claims]
    found = blocks(table)
    parts = [r"% needs \usepackage{booktabs}"]
    for position, block in enumerate(found):
        below = [*notes, *claims, *table.footer] if position == len(found) - 1 else notes if position == 0 else []
        parts.append(_float(table.title + (" (partial)" if table.partial else ""), block, below))
    return "\n\n".join(parts) + "\n"


def _float(title: str, block: Block, below: list[str]) -> str:
    rows = [" & ".join(escape(text) for text in line) + r" \\" for line in block.lines]
    lines = [
        r"\begin{table}",
        r"\centering",
        rf"\caption{{{escape(title)}. {escape(block.caption)}.}}",
        rf"\begin{{tabular}}{{l{'r' * (len(block.header) - 1)}}}",
        r"\toprule",
        " & ".join(escape(name) for name in block.header) + r" \\",
        r"\midrule",
        *rows,
        r"\bottomrule",
        r"\end{tabular}",
    ]
    # "\\ [a] ..." would be read as the optional argument of \\: notes are paragraphs.
    lines += [rf"\par\noindent\footnotesize {escape(text)}" for text in below]
    return "\n".join([*lines, r"\end{table}"])
