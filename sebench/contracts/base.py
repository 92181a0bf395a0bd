"""Contracts of items: named checks, what each found, and the lines that a person reads."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable, Iterator

from sebench.errors import SebenchError

#: What must hold, whether it does, and why not, or why it does not apply.
Verdict = tuple[str, bool, str]


class ContractBroken(SebenchError):
    """An item does not do what its class attributes or the interface of its kind say."""


@contextlib.contextmanager
def from_outside(what: str, error_type: type[SebenchError] = SebenchError) -> Iterator[None]:
    """Whatever an item from outside raises in this block becomes an error for people; ours pass as they are."""
    try:
        yield
    except SebenchError:
        raise
    except Exception as error:  # there is no saying what it may be
        raise error_type(f"{what}: {type(error).__name__}: {error}") from error


def judged(checks: Iterable[Callable[..., str]], *subject: object) -> Iterator[Verdict]:
    """The verdict of each check.

    Args:
        checks: each returns "", or why it does not apply, and raises `ContractBroken` with what was found.
        subject: what they are called with.
    """
    for check in checks:
        what = (check.__doc__ or check.__name__).splitlines()[0]
        try:
            yield what, True, check(*subject)
        except ContractBroken as error:
            yield what, False, str(error)
        except Exception as error:  # whatever an item from outside raises is a finding about it
            yield what, False, f"{type(error).__name__}: {error}"


def line(verdict: Verdict) -> str:
    """A verdict as a line of `sebench check`."""
    what, holds, why = verdict
    mark = "BROKEN" if not holds else "n/a   " if why else "ok    "
    return f"  {mark} {what}" + (f" {why}" if why else "")
