"""Timing profiles: how long each stage of each operation takes where no bytes flow, and how fast streams are.

A profile is a YAML file beside this module, with its source and its fit error. A scenario names one, or takes one as
``profile`` and puts its own constants over it.
"""

from __future__ import annotations

from functools import lru_cache
from importlib import resources
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, PlainSerializer, WithJsonSchema, model_validator
from ruamel.yaml import YAML

from sim import units
from sim.scenario.distribution import Dist, Time

DEFAULT_PROFILE = "default"


def _rate_text(value: float) -> str:
    return f"{value!r} B/s"


Rate = Annotated[
    float,
    BeforeValidator(units.parse_rate),
    PlainSerializer(_rate_text),
    WithJsonSchema({"type": ["string", "number"], "description": "a rate with its unit, like '458 MB/s'"}),
]
StreamRate = Annotated[Rate, Field(gt=0)]


class Polling(BaseModel):
    """How a client watched: it sees the end of an action at a poll, not when it happens."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)

    first: Time
    """From the answer to the request until the first poll."""
    every: Annotated[Time, Field(gt=0)]
    """Sleep between polls."""
    call: Time = 0.0
    """How long one poll itself takes."""
    actions: dict[str, Polling] = {}
    """Actions (``create``, ``delete``, …) that it watched otherwise."""

    def of(self, action: str) -> Polling:
        """How it watched an action."""
        return self.actions.get(action, self)

    def seen_after(self, elapsed_s: float) -> float:
        """When a client sees what happened ``elapsed_s`` after its request: end of the first poll begun after it."""
        polls = 0.0
        if elapsed_s > self.first:
            polls = -((self.first - elapsed_s) // (self.every + self.call))
        return self.first + polls * (self.every + self.call) + self.call


class Timings(BaseModel):
    """A timing profile. Stages are distributions of seconds; the comments say who spends them and where."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)

    profile: str | None = DEFAULT_PROFILE
    """The profile that gives every constant not named here; None only in the profile that all others stand on."""
    source: str = Field(min_length=1)
    """Where the numbers come from."""
    fit_error: str = Field(min_length=1)
    """How well they reproduce that source, and what was never measured."""

    # every request
    api: Dist
    """An API worker: authentication to answer, without waiting for anybody else."""
    conductor: Dist
    """A conductor worker, once for each operation that goes through it."""
    scheduler: Dist
    """A scheduler worker, once for each decision."""

    # live migration: with api, conductor and scheduler these sum to the measured T0
    pre_check: Dist
    """check_can_live_migrate_destination and _source, once for each destination tried."""
    pre_live_migration: Dist
    """Destination: volumes connected, networks plugged; under the source's max_concurrent_live_migrations."""
    live_start: Dist
    """Source: libvirt and QEMU set the copy up; under the source's semaphore."""
    live_finish: Dist
    """After the copy: monitor's half second, bookkeeping of source and destination; under the semaphore."""
    live_rollback: Dist
    """After a failed or aborted copy."""
    device_state: Dist
    """Part of the downtime that is not memory: device state, hand-over, resume (T_dev)."""

    # cold migration and resize
    prep_resize: Dist
    """Destination's claim."""
    shutdown: Dist
    """Clean shutdown of the guest, until it obeys; never longer than Nova's shutdown_timeout."""
    resize_disk: Dist
    """Source: everything around the copy that is not the copy; guest is down."""
    finish_resize: Dist
    """Destination: networks, domain defined and started."""
    confirm: Dist
    """Source cleans up."""
    revert_dest: Dist
    """Destination destroys its guest."""
    revert_source: Dist
    """Source starts the old guest again."""

    # create, rebuild, evacuate, delete
    build_claim: Dist
    """Host's claim and network allocation, before the image is fetched."""
    spawn: Dist
    """Root disk made from the cached image, networks plugged, domain started: until ACTIVE."""
    rebuild: Dist
    """Evacuation on its destination: claim, volumes or disk, networks, domain started."""
    guest_boot: Dist
    """From power-on until the guest serves again."""
    delete: Dist
    restore: Dist
    claim_failure: Dist
    """How long a host takes to find out that it cannot: then the next alternate is asked."""

    # the ordinary actions, on the host
    stop: Dist
    start: Dist
    reboot_soft: Dist
    reboot_hard: Dist
    pause: Dist
    unpause: Dist
    suspend: Dist
    resume: Dist
    shelve: Dist
    """Without the snapshot's bytes."""
    shelve_offload: Dist
    unshelve: Dist
    rescue: Dist
    unrescue: Dist
    snapshot: Dist

    # streams
    stream: StreamRate
    """One migration stream over TCP, native."""
    tunnelled_stream: StreamRate
    """One migration stream tunnelled through libvirtd (``live_migration_tunnelled`` or native TLS alike)."""
    block_stream: StreamRate
    """Block migration's disk stream (NBD mirror)."""
    disk_stream: StreamRate
    """One disk at a time in a cold migration (scp or rsync)."""
    local_copy: StreamRate
    """Copy on shared storage."""
    link_efficiency: Annotated[float, Field(gt=0, le=1)]
    """Payload of a link as part of its nominal rate (Ethernet, IP and TCP headers)."""
    zero_pages: StreamRate
    """How fast zero pages are found by the one migration thread."""
    zero_pages_multifd: tuple[StreamRate, ...] = Field(min_length=1)
    """The same with 1, 2, 4, 8, … multifd channels."""
    page_fault: Time
    """Post-copy: from touching a page that is not there until it is, on an unloaded path."""
    connection_lost: Time
    """Without a byte for this long, libvirt's keepalive ends the migration."""

    polling: Polling | None = None
    """How the client of the measurements watched; no part of the cloud's own times."""

    @model_validator(mode="before")
    @classmethod
    def _over_profile(cls, value: Any) -> Any:
        if not isinstance(value, dict):
            return value
        base = value.get("profile", DEFAULT_PROFILE)
        if not isinstance(base, str):
            return value
        return _resolved(base) | value

    @property
    def live_setup_s(self) -> float:
        """Expected T0 of a live migration: all its stages without the copy."""
        stages = (self.api, self.conductor, self.scheduler, self.pre_check, self.pre_live_migration, self.live_start,
                  self.live_finish)  # fmt: skip
        return sum(stage.mean for stage in stages)

    def zero_page_bps(self, channels: int) -> float:
        """Speed of finding zero pages with ``channels`` multifd channels (1 is without multifd)."""
        if channels <= 1:
            return self.zero_pages
        known = self.zero_pages_multifd
        return known[min((channels - 1).bit_length(), len(known) - 1)]


def profile_names() -> list[str]:
    """Names of the profiles that come with novasim, sorted."""
    folder = resources.files(__package__) / "profiles"
    return sorted(entry.name.removesuffix(".yaml") for entry in folder.iterdir() if entry.name.endswith(".yaml"))


@lru_cache
def load_profile(name: str) -> Timings:
    """The profile of that name; ValueError with the known names if there is none."""
    return Timings.model_validate(_resolved(name))


def _resolved(name: str) -> dict[str, Any]:
    """A profile's data over its base's, down to the one without a base."""
    if name not in profile_names():
        raise ValueError(f"unknown timing profile {name!r}; known: {', '.join(profile_names())}")
    text = (resources.files(__package__) / "profiles" / f"{name}.yaml").read_text(encoding="utf-8")
    data: dict[str, Any] = YAML(typ="safe").load(text)
    base = data.get("profile")
    if base is None:
        return data
    return _resolved(base) | data | {"profile": name}
