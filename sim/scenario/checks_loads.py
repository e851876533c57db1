"""Checks of what hosts and guests consume: power models and CPU traces."""

from __future__ import annotations

from sim.errors import InputError
from sim.scenario.cpu_trace import read_cpu_trace
from sim.scenario.expand import server_pattern
from sim.scenario.findings import Checked, parts_of
from sim.scenario.power import power_model
from sim.scenario.tree import PathKeys


def check_loads(checked: Checked) -> None:
    """Every host's power model by name; every server's trace by reading it."""
    for number, host in enumerate(checked.scenario.cloud.hosts):
        try:
            power_model(host.power)
        except ValueError as error:
            checked.error(("cloud", "hosts", number, "power"), *parts_of(error))
    for number, entry in enumerate(checked.scenario.cloud.servers):
        if entry.cpu_trace is not None:
            _traces(checked, ("cloud", "servers", number, "cpu_trace"), number)


def _traces(checked: Checked, path: PathKeys, number: int) -> None:
    entry = checked.scenario.cloud.servers[number]
    try:
        pattern = server_pattern(entry)
        files = pattern.fill(entry.cpu_trace or "")
    except ValueError:
        return  # said of the name already
    seen: set[str] = set()
    for name, file in zip(pattern.names(), files, strict=True):
        whole = not file.lower().endswith((".parquet", ".pq"))
        if (whole and file in seen) or len(seen) > _MOST:
            continue
        seen.add(file)
        try:
            read_cpu_trace(file, name)
        except InputError as error:
            for issue in error.issues:
                checked.error(path, f"{issue.where}: {issue.what}", issue.right)
            return


_MOST = 200
"""Traces of one entry that are looked at before the run."""
