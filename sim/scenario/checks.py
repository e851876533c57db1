"""Cross-field checks: everything about a scenario that its types cannot say, all of it at once."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from sim.errors import InputError, Issue
from sim.scenario.checks_cloud import check_cloud
from sim.scenario.checks_guests import check_guests
from sim.scenario.checks_loads import check_loads
from sim.scenario.checks_plan import check_plan
from sim.scenario.checks_servers import check_servers
from sim.scenario.findings import Checked, Findings
from sim.scenario.nova_conf import NovaOptions, read_options
from sim.scenario.policy_file import policy_issues
from sim.scenario.spec import Scenario
from sim.scenario.tree import PathKeys, path_text

Where = Callable[[PathKeys], str]


def check(
    scenario: Scenario, where: Where = path_text, *, tainted: frozenset[str] = frozenset(), whole: bool = True
) -> Findings:
    """All errors and warnings. ``where`` turns a path into file and line; see ``Checked`` for the rest."""
    found = Findings()
    checked = Checked(scenario, where, tainted, whole, found)
    found.options = _options(checked)
    if scenario.cloud.nova.policy is not None:
        found.errors.extend(policy_issues(scenario.cloud.nova.policy))
    check_cloud(checked, found.options if found.options is not None else read_options(None))
    check_servers(checked)
    check_guests(checked)
    check_loads(checked)
    check_plan(checked)
    return found


def warnings(scenario: Scenario) -> list[Issue]:
    """What is probably not meant in a scenario that can be simulated."""
    return check(scenario).warnings


def _options(checked: Checked) -> NovaOptions | None:
    nova = checked.scenario.cloud.nova
    confs = [nova.conf] if isinstance(nova.conf, str) else list(nova.conf or ())
    missing = [conf for conf in confs if not Path(conf).exists()]
    place = checked.where(("cloud", "nova", "options"))
    try:
        options = read_options([conf for conf in confs if conf not in missing], nova.options, where=place)
    except InputError as error:
        checked.found.errors.extend(error.issues)
        return None
    for use in options.no_effect:
        if use.where.startswith(place):
            checked.found.warnings.append(Issue(use.where, "has no effect here", use.note))
    return options
