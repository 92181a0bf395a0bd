"""How mixtures are drawn: the schema of an entry in `config/mixing/`. The planner imports this: pydantic only."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Literal, Self

from pydantic import BeforeValidator, Discriminator, Field, Tag, model_validator

from sebench.config.base import ItemType, Strict, Text
from sebench.config.keys import Words
from sebench.config.registries import MEASURES, accepted
from sebench.errors import Mistake

if TYPE_CHECKING:
    import numpy as np

if TYPE_CHECKING:
    Measure = str
else:
    Measure = accepted(MEASURES)


def _tuple(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value


class Uniform(Strict):
    """`{uniform: [low, high]}`: any value between the two."""

    uniform: Annotated[tuple[float, float], BeforeValidator(_tuple)] = Field(description="lowest and highest value")

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if self.uniform[0] > self.uniform[1]:
            raise Mistake(f"lowest value {self.uniform[0]:g} is above highest value {self.uniform[1]:g}", "uniform")
        return self

    @property
    def bounds(self) -> tuple[float, float]:
        """Lowest and highest value."""
        return self.uniform

    def draw(self, rng: np.random.Generator) -> float:
        """One value."""
        return float(rng.uniform(*self.uniform))


class OneOf(Strict):
    """`{choice: [a, b, c]}`: each value equally often."""

    choice: Annotated[tuple[float, ...], BeforeValidator(_tuple)] = Field(min_length=1, description="the values")

    @property
    def bounds(self) -> tuple[float, float]:
        """Lowest and highest value."""
        return min(self.choice), max(self.choice)

    def draw(self, rng: np.random.Generator) -> float:
        """One value."""
        return float(self.choice[rng.integers(len(self.choice))])


def _form(value: Any) -> str | None:
    """Which of the three forms a value has."""
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return "number"
    if isinstance(value, dict):
        return _TAGS.get(next(iter(value))) if len(value) == 1 else None
    return next((tag for form, tag in _TAGS.items() if hasattr(value, form)), None)


#: Not the keys themselves: a message would name them twice.
_TAGS = {"uniform": "any between two", "choice": "one of several"}


Distribution = Annotated[
    Annotated[float, Tag("number")]
    | Annotated[Uniform, Tag(_TAGS["uniform"])]
    | Annotated[OneOf, Tag(_TAGS["choice"])],
    Discriminator(
        _form,
        custom_error_type="distribution",
        custom_error_message="a number, { uniform: [lowest, highest] }, or { choice: [values] }",
    ),
    Words("distribution"),
]


def draw(distribution: float | Uniform | OneOf, rng: np.random.Generator) -> float:
    """One value; a number stands for itself and takes nothing from the generator."""
    return float(distribution) if isinstance(distribution, (int, float)) else distribution.draw(rng)


def bounds(distribution: float | Uniform | OneOf) -> tuple[float, float]:
    """Lowest and highest value that can be drawn."""
    if isinstance(distribution, (int, float)):
        return float(distribution), float(distribution)
    return distribution.bounds


_SIDE = Words("distribution, 1 to 100 m")


class Reverberation(Strict):
    """Which mixtures are reverberant, and in what rooms. Defaults: seed 001 (FACTS C.5)."""

    probability: Annotated[float, Field(ge=0, le=1)] = Field(
        default=0.5, description="share of mixtures with reverberant speech"
    )
    source: Literal["simulated", "measured"] = Field(
        default="simulated",
        description="image-source rooms, or the corpus's impulse responses",
    )
    target: Literal["dry", "reverberant"] = Field(
        default="dry",
        description="what training and scores compare with: the direct path of the same room, or the speech as mixed",
    )
    room_x: Annotated[Distribution, _SIDE] = Field(
        default=Uniform(uniform=(3, 10)),
        description="length of a simulated room (this and the next five: `source: simulated` alone)",
    )
    room_y: Annotated[Distribution, _SIDE] = Field(default=Uniform(uniform=(3, 10)), description="width")
    room_z: Annotated[Distribution, _SIDE] = Field(default=Uniform(uniform=(2.5, 3.5)), description="height")
    absorption: Annotated[Distribution, Words("distribution, 0.02 to 1")] = Field(
        default=Uniform(uniform=(0.1, 0.3)), description="energy absorption coefficient of all surfaces"
    )
    distance: Annotated[Distribution, Words("distribution, from 0.02 m to half the smallest room")] = Field(
        default=Uniform(uniform=(0.1, 1)),
        description="from source to microphone, which is at the room's centre; the direction is uniform on the sphere",
    )
    image_decay_db: Annotated[float, Field(ge=10, le=80)] = Field(
        default=40.0,
        description="images are followed while sound decays by so much (Sabine); computing time grows with the third "
        "power",
    )
    direct_ms: Annotated[float, Field(gt=0, le=50)] = Field(
        default=2.5,
        description="measured responses: the direct path ends so long after the main peak",
    )

    @model_validator(mode="after")
    def _heeded(self) -> Self:
        """A key that the source does not read would be believed to do something."""
        simulated = ("room_x", "room_y", "room_z", "absorption", "distance", "image_decay_db")
        for key in ("direct_ms",) if self.source == "simulated" else simulated:
            if getattr(self, key) != type(self).model_fields[key].default:
                other = "measured" if self.source == "simulated" else "simulated"
                found = f"`{key}` with rooms that are {self.source}, which do not read it"
                raise Mistake(found, key, accepted=f"`{key}` with `source: {other}`")
        return self

    @model_validator(mode="after")
    def _physical(self) -> Self:
        for name in ("room_x", "room_y", "room_z"):
            _within(name, getattr(self, name), 1.0, 100.0, "m")
        _within("absorption", self.absorption, 0.02, 1.0, "")
        smallest = min(bounds(side)[0] for side in (self.room_x, self.room_y, self.room_z))
        _within("distance", self.distance, 0.02, smallest / 2 - 0.05, "m (half the smallest room, less 5 cm)")
        return self


class DegradationEntry(Strict):
    """A degradation with its parameters, as an entry or in its place in a mixing."""

    description: str = Field(default="", description="shown by `sebench list` and `sebench show`")
    type: ItemType = Field(description="a registered degradation")
    params: dict[str, Any] = Field(
        default={},
        description="its parameters; see `sebench show degradation codec`. Each may be a distribution, drawn for each "
        "mixture: `{uniform: [low, high]}` (whole numbers where the parameter is one), or `{choice: [a, b]}`, of words "
        "too",
    )
    probability: Annotated[float, Field(ge=0, le=1)] = Field(
        default=1.0, description="share of the mixtures that are degraded so"
    )


_LEVEL = Words("distribution, -80 to 0")


class Mixing(Strict):
    """One entry of `config/mixing/`."""

    description: str = Field(default="", description="shown by `sebench list` and `sebench show`")
    snr_db: Annotated[Distribution, Words("distribution, -60 to 100")] = Field(
        default=Uniform(uniform=(-5, 15)),
        description="SNR in training and validation; test conditions state their own",
    )
    speech_level_dbov: Annotated[Distribution | None, _LEVEL] = Field(
        default=-26.0, description="level of the speech in the mixture, in dB relative to a full-scale RMS of 1.0"
    )
    mixture_level_dbov: Annotated[Distribution | None, _LEVEL] = Field(
        default=None, description="RMS of the mixture, instead; exactly one of the two is not null"
    )
    speech_level_measure: Measure = Field(
        default="p56", description="how the level of speech is measured, for level and SNR"
    )
    noise_level_measure: Measure = Field(
        default="rms", description="how the level of noise is measured, on the segment that is mixed"
    )
    noise_draw: Literal["files", "kinds"] = Field(
        default="files",
        description="`files`: each noise recording as often; `kinds`: each kind as often, then one of its recordings",
    )
    seconds: Annotated[Annotated[float, Field(ge=0.1, le=600)] | None, Words(default="the whole utterance")] = Field(
        default=None,
        description="length, at most `max_seconds`, cut from a random place (a shorter utterance keeps its own)",
    )
    max_seconds: Annotated[Annotated[float, Field(ge=0.1, le=600)] | None, Words(default="the whole utterance")] = (
        Field(
            default=None,
            description="of a longer utterance only the beginning is used, or the first part that is as active as the "
            "utterance. Published mixtures stay whole",
        )
    )
    reverberation: Reverberation | None = Field(default=None, description="rooms")
    degradations: Annotated[
        list[
            Annotated[
                Annotated[Text, Tag("by name")] | Annotated[DegradationEntry, Tag("in place")],
                Discriminator(lambda value: "by name" if isinstance(value, str) else "in place"),
            ]
        ],
        Words("list of names or degradations"),
    ] = Field(
        default=[],
        description="what happens to the sum of speech and noise, in this order: names, or "
        "[degradations](#degradations) in their place; the target stays as it is",
    )

    @model_validator(mode="after")
    def _levels(self) -> Self:
        if (self.speech_level_dbov is None) == (self.mixture_level_dbov is None):
            found = "both" if self.speech_level_dbov is not None else "neither"
            accepted = "either speech_level_dbov or mixture_level_dbov, and the other null"
            key = "mixture_level_dbov" if found == "both" else "speech_level_dbov"
            raise Mistake(f"{found} of the two levels", key, accepted=accepted)
        if self.seconds is not None and self.max_seconds is not None and self.seconds > self.max_seconds:
            found = f"{self.seconds:g} s of at most {self.max_seconds:g} s (`max_seconds`)"
            raise Mistake(found, "seconds", accepted=f"at most {self.max_seconds:g}")
        _within("snr_db", self.snr_db, -60.0, 100.0, "dB")
        for name in ("speech_level_dbov", "mixture_level_dbov"):
            if getattr(self, name) is not None:
                _within(name, getattr(self, name), -80.0, 0.0, "dBov")
        return self


def _within(name: str, distribution: float | Uniform | OneOf, lowest: float, highest: float, unit: str) -> None:
    low, high = bounds(distribution)
    if low < lowest or high > highest:
        found = f"{low:g}" if low == high else f"{low:g} to {high:g}"
        raise Mistake(f"found {found}", name, accepted=f"{lowest:g} to {highest:g} {unit}".rstrip())
