"""Distributions of times, as scenarios write them: ``"1.5 s"`` or ``{lognormal: {median: "2 s", sigma: 0.1}}``.

Each is sampled by inverting its cumulative distribution at one uniform number, in plain Python (below a microsecond).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import cached_property
from statistics import NormalDist
from typing import Annotated, Any

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    GetJsonSchemaHandler,
    PlainSerializer,
    WithJsonSchema,
    model_validator,
)  # fmt: skip
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema

from sim import units

_TIME = {"type": ["string", "number"], "description": "a time with its unit, like '90 s', '10 min', '2 h'"}


def _text(value: float) -> str:
    """Seconds as text that reads back to the same number."""
    return f"{value!r} s"


Time = Annotated[float, BeforeValidator(units.parse_seconds), PlainSerializer(_text), WithJsonSchema(_TIME)]
PositiveTime = Annotated[
    float, BeforeValidator(units.parse_seconds), Field(gt=0), PlainSerializer(_text), WithJsonSchema(_TIME)
]


class _Shape(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Uniform(_Shape):
    """Anything from ``low`` to ``high`` alike."""

    low: Time
    high: Time

    @model_validator(mode="after")
    def _ordered(self) -> Uniform:
        if self.high < self.low:
            raise ValueError("high must not be below low")
        return self


class Exponential(_Shape):
    """Without memory."""

    mean: PositiveTime


class Lognormal(_Shape):
    """``sigma`` is the standard deviation of the logarithm."""

    median: PositiveTime
    sigma: Annotated[float, Field(ge=0)]


class Weibull(_Shape):
    """``shape`` below 1: failures come in bunches; 1 is exponential."""

    shape: Annotated[float, Field(gt=0)]
    scale: PositiveTime


class Dist(BaseModel):
    """Exactly one of the shapes."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    constant: Time | None = None
    uniform: Uniform | None = None
    exponential: Exponential | None = None
    lognormal: Lognormal | None = None
    weibull: Weibull | None = None
    empirical: Annotated[tuple[Time, ...], Field(min_length=1)] | None = None
    """Measured values; each is as likely as the others."""

    @model_validator(mode="before")
    @classmethod
    def _from_text(cls, value: Any) -> Any:
        if isinstance(value, (str, int, float)) and not isinstance(value, bool):
            return {"constant": value}
        return value

    @model_validator(mode="after")
    def _one_shape(self) -> Dist:
        given = [name for name in type(self).model_fields if getattr(self, name) is not None]
        if len(given) != 1:
            known = ", ".join(type(self).model_fields)
            raise ValueError(f"give exactly one of {known}" + (f", not {' and '.join(given)}" if given else ""))
        try:
            finite = math.isfinite(self.mean) and math.isfinite(self.quantile(1.0 - 2.0**-53))
        except OverflowError:
            finite = False
        if not finite:
            right = "lower sigma" if self.lognormal is not None else "raise shape, or lower scale"
            raise ValueError(f"reaches beyond every number; {right}")
        return self

    @classmethod
    def __get_pydantic_json_schema__(cls, core: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        return {"anyOf": [_TIME, handler(core)]}

    @cached_property
    def fixed(self) -> float | None:
        """The value, if it is always the same."""
        if self.empirical is not None and len(set(self.empirical)) == 1:
            return self.empirical[0]
        if self.uniform is not None and self.uniform.low == self.uniform.high:
            return self.uniform.low
        if self.lognormal is not None and self.lognormal.sigma == 0:
            return self.lognormal.median
        return self.constant

    @cached_property
    def quantile(self) -> Callable[[float], float]:
        """Inverse of the cumulative distribution: a number in (0, 1) → seconds."""
        if self.uniform is not None:
            low, width = self.uniform.low, self.uniform.high - self.uniform.low
            return lambda u: low + width * u
        if self.exponential is not None:
            mean = self.exponential.mean
            return lambda u: -mean * math.log1p(-u)
        if self.lognormal is not None:
            mu, sigma, normal = math.log(self.lognormal.median), self.lognormal.sigma, NormalDist().inv_cdf
            return lambda u: math.exp(mu + sigma * normal(u))
        if self.weibull is not None:
            inverse, scale = 1.0 / self.weibull.shape, self.weibull.scale
            return lambda u: float(scale * (-math.log1p(-u)) ** inverse)
        if self.empirical is not None:
            values = sorted(self.empirical)
            count = len(values)
            return lambda u: values[min(int(u * count), count - 1)]
        constant = self.constant or 0.0
        return lambda _: constant

    @cached_property
    def mean(self) -> float:
        """Expected value, seconds."""
        if self.uniform is not None:
            return (self.uniform.low + self.uniform.high) / 2
        if self.exponential is not None:
            return self.exponential.mean
        if self.lognormal is not None:
            return self.lognormal.median * math.exp(self.lognormal.sigma**2 / 2)
        if self.weibull is not None:
            return self.weibull.scale * math.gamma(1 + 1 / self.weibull.shape)
        if self.empirical is not None:
            return math.fsum(self.empirical) / len(self.empirical)
        return self.constant or 0.0

    def times(self, factor: float) -> Dist:
        """The same shape, everything ``factor`` times as long."""
        if self.uniform is not None:
            return Dist.model_validate({"uniform": _scaled(self.uniform, factor)})
        if self.exponential is not None:
            return Dist.model_validate({"exponential": _scaled(self.exponential, factor)})
        if self.lognormal is not None:
            return Dist.model_validate({"lognormal": _scaled(self.lognormal, factor) | {"sigma": self.lognormal.sigma}})
        if self.weibull is not None:
            return Dist.model_validate({"weibull": _scaled(self.weibull, factor) | {"shape": self.weibull.shape}})
        if self.empirical is not None:
            return Dist.model_validate({"empirical": [_text(value * factor) for value in self.empirical]})
        return seconds((self.constant or 0.0) * factor)


def seconds(value: float) -> Dist:
    """The distribution that is always ``value`` seconds."""
    return Dist.model_validate({"constant": _text(value)})


def lognormal(median_s: float, sigma: float) -> Dist:
    """A lognormal distribution of seconds."""
    return Dist.model_validate({"lognormal": {"median": _text(median_s), "sigma": sigma}})


def _scaled(shape: _Shape, factor: float) -> dict[str, Any]:
    """The shape's fields as text, each time ``factor`` times as long."""
    return {name: _text(getattr(shape, name) * factor) for name in type(shape).model_fields}
