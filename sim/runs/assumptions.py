"""What a run takes for granted: where its times come from, and which of the operator's options had no part in it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sim.errors import InputError
from sim.scenario.nova_conf import OptionUse, read_options
from sim.scenario.spec import Scenario
from sim.scenario.timings import Timings, load_profile


def assumptions(scenario: Scenario) -> dict[str, Any]:
    """As plain data: the timing profile with its sources and fit, constants set over it, Nova's options by their use.

    Options are None, and ``problem`` says why, when a nova.conf that was read before the run is gone after it.
    """
    cloud = scenario.cloud
    timings = load_profile(cloud.timings) if isinstance(cloud.timings, str) else cloud.timings
    problem, options = "", None
    try:
        options = read_options(cloud.nova.conf, cloud.nova.options)
    except InputError as error:
        problem = str(error)
    return {
        "profile": timings.profile if isinstance(cloud.timings, Timings) else cloud.timings,
        "profile_source": timings.source,
        "profile_fit_error": timings.fit_error,
        "constants_set": _changed(timings) if isinstance(cloud.timings, Timings) else [],
        "nova_options": None if options is None else {
            "honoured": _listed(options.honoured),
            "without_effect": _listed(options.no_effect),
            "unknown": _listed(options.unknown),
        },
        "problem": problem,
    }  # fmt: skip


def _changed(timings: Timings) -> list[str]:
    """Names of the constants that differ from the profile's."""
    base = load_profile(timings.profile) if timings.profile else None
    names = [name for name in Timings.model_fields if name not in {"profile", "source", "fit_error"}]
    return [name for name in names if base is None or getattr(base, name) != getattr(timings, name)]


def _listed(uses: Sequence[OptionUse]) -> list[dict[str, str]]:
    """Name, value, place (its file's name alone: where that lay is nobody's business) and why it has no effect."""
    return [
        {"name": use.name, "value": "" if use.value is None else str(use.value),
         "where": use.where.partition(" ")[0].rpartition("/")[2], "note": use.note}
        for use in uses
    ]  # fmt: skip
