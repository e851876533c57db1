"""One record, one sentence: what it means to somebody who does not know the records."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from sim import units
from sim.eventlog import records as r
from sim.eventlog.records import Record

ACTIONS = {
    "os-migrateLive": "to live-migrate it",
    "migrate": "to migrate it (cold)",
    "resize": "to resize it",
    "evacuate": "to evacuate it",
    "confirmResize": "to confirm its move",
    "revertResize": "to revert its move",
    "create": "to create it",
    "delete": "to delete it",
}
_STEPS = {
    "api": "the API worked on it",
    "conductor": "a conductor worked on it",
    "scheduler": "the scheduler worked on it",
    "pre_check": "the destination checked whether it could take it",
    "pre_live_migration": "the destination prepared (volumes, ports, disks)",
    "live_start": "the hypervisor began the migration",
    "copy": "its memory (and local disk) was copied",
    "hand_over": "it was handed over: device state sent, guest resumed",
    "live_finish": "the source let go and the destination took over",
    "live_rollback": "the destination was cleaned up, the server stayed",
    "prep_resize": "the destination claimed room for it",
    "claim_failure": "the host found that it could not",
    "shutdown": "its guest shut down",
    "resize_disk": "its disk was made ready to move",
    "copy_disk": "its disk was copied",
    "finish_resize": "the destination defined and started it",
    "confirm": "the source removed what it had kept",
    "revert_dest": "the destination removed it",
    "revert_source": "the source started it again",
    "image": "its image was downloaded",
    "build_claim": "the host claimed room for it",
    "spawn": "its disk was being made and its guest started",
    "rebuild": "it was rebuilt",
    "guest_boot": "its guest booted",
    "upload": "its snapshot was uploaded",
    "delete": "it was deleted",
    "soft_delete": "it was put away to be deleted later",
    "restore": "it was taken back",
    "stop": "its guest was stopped",
    "start": "its guest was started",
    "reboot_soft": "its guest was asked to reboot",
    "reboot_hard": "its guest was reset",
    "pause": "its guest was paused",
    "unpause": "its guest went on",
    "suspend": "its guest was suspended to disk",
    "resume": "its guest was resumed",
    "rescue": "its guest was started from the rescue image",
    "unrescue": "its guest was started from its own disk again",
    "shelve": "it was shelved",
    "shelve_offload": "it was taken off its host",
    "unshelve": "it was taken off the shelf",
}
_QUEUES = {
    "api": "a free API worker",
    "conductor": "a free conductor worker",
    "scheduler": "a free scheduler worker",
    "live_migrations": "a turn among the live migrations of {}",
    "builds": "a turn among the builds of {}",
    "image": "a download of the same image to end",
}


def when(seconds: float) -> str:
    """A moment, in the same width everywhere: ``12.35 s``."""
    return f"{seconds:,.2f} s"


def asked(record: r.Request) -> str:
    """Who asked what."""
    return f"{record.who or 'somebody'} asked {ACTIONS.get(record.action, f'for {record.action}')}"


def answered(record: r.Answer, took_s: float) -> str:
    """What the API said."""
    after = f"after {units.format_seconds(took_s)}"
    if record.code < 400:
        return f"the API accepted it with {record.code} {after}"
    return f"the API refused it with {record.code} {after}: {record.message}"


def _step(record: r.Step) -> str:
    what = _STEPS.get(record.step, f"step {record.step.replace('_', ' ')}")
    where = f" on {record.host}" if record.host else ""
    end = "" if record.outcome == "done" else f", and {record.outcome}"
    return f"{what}{where} for {units.format_seconds(record.t - record.began)}{end}"


def _waited(record: r.Waited) -> str:
    kind, _, host = record.queue.partition(":")
    what = _QUEUES.get(kind, f"its turn in {kind}").format(host)
    return f"waited {units.format_seconds(record.t - record.began)} for {what}"


def _copy(record: r.LiveCopy) -> str:
    took = record.t - record.began
    sent = units.format_bytes(record.bytes_memory)
    disk = f" and {units.format_bytes(record.bytes_disk)} of disk" if record.bytes_disk else ""
    rate = units.format_rate((record.bytes_memory + record.bytes_disk) / took) if took > 0 else "-"
    how = {"postcopy": " (it ended as post-copy)", "paused": " (it was paused to let it end)"}.get(record.mode, "")
    rounds = "1 round" if record.rounds == 1 else f"{record.rounds} rounds"
    took_rounds = f" in {rounds}" if record.rounds else " (it had not come to the end of a round)"
    text = f"sent {sent} of memory{disk} from {record.source} to {record.dest}{took_rounds}, {rate} on average{how}"
    if record.throttle > 0:
        text += f"; the guest was throttled to {1 - record.throttle:.0%} of its CPU time"
    if record.outcome == "completed":
        return f"{text}; the guest stood still for {units.format_seconds(record.downtime_s)}"
    return f"{text}; the copy {'timed out' if record.outcome == 'timed_out' else f'was {record.outcome}'}"


def _migration(record: r.MigrationState) -> str:
    there = f" to {record.dest}" if record.dest else ""
    return f"migration {record.migration} ({record.type} from {record.source}{there}) is {record.status}"


def _event(record: r.EventFinished) -> str | None:
    if record.result != "Error":
        return None
    return f"{record.event} failed on {record.host}: {(record.details or 'no details').strip()}"


def _decision(record: r.Decision) -> str:
    of = f"decision {record.decision}"
    if record.chosen is None:
        why = (record.reason or "").strip()
        return f"{of}: no host ({record.hosts} offered by placement, {record.left} passed the filters): {why}"
    spare = f", with {', '.join(record.alternates)} to fall back on" if record.alternates else ""
    again = f", attempt {record.attempt}" if record.attempt > 1 else ""
    return (
        f"{of}{again}: {record.chosen} was chosen of {units.counted(record.left, 'hosts')} that passed the filters "
        f"({record.hosts} offered){spare}"
    )


def _filter(record: r.FilterStep) -> str | None:
    if not record.removed:
        return None
    names = ", ".join(record.removed[:5]) + (f" and {len(record.removed) - 5} more" if len(record.removed) > 5 else "")
    return f"  {record.filter} removed {record.before - record.after} of {record.before} hosts: {names}"


def _host(record: r.HostState) -> str:
    service = [word for word, on in (("disabled", record.disabled), ("forced down", record.forced_down)) if on]
    told = f", its compute service {' and '.join(service)}" if service else ""
    why = f" ({record.reason})" if record.reason else ""
    return f"host {record.host} is {record.power.replace('_', ' ')}{told}{why}"


_SAY: dict[type[Record], Callable[[Any], str | None]] = {
    r.Step: _step,
    r.Waited: _waited,
    r.LiveCopy: _copy,
    r.MigrationState: _migration,
    r.EventFinished: _event,
    r.Decision: _decision,
    r.FilterStep: _filter,
    r.HostState: _host,
    r.ServerFault: lambda record: f"Nova attached a fault to it ({record.code}): {record.message.strip()}",
    r.Downtime: lambda record: (
        f"its guest did not run for {units.format_seconds(record.t - record.began)} ({record.cause})"
    ),
    r.Slowdown: lambda record: f"its guest now runs at {1 - record.fraction:.0%} of its speed ({record.cause})",
    r.NeedsHuman: lambda record: f"it is given up and left to a person: {record.reason.strip()}",
    r.ServerDeleted: lambda _: "it is gone",
}


def said(record: Record) -> str | None:
    """The sentence of a record; None for records that say nothing to a person."""
    say = _SAY.get(type(record))
    return None if say is None else say(record)


def began(record: Record) -> float:
    """When what a record tells began: records of spells are written when these end."""
    return float(getattr(record, "began", record.t))
