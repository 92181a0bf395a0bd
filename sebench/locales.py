"""Locales other than UTF-8: files are read, written and named in UTF-8 there too; a terminal gets what it can show."""

from __future__ import annotations

import codecs
import os
import sys
import unicodedata
from io import TextIOWrapper

#: What stands for a character that has no decomposition into one that every terminal can show.
_PLAIN = {"–": "-", "—": "-", "−": "-", "…": "...", "×": "x", "±": "+-", "→": "->", "≤": "<=", "≥": ">=", "•": "*"}
_HANDLER = "sebench.plain"
#: Our own environment variable: the encoding of the terminal before `use_utf8` started this process anew.
_TERMINAL = "SEBENCH_TERMINAL"


def plain(text: str) -> str:
    """The text in ASCII: dashes and arrows by what looks like them, letters without accents, the rest by `?`."""
    told = []
    for sign in text:
        bare = unicodedata.normalize("NFKD", _PLAIN.get(sign, sign)).encode("ascii", "ignore").decode("ascii")
        told.append(bare or "?")
    return "".join(told)


def open_what_is_closed() -> None:
    """Give input, output and errors that are closed (`>&-`) a place: else the next file would be opened in theirs."""
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)
    sys.stdout = sys.stdout or os.fdopen(1, "w", closefd=False)
    sys.stderr = sys.stderr or os.fdopen(2, "w", closefd=False)


class _Unread(TextIOWrapper):
    """An output whose reader may go (`| head`): what comes then goes nowhere, and the work goes on."""

    def write(self, text: str) -> int:
        try:
            return super().write(text)
        except BrokenPipeError:
            self._drop()
            return len(text)

    def flush(self) -> None:
        try:
            super().flush()
        except BrokenPipeError:
            self._drop()

    def _drop(self) -> None:
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, self.fileno())
        os.close(nowhere)


def go_on_unread() -> None:
    """Let the reader of the output or of the errors go: a run that is piped into `head` must not leave its jobs."""
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        if stream is getattr(sys, f"__{name}__") and isinstance(stream, TextIOWrapper):
            encoding, errors, by_line = stream.encoding, stream.errors, stream.line_buffering
            setattr(sys, name, _Unread(stream.detach(), encoding, errors, line_buffering=by_line))


def use_utf8() -> None:
    """Start this command anew in Python's UTF-8 mode where the locale has another encoding.

    Names from configuration become names of files: in a C or Latin-1 locale Python could not open them.
    """
    if sys.getfilesystemencoding().lower() == "utf-8" or _TERMINAL in os.environ:
        return
    environment = {**os.environ, "PYTHONUTF8": "1", _TERMINAL: sys.stdout.encoding if sys.stdout else "ascii"}
    os.execve(sys.executable, [sys.executable, *sys.orig_argv[1:]], environment)


def print_what_can_be_shown() -> None:
    """Let what a terminal's encoding lacks be printed by something like it, instead of ending in an error."""
    codecs.register_error(_HANDLER, _replaced)
    terminal = os.environ.pop(_TERMINAL, None)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(encoding=terminal or stream.encoding, errors=_HANDLER)


def print_files() -> None:
    """Before a file's content is printed: it is UTF-8 as the file is, unless a person looks at it."""
    if isinstance(sys.stdout, TextIOWrapper) and not sys.stdout.isatty():
        sys.stdout.reconfigure(encoding="utf-8")


def _replaced(error: UnicodeError) -> tuple[str, int]:
    if not isinstance(error, UnicodeEncodeError):
        raise error
    return plain(error.object[error.start : error.end]), error.end
