"""Checks of the plan, faults, workloads and the run."""

from __future__ import annotations

import re
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from pydantic import ValidationError

from sim.errors import InputError
from sim.scenario.expand import server_pattern
from sim.scenario.findings import Checked, duplicates
from sim.scenario.importers.traces import arrivals_table
from sim.scenario.patterns import closest, match_names
from sim.scenario.spec import (
    ACTIVITY_CLASSES,
    DrainStep,
    EvacuateStep,
    FailStep,
    FaultSpec,
    HostsStep,
    LinkStep,
    PlanStep,
    RequestStep,
    WorkloadSpec,
)  # fmt: skip
from sim.scenario.timings import load_profile
from sim.scenario.tree import PathKeys

ACTIONS = ("request", "drain", "reboot", "rolling_reboot", "fail", "evacuate", "service", "link", "confirm")
"""What a step can be: exactly one of these."""
_MICROVERSION = re.compile(r"2\.([1-9]\d*)$")
_MICROVERSION_MAX = 104
_SILENT = frozenset({"crash", "hang", "network"})
"""Kinds of failure that Nova sees a host go down by."""
_LEAST_S = 1.0
"""Failures may not come faster, on the average: a run would never end."""


def check_plan(checked: Checked) -> None:
    """Everything beside the cloud."""
    scenario = checked.scenario
    if isinstance(scenario.cloud.timings, str):
        try:
            load_profile(scenario.cloud.timings)
        except ValueError as error:
            what, _, right = str(error).partition("; ")
            checked.error(("cloud", "timings"), what, right)
    _order(checked)
    servers = _server_names(checked)
    for number, step in enumerate(scenario.plan):
        _step(checked, ("plan", number), step, servers)
    for number, fault in enumerate(scenario.faults):
        _fault(checked, ("faults", number), fault)
    names = ((one.name, ("workload", number)) for number, one in enumerate(scenario.workload))
    for name, path, first in duplicates(names):
        checked.error((*path, "name"), f"{name!r} is there twice", f"also at {checked.where((*first, 'name'))}")
    for number, workload in enumerate(scenario.workload):
        _workload(checked, ("workload", number), workload)
    if not (scenario.plan or scenario.workload or scenario.run.duration) and "plan" not in checked.tainted:
        right = "add a plan, a workload or run.duration"
        checked.warn(("plan",), "nothing happens" if not scenario.faults else "ends before any fault", right)


def _server_names(checked: Checked) -> list[str]:
    names: list[str] = []
    for entry in checked.scenario.cloud.servers:
        try:
            names.extend(server_pattern(entry).names())
        except ValueError:
            continue  # reported with the servers
    return names


def _order(checked: Checked) -> None:
    """Names of steps, and what comes after what."""
    plan = checked.scenario.plan
    named = [(step.name, ("plan", number)) for number, step in enumerate(plan) if step.name is not None]
    for name, path, first in duplicates(named):
        checked.error(
            (*path, "name"), f"the step {name!r} is there twice", f"also at {checked.where((*first, 'name'))}"
        )
    at = {name: int(path[1]) for name, path in reversed(named)}
    for number, step in enumerate(plan):
        if step.after is None:
            continue
        place: PathKeys = ("plan", number, "after")
        if step.after not in at:
            if "plan" not in checked.tainted:
                checked.error(
                    place, f"no step is named {step.after!r}", closest(step.after, at) if at else "give a step a name:"
                )
        elif at[step.after] == number:
            checked.error(place, "a step cannot come after itself", "name an earlier step")
        elif at[step.after] > number:
            circle = _circle(plan, number, at)
            what = f"steps wait for each other: {circle}" if circle else f"{step.after!r} is a later step"
            checked.error(place, what, "name an earlier step; move this one below it")


def _circle(plan: Sequence[PlanStep], start: int, at: dict[str, int]) -> str:
    seen = [start]
    while (after := plan[seen[-1]].after) is not None and after in at:
        seen.append(at[after])
        if seen[-1] == start:
            return " → ".join(plan[number].name or f"plan[{number}]" for number in seen)
        if seen[-1] in seen[:-1]:
            break
    return ""


def _step(checked: Checked, path: PathKeys, step: PlanStep, servers: Sequence[str]) -> None:
    given = [name for name in ACTIONS if getattr(step, name) is not None]
    if len(given) != 1:
        what = f"{' and '.join(given)} in one step" if given else "the step does nothing"
        if given or "plan" not in checked.tainted:
            checked.error(path, what, f"exactly one of: {', '.join(ACTIONS)}")
        return
    duration = checked.scenario.run.duration
    if duration is not None and step.after is None and step.at > duration:
        checked.warn((*path, "at"), "comes after the end of the run", "raise run.duration")
    name = given[0]
    inner = (*path, name)
    spec = getattr(step, name)
    if isinstance(spec, HostsStep):
        chosen = checked.selectors((*inner, "hosts"), spec.hosts)
        _hosts_step(checked, inner, spec, chosen)
    elif isinstance(spec, RequestStep):
        _request(checked, inner, spec, servers)
    elif isinstance(spec, LinkStep):
        if (spec.capacity is None) == (spec.factor is None):
            both = spec.capacity is not None
            what = "capacity and factor are both given" if both else "neither capacity nor factor is given"
            checked.error(inner, what, "write one of them, like capacity: 1 Gbit/s")  # fmt: skip
    elif not match_names(spec.servers, servers):
        right = closest(spec.servers[0], servers) if spec.servers else "name servers"
        checked.warn((*inner, "servers"), "no server of the start matches", right)


def _hosts_step(checked: Checked, path: PathKeys, spec: HostsStep, chosen: list[str]) -> None:
    destination = getattr(spec, "destination", None)
    if destination is not None and checked.known((*path, "destination"), "hosts", destination, checked.index.hosts):
        if destination in chosen:
            checked.error(
                (*path, "destination"), f"{destination!r} is one of the hosts to be emptied", "name another host"
            )
        row = next(row for row in checked.rows if row.name == destination)
        if row.service.status == "disabled" or row.service.state == "down" or row.service.forced_down:
            checked.warn(
                (*path, "destination"), f"{destination!r} is disabled or down from the start", "name another host"
            )
    if isinstance(spec, FailStep) and "factor" in spec.model_fields_set and spec.kind != "slow":
        checked.error((*path, "factor"), f"has no meaning for kind: {spec.kind}", "only kind: slow has a factor")
    version = getattr(spec, "microversion", None)
    if version is not None:
        _microversion(checked, (*path, "microversion"), version)
    if isinstance(spec, DrainStep):
        _drain(checked, path, spec)
    if getattr(spec, "reason", None) is not None and getattr(spec, "set", None) != "disabled":
        checked.error((*path, "reason"), "only for set: disabled", "take it away")
    if isinstance(spec, EvacuateStep):
        _evacuate(checked, path, spec, chosen)
    options = getattr(spec, "drain", None)
    if options is not None:
        _drain_options(checked, (*path, "drain"), options)


def _evacuate(checked: Checked, path: PathKeys, spec: EvacuateStep, chosen: list[str]) -> None:
    if spec.by == "masakari":
        own = {
            "reaction": "delays",
            "concurrency": "threads, three of them",
            "force_down": "way to switch a service off",
        }
        for field, what in own.items():
            if field in spec.model_fields_set:
                checked.error((*path, field), f"Masakari has its own {what}", "only for by: operator")
    scenario = checked.scenario
    if spec.again and scenario.run.duration is None:
        checked.error((*path, "again"), "lasts as long as the run, which has no end of its own", "add run.duration")
    if chosen and "plan" not in checked.tainted and not set(chosen) & _may_be_down(checked):
        checked.warn((*path, "hosts"), "nothing ever makes one of these hosts fail", "add a fail: step, or faults:")


def _may_be_down(checked: Checked) -> set[str]:
    """Hosts that are down or forced down at some time, or may be."""
    scenario = checked.scenario
    down = {row.name for row in checked.rows if row.service.state == "down" or row.service.forced_down}
    specs: list[HostsStep | FaultSpec] = [fault for fault in scenario.faults if fault.kind in _SILENT]
    for step in scenario.plan:
        if step.fail is not None and step.fail.kind in _SILENT:
            specs.append(step.fail)
        if step.service is not None and step.service.set == "forced_down":
            specs.append(step.service)
        specs += [one for one in (step.reboot, step.rolling_reboot) if one is not None]
    for spec in specs:
        for selector in spec.hosts:
            with suppress(ValueError):  # told where it stands
                down.update(checked.index.match(selector))
    return down


def _drain(checked: Checked, path: PathKeys, spec: DrainStep) -> None:
    match = _MICROVERSION.match(spec.microversion)
    minor = int(match[1]) if match else _MICROVERSION_MAX
    if spec.block_migration == "auto" and spec.method != "cold" and minor < 25:
        checked.error((*path, "block_migration"), "auto needs microversion 2.25 or later", "write true or false")
    if spec.destination is not None and spec.method != "live" and minor < 56:
        checked.error((*path, "destination"), "cold migration to a named host needs microversion 2.56 or later",
                      "raise microversion, or leave destination out")  # fmt: skip
    if spec.attempts == 1 and "retry_after" in spec.model_fields_set:
        checked.warn((*path, "retry_after"), "there is only one attempt", "raise attempts")


def _drain_options(checked: Checked, path: PathKeys, options: dict[str, object]) -> None:
    """Options of a rolling reboot's drains are a drain's, without hosts."""
    if "hosts" in options:
        checked.error((*path, "hosts"), "the hosts are those of the rolling reboot", "take it away")
    try:
        drain = DrainStep.model_validate({**options, "hosts": ["*"]})
    except ValidationError as error:
        for detail in error.errors(include_url=False):
            known = [name for name in DrainStep.model_fields if name != "hosts"]
            extra = detail["type"] == "extra_forbidden"
            what = f"unknown key {detail['loc'][-1]!r}" if extra else detail["msg"]
            checked.error(
                (*path, *detail["loc"][:1]), what, f"known keys: {', '.join(known)}" if extra else "as in drain:"
            )
        return
    _microversion(checked, (*path, "microversion"), drain.microversion)
    _drain(checked, path, drain)


def _microversion(checked: Checked, path: PathKeys, version: str) -> None:
    match = _MICROVERSION.match(version)
    if version != "latest" and (match is None or int(match[1]) > _MICROVERSION_MAX):
        checked.error(
            path, f"{version!r} is no microversion", f"write '2.1' to '2.{_MICROVERSION_MAX}' in quotes, or latest"
        )


def _request(checked: Checked, path: PathKeys, spec: RequestStep, servers: Sequence[str]) -> None:
    """Bodies and microversions may be wrong on purpose: Nova's answer to them is part of what is simulated."""
    if spec.method == "POST" and spec.body is None:
        checked.error(path, "a POST has a body", "add body:, like body: {migrate: null}")
    if spec.method == "DELETE" and spec.body is not None:
        checked.error((*path, "body"), "a DELETE has no body", "take it away, or method: DELETE")
    if spec.server is None and not (spec.body and "server" in spec.body):
        checked.error(path, "no server is named", "add server: NAME (only a create, body {server: {…}}, has none)")
    if spec.migration is not None and spec.method == "POST" and not (spec.body and "force_complete" in spec.body):
        checked.error((*path, "migration"), "only for method: DELETE and for force_complete", "take it away")
    if spec.server is not None and "servers" not in checked.tainted and spec.server not in set(servers):
        created = [step.request.body["server"].get("name") for step in checked.scenario.plan if step.request is not None
                   and step.request.body is not None and isinstance(step.request.body.get("server"), dict)]  # fmt: skip
        if spec.server not in created and not checked.scenario.workload:
            checked.warn((*path, "server"), f"no server {spec.server!r} at the start", closest(spec.server, servers))


def _fault(checked: Checked, path: PathKeys, fault: FaultSpec) -> None:
    checked.selectors((*path, "hosts"), fault.hosts)
    if fault.every.mean < _LEAST_S:
        checked.error((*path, "every"), f"{fault.every.mean:g} s between failures", "a second at least, on average")
    if "factor" in fault.model_fields_set and fault.kind != "slow":
        checked.error((*path, "factor"), f"has no meaning for kind: {fault.kind}", "only kind: slow has a factor")


def _workload(checked: Checked, path: PathKeys, spec: WorkloadSpec) -> None:
    cloud = checked.scenario.cloud
    flavors = {flavor.name for flavor in cloud.flavors}
    for name, weight in spec.flavors.items():
        checked.known((*path, "flavors", name), "flavors", name, flavors)
        if weight <= 0:
            checked.error(
                (*path, "flavors", name), f"the weight {weight:g} is not above 0", "take the flavor away, or raise it"
            )
    if spec.trace is None:
        missing = [field for field in ("every", "lifetime") if getattr(spec, field) is None]
        if missing:
            checked.error(path, f"{' and '.join(missing)} missing", "add every: and lifetime:, or trace: FILE")
        elif spec.every is not None and not spec.every.mean > 0:
            checked.error((*path, "every"), "arrivals without any time between them", "write a time above 0")
        if not flavors and "flavors" not in checked.tainted:
            checked.error(path, "there are no flavors to create servers of", "add cloud.flavors")
        if spec.count is None and spec.until is None and checked.scenario.run.duration is None:
            checked.error(path, "servers arrive for ever", "add until:, count:, or run.duration")
    else:
        for field in ("every", "lifetime", "flavors"):
            if field in spec.model_fields_set:
                checked.error((*path, field), f"trace says it, {field} is not used", "write one of them")
        _trace(checked, (*path, "trace"), spec.trace, flavors)
    if spec.until is not None and spec.until < spec.first:
        checked.error((*path, "until"), "ends before its first arrival", "raise until, or lower first")
    checked.known((*path, "image"), "images", spec.image, {image.name for image in cloud.images})
    if spec.activity not in ACTIVITY_CLASSES:
        checked.error(
            (*path, "activity"), f"unknown activity {spec.activity!r}", closest(spec.activity, ACTIVITY_CLASSES)
        )


def _trace(checked: Checked, path: PathKeys, file: str, flavors: set[str]) -> None:
    """The file's own mistakes, and flavors that the cloud does not have; a file that is not there is told elsewhere."""
    if not Path(file).is_file():
        return
    try:
        table = arrivals_table(file)
    except InputError as error:
        checked.found.errors.extend(error.issues)
        return
    if "flavors" not in checked.tainted:
        for t, name in table.unique("flavor", keep="first", maintain_order=True).select("t", "flavor").iter_rows():
            if name not in flavors:
                right = closest(name, sorted(flavors))
                checked.error(path, f"the arrival at {t:g} s has an unknown flavor {name!r}", right)
