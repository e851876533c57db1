"""What is to be run: a scenario's variants, how often, with which seed, until when. From a sweep file or its parts.

A sweep file is YAML; its keys are the fields of :class:`SweepSpec`:

    scenario: rack_drain.yaml
    replications: 20
    axes:
      plan[0].drain.concurrency: [2, 4, 8]
      cloud.network.oversubscription: [1, 3]
"""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, ValidationError

from sim.errors import InputError, Issue
from sim.experiments.axes import Axis, axis_of
from sim.experiments.design import GRID, Design, check_design, parse_design, points
from sim.experiments.precision import MOST, Until, parse_until
from sim.experiments.variants import Variant, short_names, unique, variant_of
from sim.model.migration.own import migration_model
from sim.model.scheduler.loading import filter_classes, weigher_classes
from sim.scenario.loader import examine, load
from sim.scenario.messages import issues_of
from sim.scenario.spec import FileName, Scenario, Seconds, Spec, Whole
from sim.scenario.tree import Node, path_text
from sim.scenario.yaml_text import one_line, parse_yaml, read_text

_TRIED = 20
REPLICATIONS = 10
"""Replications where neither a number nor a precision is asked for."""


class SweepSpec(Spec):
    """A sweep file."""

    scenario: FileName
    """The scenario, relative to this file."""
    set: dict[str, Any] = Field(default_factory=dict)
    """Path → value: what all variants change."""
    axes: dict[str, list[Any] | str] = Field(default_factory=dict)
    """Path → list of values, or a range like ``"1..16"`` or ``"10 Gbit/s..40 Gbit/s"``."""
    variants: tuple[dict[str, Any], ...] = ()
    """Each a mapping path → value; ``{}`` is the scenario as it is. With axes too: each of them at each point."""
    sample: str = "grid"
    """How points are chosen: grid, list, latin:N, sobol:N, indices:N."""
    replications: Annotated[Whole, Field(ge=1)] | None = None
    until: str | None = None
    """Run until it is known this well, like ``"p95_makespan ± 5 %"``."""
    seed: Whole = Field(default=1, ge=0)
    warm_up: Literal["auto"] | Seconds = 0.0
    """Simulated time to leave out of each run, or ``auto``."""


@dataclass(frozen=True)
class Experiment:
    """A sweep: what to run and how often."""

    source: str
    """The scenario's file."""
    variants: tuple[Variant, ...]
    sets: tuple[str, ...] = ()
    axes: tuple[Axis, ...] = ()
    design: Design = GRID
    seed: int = 1
    replications: int = REPLICATIONS
    until: Until | None = None
    warm_up: float | Literal["auto"] = 0.0
    name: str = field(default="sweep")

    def scenario(self, variant: Variant) -> Scenario:
        """The variant's scenario. InputError carries every issue found."""
        return load(self.source, (*self.sets, *variant.settings))

    def command(self, variant: Variant, seed: int) -> str:
        """What to type to see one run of it."""
        sets = "".join(f" --set {_quoted(setting)}" for setting in (*self.sets, *variant.settings))
        return f"novasim run {_quoted(self.source)}{sets} --seed {seed}"

    def looks(self) -> Iterator[int]:
        """Numbers of replications after which to see whether that is enough; the last is the most."""
        if self.until is None:
            yield self.replications
        else:
            yield from self.until.looks(self.replications)


def experiment(
    source: str | Path,
    axes: Sequence[Axis] = (),
    *,
    variants: Sequence[Mapping[str, Any]] = (),
    sets: Sequence[str] = (),
    design: Design | None = None,
    seed: int = 1,
    replications: int | None = None,
    until: Until | None = None,
    warm_up: float | Literal["auto"] = 0.0,
) -> Experiment:
    """An experiment from its parts, each variant read and checked. InputError carries every issue found."""
    design = design or GRID
    issues = check_design(axes, design, "--sample")
    if issues:
        raise InputError(issues)
    grid = [dict(zip((axis.path for axis in axes), point, strict=True)) for point in points(axes, design, seed)]
    chosen = [{**given, **point} for given in (variants or [{}]) for point in grid]
    paths = list(dict.fromkeys(path for values in chosen for path in values))
    names = {**short_names(paths), **{axis.path: axis.name for axis in axes if axis.name}}
    made = Experiment(
        str(source), tuple(unique([variant_of(values, names) for values in chosen])), tuple(sets), tuple(axes), design,
        seed, replications or (MOST if until else REPLICATIONS), until, warm_up, Path(source).stem,
    )  # fmt: skip
    _check_variants(made)
    return made


def _check_variants(made: Experiment) -> None:
    """Read every variant, and look for classes of the user's own; what is wrong with several is said once."""
    issues: list[Issue] = []
    for variant in made.variants:
        try:
            found = examine(made.source, (*made.sets, *variant.settings))
            filter_classes(found.options)
            weigher_classes(found.options)
            migration_model(found.scenario.cloud.migration_model)
        except InputError as error:
            issues += error.issues
    if issues:
        raise InputError(_once(issues))


def axis_issues(source: str | Path, sets: Sequence[str], axes: Sequence[Axis]) -> list[Issue]:
    """What is wrong with values of axes, each tried alone: where something else is wrong, too, and nothing is run.

    Nothing is said where the scenario itself has mistakes: they are all that could be said.
    """
    found: list[Issue] = []
    try:
        load(source, sets)
        for axis in axes:
            for value in axis.values[:_TRIED] or [axis.at(0.0), axis.at(1.0)]:
                try:
                    load(source, (*sets, f"{axis.path}={one_line(value)}"))
                except InputError as error:
                    found += error.issues
    except InputError:
        return []
    return _once(found)


def _once(issues: Sequence[Issue]) -> list[Issue]:
    """Of issues that say the same of several values, the first."""
    return list({(issue.what, issue.right): issue for issue in reversed(issues)}.values())[::-1]


def is_sweep_file(path: Path) -> bool:
    """Whether a YAML file is a sweep, not a scenario: it names one instead of holding a cloud."""
    issues: list[Issue] = []
    text = read_text(path, str(path), issues)
    tree = parse_yaml(text, str(path), issues) if text is not None else None
    return tree is not None and tree.child("scenario") is not None and tree.child("cloud") is None


def read_sweep(path: Path) -> dict[str, Any]:
    """The parts of :func:`experiment` from a sweep file. InputError carries every issue found in it."""
    issues: list[Issue] = []
    text = read_text(path, str(path), issues)
    tree = parse_yaml(text, str(path), issues) if text is not None else None
    if tree is None:
        raise InputError(issues)
    try:
        spec = SweepSpec.model_validate(tree.plain())
    except ValidationError as error:
        raise InputError([*issues, *issues_of(error, tree, SweepSpec)]) from None
    axes = [_axis(key, values, tree, issues) for key, values in spec.axes.items()]
    design = parse_design(spec.sample, tree.where(("sample",)), issues)
    until = parse_until(spec.until, tree.where(("until",)), issues) if spec.until is not None else None
    if design is not None and None not in axes:
        issues += check_design([axis for axis in axes if axis is not None], design, tree.where(("sample",)))
    if issues:
        raise InputError(issues)
    return {
        "source": str(path.parent / spec.scenario), "axes": axes, "variants": spec.variants, "design": design,
        "sets": [f"{key}={one_line(value)}" for key, value in spec.set.items()], "seed": spec.seed,
        "replications": spec.replications, "until": until, "warm_up": spec.warm_up,
    }  # fmt: skip


def _axis(path: str, values: list[Any] | str, tree: Node, issues: list[Issue]) -> Axis | None:
    return axis_of(path, values, tree.where(("axes", path)).replace(path_text((path,)), path), issues)


def _quoted(text: str) -> str:
    """A word of a command line, as a shell wants it."""
    return shlex.quote(text)
