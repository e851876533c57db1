"""The answer in short: how long, what moved, what failed and why, what guests felt, who needs a person."""

from __future__ import annotations

import re
from dataclasses import asdict, dataclass
from typing import Any

import polars as pl

from sim.eventlog import records as r
from sim.metrics.servers import needs
from sim.metrics.source import Records, Source, as_records
from sim.metrics.summary import FAULTS, summary
from sim.metrics.tables import table
from sim.metrics.words import advice, grouped, with_names

MOVES = ("migrate", "os-migrateLive", "evacuate")
"""Actions that ask for a server to be on another host."""
__all__ = [
    "Answer",
    "HeadroomAnswer",
    "HumanAnswer",
    "LinkAnswer",
    "OperationAnswer",
    "Reason",
    "Spread",
    "answer",
    "summary",
]

_MOST = 10
"""How many links the answer names."""
_NAMED = 5
"""How many servers it names of each reason."""
_LEFT = re.compile(r"(?<= moved), (\d+) left$")


@dataclass(frozen=True, slots=True)
class Spread:
    """How a quantity is spread over servers: their number, median, 95th percentile, maximum and sum; None of none."""

    count: int
    median: float | None
    p95: float | None
    max: float | None
    sum: float


@dataclass(frozen=True, slots=True)
class Reason:
    """A reason, how many servers it is about, and the first few of them."""

    reason: str
    count: int
    servers: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class OperationAnswer:
    """One operation of the plan."""

    operation: int
    kind: str
    target: str
    began_s: float
    ended_s: float | None
    outcome: str
    detail: str
    servers: int


@dataclass(frozen=True, slots=True)
class LinkAnswer:
    """A busy link: bytes, mean and peak share of its capacity (0..1), seconds at 99 % of it."""

    link: str
    bytes_b: float
    mean_share: float
    peak_share: float
    full_s: float


@dataclass(frozen=True, slots=True)
class HeadroomAnswer:
    """How many more of each flavor fit in a zone or aggregate, at the start and at the end."""

    kind: str
    group: str
    hosts: int
    hosts_usable: int
    fits_start: dict[str, int]
    fits: dict[str, int]


@dataclass(frozen=True, slots=True)
class HumanAnswer:
    """A server that needs a person: since when, why (all reasons), and what to do."""

    server: str
    since_s: float
    reason: str
    advice: str


@dataclass(frozen=True, slots=True)
class Answer:
    """What a run says in short; plain values, so that it is JSON as it stands. Times in seconds, sizes in bytes.

    ``asked`` servers were asked to move, or an operation wanted them to. Each of them is one of ``moved`` (now
    elsewhere, whether confirmed or not), ``failed`` (the last attempt failed or was refused) or ``left`` (never tried,
    cancelled, put back, or still under way).
    """

    scenario: str
    seed: int | None
    simulated_s: float
    partial: bool
    makespan_s: float | None
    operations: list[OperationAnswer]
    asked: int
    moved: int
    failed: int
    left: int
    failed_reasons: list[Reason]
    left_reasons: list[Reason]
    refused_reasons: list[Reason]
    """Requests for other things than moves that the API refused: ``force_complete: …``."""
    downtime: Spread
    total_time: Spread
    queue_time: Spread
    migrations: int
    migrations_failed: int
    retries: int
    auto_confirmed: int
    unconfirmed: int
    bytes_sent_b: float
    links: list[LinkAnswer]
    headroom: list[HeadroomAnswer]
    flavors: list[str]
    """The flavors, the one that most servers began with first."""
    humans: list[HumanAnswer]

    def as_dict(self) -> dict[str, Any]:
        """As nested dictionaries and lists, for JSON."""
        return asdict(self)


def answer(source: Source) -> Answer:
    """The answer of a run (or a run folder, or records)."""
    records = as_records(source)
    kept: Answer = records.keep("answer", lambda: _answer(records))
    return kept


def _answer(records: Records) -> Answer:
    operations = _operations(records)
    work = [one for one in operations if one.kind not in FAULTS]
    begun = [one.began_s for one in work]
    ended = [records.end_s if one.ended_s is None else one.ended_s for one in work]
    migrations = table(records, "migrations")
    fates = _fates(records)
    names = [*records.frame(r.HostsPresent)["host"], *fates["server"]]
    ids = dict(table(records, "servers").select(pl.col("uuid").str.to_lowercase(), "server").iter_rows())
    reasons = {fate: _of_fate(fates.filter(pl.col("fate") == fate), names, ids) for fate in ("failed", "left")}
    counts = dict(fates.group_by("fate").len().iter_rows())
    servers = table(records, "servers")
    touched = servers.filter(pl.col("server").is_in(migrations["server"].to_list()) | (pl.col("downtime_s") > 0))
    per_server = migrations.group_by("server", maintain_order=True).agg(pl.col("total_s", "queue_s").sum())
    per_server = per_server.filter(pl.col("total_s") > 0)
    started = records.frame(r.RunStarted)
    return Answer(
        scenario=records.name,
        seed=int(started["seed"][0]) if started.height else None,
        simulated_s=records.end_s,
        partial=bool(records.manifest.get("partial", False)),
        makespan_s=max(ended) - min(begun) if work else _moves_span(migrations),
        operations=operations,
        asked=fates.height,
        moved=counts.get("moved", 0),
        failed=counts.get("failed", 0),
        left=counts.get("left", 0),
        failed_reasons=reasons["failed"],
        left_reasons=reasons["left"],
        refused_reasons=_of_fate(_refused(records), names, ids),
        downtime=_spread(touched["downtime_s"]),
        total_time=_spread(per_server["total_s"]),
        queue_time=_spread(per_server["queue_s"]),
        migrations=migrations.height,
        migrations_failed=int((migrations["outcome"] == "failed").sum()),
        retries=int(migrations["retries"].sum()),
        auto_confirmed=int((migrations["confirmed_by"] == "window").sum()),
        unconfirmed=int((migrations["outcome"] == "unconfirmed").sum()),
        bytes_sent_b=_sent(records),
        links=_links(records),
        headroom=headrooms(records),
        flavors=flavors_by_use(records),
        humans=_humans(records, ids),
    )


def _spread(values: pl.Series) -> Spread:
    values = values.drop_nulls()
    if values.is_empty():
        return Spread(0, None, None, None, 0.0)
    median, p95, most = (float(str(values.quantile(q, "linear"))) for q in (0.5, 0.95, 1.0))
    return Spread(len(values), median, p95, most, float(values.sum()))


def _moves_span(migrations: pl.DataFrame) -> float | None:
    """Without an operation: from the first migration's creation to the last one's arrival."""
    over = migrations.filter(pl.col("total_s").is_not_null())
    if over.is_empty():
        return None
    return float(str((over["created_s"] + over["total_s"]).max())) - float(str(over["created_s"].min()))


def _operations(records: Records) -> list[OperationAnswer]:
    rows = records.frame(r.Operation)
    begun = rows.filter(pl.col("phase") == "begun")
    ended = {row["operation"]: row for row in rows.filter(pl.col("phase") == "ended").iter_rows(named=True)}
    made = []
    for row in begun.iter_rows(named=True):
        end = ended.get(row["operation"], {"t": None, "outcome": "under way", "detail": ""})
        made.append(
            OperationAnswer(
                row["operation"], row["kind"], row["target"], row["t"], end["t"], end["outcome"],
                _LEFT.sub(_not_moved, end["detail"]), row["servers"],
            )
        )  # fmt: skip
    return made


def _not_moved(found: re.Match[str]) -> str:
    """An operator counts as left whoever did not move; the answer tells those that failed from those ``left``."""
    return f", {found[1]} not moved" if found[1] != "0" else ""


def _fates(records: Records) -> pl.DataFrame:
    """Server, fate, why: of every server that was asked to move."""
    asked = table(records, "requests").filter(pl.col("action").is_in(MOVES) & pl.col("server").is_not_null())
    asked = asked.group_by("server", maintain_order=True).agg(
        pl.col("outcome").last().alias("request_outcome"), pl.col("reason").last().alias("request_reason"),
        pl.col("asked_s").last(),
    )  # fmt: skip
    given_up = records.frame(r.NeedsHuman).group_by("server", maintain_order=True).agg(pl.col("reason").last())
    given_up = given_up.rename({"reason": "left_reason"})
    last = table(records, "migrations").filter((pl.col("type") != "resize") & pl.col("created_s").is_not_null())
    last = last.group_by("server", maintain_order=True).agg(pl.last("outcome", "reason", "created_s", "total_s"))
    both = asked.join(given_up, on="server", how="full", coalesce=True, maintain_order="left_right")
    both = both.join(last, on="server", how="left", maintain_order="left")
    # A request that the API refused is the last word on the server, but not in the midst of its last migration.
    after = pl.col("created_s").is_null() | (pl.col("asked_s") - pl.col("created_s") >= pl.col("total_s"))
    refused = (pl.col("request_outcome") == "refused") & after.fill_null(value=False)
    fate = (
        pl.when(refused)
        .then(pl.lit("failed"))
        .when(pl.col("outcome").is_in(["done", "unconfirmed"]))
        .then(pl.lit("moved"))
        .when((pl.col("outcome") == "failed") | (pl.col("request_outcome") == "failed"))
        .then(pl.lit("failed"))
        .otherwise(pl.lit("left"))
    )
    own = pl.format("its move was {} when the run ended", "outcome")
    why = pl.coalesce(pl.when(refused).then("request_reason"), "reason", "left_reason", "request_reason", own)
    return both.with_columns(fate.alias("fate"), why.alias("why")).select("server", "fate", "why")


def _refused(records: Records) -> pl.DataFrame:
    """Server (empty: the request named none, as for a create) and why, of every refused request not about a move."""
    rows = table(records, "requests").filter((pl.col("outcome") == "refused") & ~pl.col("action").is_in(MOVES))
    why = pl.format("{}: {}", "action", pl.coalesce("reason", pl.format("answer {}", "code")))
    return rows.select(pl.col("server").fill_null(""), why.alias("why"))


def _sent(records: Records) -> float:
    """Bytes that left their host; a copy within one goes over no link."""
    inside = records.frame(r.FlowStarted).filter(pl.col("links").list.len() == 0).select("flow")
    return float(records.frame(r.FlowEnded).join(inside, on="flow", how="anti")["bytes"].sum())


def _links(records: Records) -> list[LinkAnswer]:
    rows = table(records, "links").filter(pl.col("bytes_b") > 0)
    rows = rows.sort("mean_share", "bytes_b", "link", descending=[True, True, False]).head(_MOST)
    names = ("link", "bytes_b", "mean_share", "peak_share", "full_s")
    return [LinkAnswer(*row) for row in rows.select(names).iter_rows()]


def headrooms(records: Records) -> list[HeadroomAnswer]:
    """The table of headroom, a group at a time."""
    made: dict[tuple[str, str], HeadroomAnswer] = {}
    for row in table(records, "headroom").iter_rows(named=True):
        key = (row["kind"], row["group"])
        if key not in made:
            made[key] = HeadroomAnswer(*key, row["hosts"], row["hosts_usable"], {}, {})
        made[key].fits_start[row["flavor"]] = row["fits_start"]
        made[key].fits[row["flavor"]] = row["fits"]
    return list(made.values())


def flavors_by_use(records: Records) -> list[str]:
    """The flavors, the one that most servers began with first."""
    begun = [records.scan(kind).select("flavor") for kind in (r.ServersPresent, r.ServerCreated)]
    used = pl.concat(begun).group_by("flavor").len("servers").collect()
    known = records.frame(r.FlavorsPresent).select("flavor").with_row_index("order")
    both = known.join(used, on="flavor", how="left").sort(
        pl.col("servers").fill_null(0), "order", descending=[True, False]
    )
    return both["flavor"].to_list()


def _of_fate(fates: pl.DataFrame, names: list[str], ids: dict[str, str]) -> list[Reason]:
    """Reasons of servers of one fate, those about most servers first."""
    told = [(server, with_names(why, ids)) for server, why in fates.select("server", "why").drop_nulls().iter_rows()]
    return [
        Reason(why, len(servers), tuple(server for server in servers[:_NAMED] if server))
        for why, servers in grouped(told, names)
    ]


def _humans(records: Records, ids: dict[str, str]) -> list[HumanAnswer]:
    rows = needs(records).group_by("server", maintain_order=True).agg(pl.col("since_s").min(), pl.col("reason"))
    made = []
    for server, since, reasons in rows.iter_rows():
        once = list(dict.fromkeys(with_names(reason, ids) for reason in reasons))
        said = [one for one in once if not any(one != other and one.rstrip(". ") in other for other in once)]
        text = "; ".join(said)
        made.append(HumanAnswer(server, since, text, advice(text)))
    return made
