"""Tables → figures, reports, timelines: each takes a run, a run folder or its records.

Every figure has ``save("name.png")`` or ``.svg``, shows itself in a notebook, and says at its foot what it leaves out.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sim.plots.curves import headroom, progress, spread
    from sim.plots.gantt import gantt_hosts, gantt_servers
    from sim.plots.heat import heat_hosts, heat_links
    from sim.plots.moment import network
    from sim.plots.servers import guest_speed, ribbons

_HOME = {
    "gantt_hosts": "gantt", "gantt_servers": "gantt", "guest_speed": "servers", "headroom": "curves",
    "heat_hosts": "heat", "heat_links": "heat", "network": "moment", "progress": "curves", "ribbons": "servers",
    "spread": "curves",
}  # fmt: skip

__all__ = [
    "gantt_hosts", "gantt_servers", "guest_speed", "headroom", "heat_hosts", "heat_links", "network", "progress",
    "ribbons", "spread",
]  # fmt: skip


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module 'sim.plots' has no attribute {name!r}")
    return getattr(importlib.import_module(f"sim.plots.{_HOME[name]}"), name)


def __dir__() -> list[str]:
    return sorted(__all__)
