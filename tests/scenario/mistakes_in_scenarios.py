"""Mistakes in scenario files: an edit of a good file, and what must be said of it.

``§`` marks the line that the message must name; it is taken out before the file is written.
"""

from __future__ import annotations

from typing import NamedTuple

GOOD = """\
name: base
cloud:
  hosts:
    - {name: "h-{n:1-4}", rack: "rack-{n}", vcpus: 16, memory: 64 GiB, disk: 1 TiB, nic: 10 Gbit/s, aggregates: [ssd]}
    - name: big-1
      vcpus: 32
      memory: 128 GiB
      disk: 2 TiB
      aggregates: [fast]
  aggregates:
    - {name: ssd, zone: az1}
    - {name: fast, metadata: {availability_zone: az2}}
  flavors:
    - {name: small, vcpus: 1, memory: 2 GiB, disk: 20 GiB}
  images: [{name: debian}]
  servers:
    - {name: "web-{n:1-4}", flavor: small, host: "h-{n}", image: debian, group: pair}
    - name: db-1
      flavor: small
      host: big-1
  server_groups:
    - {name: pair, policy: anti-affinity}
  network: {kind: leaf_spine}
  nova: {options: {resize_confirm_window: 60}}
plan:
  - name: first
    drain: {hosts: [h-1], concurrency: 2}
  - after: first
    request: {server: web-2, body: {migrate: null}}
run: {seed: 1}
"""


class Mistake(NamedTuple):
    """What is written instead of what; where it is; what must be said."""

    old: str
    new: str
    path: str
    says: tuple[str, ...]


SCENARIO_MISTAKES: dict[str, Mistake] = {
    # YAML itself
    "tab": Mistake("    - name: big-1", "§\t- name: big-1", "", ("not YAML", "indent with spaces")),
    "open bracket": Mistake("aggregates: [fast]\n", "aggregates: [fast\n§", "", ("not YAML", "brackets")),
    "duplicate key": Mistake("      vcpus: 32\n", "      vcpus: 32\n§      vcpus: 16\n", "", ("duplicate key 'vcpus'", "line 6")),
    "server without a name": Mistake("    - name: db-1\n", "§    - name: ''\n", "cloud.servers[1].name", ("a name without a letter",)),
    "host without a name": Mistake("    - name: big-1\n", "§    - name: ' '\n", "cloud.hosts[1].name", ("a name without a letter",)),
    "flavor without a name": Mistake("{name: small, vcpus: 1", "§{name: '', vcpus: 1", "cloud.flavors[0].name", ("a name without a letter",)),
    "more than can be counted": Mistake("vcpus: 32\n", "§vcpus: 1" + "0" * 400 + "\n", "cloud.hosts[1].vcpus", ("a number of 401 digits", "at most")),
    "memory without end": Mistake("memory: 128 GiB\n", "§memory: 1e400 GiB\n", "cloud.hosts[1].memory", ("must be finite",)),
    "rate without end": Mistake("nic: 10 Gbit/s", "§nic: 1e400 Gbit/s", "cloud.hosts[0].nic", ("must be finite",)),
    "ratio without end": Mistake("      vcpus: 32\n", "      vcpus: 32\n§      cpu_allocation_ratio: .inf\n", "cloud.hosts[1].cpu_allocation_ratio", ("is not a number",)),
    "unquoted pattern": Mistake('{name: "h-{n:1-4}"', "§{name: h-{n:1-4}", "", ("not YAML", "in quotes")),
    "two documents": Mistake("plan:\n", "§---\nplan:\n", "", ("not YAML", "one YAML document")),
    "a tag": Mistake("flavor: small\n", "§flavor: !!python/object small\n", "", ("unknown YAML tag", "leave tags out")),
    # keys and types
    "unknown key at the top": Mistake("run: {seed: 1}", "§runs: {seed: 1}", "runs", ("unknown key 'runs'", "did you mean 'run'")),
    "misspelt key": Mistake("      vcpus: 32", "§      vcpu: 32", "cloud.hosts[1].vcpu", ("unknown key 'vcpu'", "did you mean 'vcpus'")),
    "missing key": Mistake("      disk: 2 TiB\n", "", "cloud.hosts[1].disk", ("required key 'disk' is missing", "disk: 2 TiB")),
    "no cloud": Mistake("cloud:\n", "clouds:\n", "cloud", ("required key 'cloud' is missing",)),
    "text for a number": Mistake("      vcpus: 32", "§      vcpus: many", "cloud.hosts[1].vcpus", ("'many' is not a whole number", "like 8")),
    "quoted number": Mistake("      vcpus: 32", '§      vcpus: "32"', "cloud.hosts[1].vcpus", ("'32' is not a whole number", "without quotes")),
    "zero vcpus": Mistake("      vcpus: 32", "§      vcpus: 0", "cloud.hosts[1].vcpus", ("0 is out of range", "at least 1")),
    "half a vcpu": Mistake("      vcpus: 32", "§      vcpus: 1.5", "cloud.hosts[1].vcpus", ("1.5 is not a whole number",)),
    "number for text": Mistake("  - name: first", "§  - name: 1", "plan[0].name", ("1 is not text", 'in quotes: "1"')),
    "list for a mapping": Mistake("network: {kind: leaf_spine}", "§network: [leaf_spine]", "cloud.network", ("is not a mapping", "known keys: kind")),
    "text for a list": Mistake("aggregates: [fast]", "§aggregates: fast", "cloud.hosts[1].aggregates", ("'fast' is not a list", "[fast]")),
    "not a switch": Mistake("concurrency: 2}", "concurrency: 2, disable: maybe}§", "plan[0].drain.disable", ("neither true nor false",)),
    "no hosts": Mistake("drain: {hosts: [h-1]", "§drain: {hosts: []", "plan[0].drain.hosts", ("nothing is here", "at least one")),
    "impossible word": Mistake("policy: anti-affinity", "§policy: antiaffinity", "cloud.server_groups[0].policy", ("'antiaffinity' is not possible", "did you mean 'anti-affinity'")),
    "a fraction above one": Mistake("      host: big-1\n", "      host: big-1\n§      disk_used: 1.5\n", "cloud.servers[1].disk_used", ("1.5 is out of range", "at most 1")),
    # units
    "memory without unit": Mistake("memory: 128 GiB", "§memory: 128", "cloud.hosts[1].memory", ("128 has no unit", "128 GiB")),
    "unknown unit": Mistake("memory: 128 GiB", "§memory: 128 gigs", "cloud.hosts[1].memory", ("unknown unit 'gigs' of size", "GiB")),
    "rate in bytes of size": Mistake("nic: 10 Gbit/s", "§nic: 10 GiB", "cloud.hosts[0].nic", ("unknown unit 'GiB' of rate", "Gbit/s")),
    "time without unit": Mistake("  - after: first", "  - at: 90§\n    after: first", "plan[1].at", ("90 has no unit", "90 s")),
    "negative size": Mistake("memory: 128 GiB", "§memory: -1 GiB", "cloud.hosts[1].memory", ("must not be negative",)),
    "no quantity": Mistake("memory: 128 GiB", "§memory: lots", "cloud.hosts[1].memory", ("'lots' is not a quantity", "64 GiB")),
    "half a GiB of disk": Mistake("disk: 20 GiB}", "disk: 500 MiB}§", "cloud.flavors[0].disk", ("no whole number of GiB", "1 GiB")),
    # patterns
    "range counts backwards": Mistake('"h-{n:1-4}"', '§"h-{n:4-1}"', "cloud.hosts[0].name", ("counts backwards", "1-4")),
    "unknown placeholder": Mistake('rack: "rack-{n}"', '§rack: "rack-{r}"', "cloud.hosts[0].rack", ("unknown placeholder {r}", "{n}")),
    "placeholder without a pattern": Mistake("    - name: db-1", "    - name: db-1\n§      user: \"u{n}\"", "cloud.servers[1].user", ("no placeholders", "pattern")),
    "lonely brace": Mistake('"h-{n:1-4}"', '§"h-{n:1-4"', "cloud.hosts[0].name", ("brace without its partner", "{name:FROM-TO}")),
    "twenty million": Mistake('"h-{n:1-4}"', '§"h-{n:1-20000000}"', "cloud.hosts[0].name", ("20,000,000 names", "at most")),
    # names of other things
    "unknown flavor": Mistake("      flavor: small", "§      flavor: smal", "cloud.servers[1].flavor", ("unknown flavor 'smal'", "did you mean 'small'")),
    "unknown host": Mistake("      host: big-1", "§      host: big-2", "cloud.servers[1].host", ("unknown host 'big-2'", "did you mean 'big-1'")),
    "unknown image": Mistake("image: debian", "§image: debain", "cloud.servers[0].image", ("unknown image 'debain'", "did you mean 'debian'")),
    "unknown group": Mistake("group: pair", "§group: pairs", "cloud.servers[0].group", ("unknown server group 'pairs'", "did you mean 'pair'")),
    "unknown aggregate": Mistake("aggregates: [fast]", "§aggregates: [slow]", "cloud.hosts[1].aggregates", ("unknown aggregate 'slow'", "known: fast, ssd")),
    "unknown zone": Mistake("      host: big-1\n", "      host: big-1\n§      availability_zone: az9\n", "cloud.servers[1].availability_zone", ("unknown zone 'az9'", "did you mean 'az")),
    "more hot pages than working set": Mistake("      host: big-1\n", "      host: big-1\n§      activity: {dirty: 1 MB/s, working_set: 1 MiB, hot: 2 MiB}\n", "cloud.servers[1].activity.hot", ("more than the working set", "1 MiB")),
    "unknown activity": Mistake("      host: big-1\n", "      host: big-1\n§      activity: lazy\n", "cloud.servers[1].activity", ("unknown activity 'lazy'", "idle, web")),
    "unknown profile": Mistake("  network: {", "§  timings: fast\n  network: {", "cloud.timings", ("'fast'", "default")),
    "drained host unknown": Mistake("hosts: [h-1]", "§hosts: [h-9]", "plan[0].drain.hosts[0]", ("'h-9' matches no host", "did you mean")),
    "drained rack unknown": Mistake("hosts: [h-1]", '§hosts: ["rack:rack-9"]', "plan[0].drain.hosts[0]", ("'rack:rack-9' matches no host", "did you mean")),
    "step unknown": Mistake("after: first", "§after: frist", "plan[1].after", ("no step is named 'frist'", "did you mean 'first'")),
    # twice
    "host twice": Mistake("    - name: big-1", "§    - name: h-1", "cloud.hosts[1].name", ("host 'h-1' is there twice", "rename one")),
    "server twice": Mistake("    - name: db-1", "§    - name: web-2", "cloud.servers[1].name", ("server 'web-2' is there twice", "rename one")),
    "flavor twice": Mistake("  images:", "§    - {name: small, vcpus: 2, memory: 2 GiB, disk: 0}\n  images:", "cloud.flavors[1].name", ("'small' is there twice",)),
    # what cannot be
    "two zones": Mistake("aggregates: [fast]", "aggregates: [fast, ssd]", "", ("'big-1' is in the zones az1 and az2", "a host is in one zone")),
    "host and hosts": Mistake("      host: big-1", "§      hosts: [big-1]\n      host: big-1", "cloud.servers[1].hosts", ("host and hosts are both given", "one of them")),
    "too large": Mistake("vcpus: 1, memory: 2 GiB", "vcpus: 1, memory: 2 TiB", "flavor", ("more than any host has", "128 GiB")),
    "resized from nowhere": Mistake("      host: big-1\n", "      host: big-1\n§      vm_state: resized\n", "cloud.servers[1].vm_state", ("came from somewhere", "resized_from")),
    "task that is none": Mistake("      host: big-1\n", "      host: big-1\n§      task_state: moving\n", "cloud.servers[1].task_state", ("no task_state 'moving'",)),
    "task that does not fit": Mistake("      host: big-1\n", "      host: big-1\n§      task_state: unpausing\n", "cloud.servers[1].task_state", ("does not go with vm_state 'active'",)),
    "hostless with a host": Mistake("      host: big-1\n", "      host: big-1\n§      hostless: true\n", "cloud.servers[1].hostless", ("without a host has one",)),
    "no uuid": Mistake("      host: big-1\n", "      host: big-1\n§      uuid: abc\n", "cloud.servers[1].uuid", ("'abc' is no uuid", "leave it out")),
    "all memory reserved": Mistake("      disk: 2 TiB\n", "      disk: 2 TiB\n§      reserved_memory: 128 GiB\n", "cloud.hosts[1].reserved_memory", ("all memory is reserved", "less than 128 GiB")),
    "rule of another policy": Mistake("policy: anti-affinity", "§policy: affinity, rules: {max_server_per_host: 2}", "cloud.server_groups[0].rules.max_server_per_host", ("no meaning for affinity",)),
    "spines of a star": Mistake("network: {kind: leaf_spine}", "§network: {kind: star, spines: 2}", "cloud.network.spines", ("means nothing for kind: star", "leaf_spine")),
    "graph without a file": Mistake("network: {kind: leaf_spine}", "§network: {kind: graph}", "cloud.network.kind", ("needs a file", "GraphML")),
    "cpu policy that is none": Mistake("disk: 20 GiB}", "disk: 20 GiB, extra_specs: {\"hw:cpu_policy\": pinned}}§", "cloud.flavors[0].extra_specs", ("CPU policy requested from 'flavor extra specs' is invalid",)),
    "uneven numa nodes": Mistake("disk: 20 GiB}", "disk: 20 GiB, extra_specs: {\"hw:numa_nodes\": \"2\"}}§", "cloud.flavors[0].extra_specs", ("cannot be evenly distributed",)),
    "amount of a resource": Mistake("disk: 20 GiB}", "disk: 20 GiB, extra_specs: {\"resources:VCPU\": few}}§", 'cloud.flavors[0].extra_specs["resources:VCPU"]', ("'few' is no amount",)),
    "image against flavor": Mistake("images: [{name: debian}]", "images: [{name: debian, properties: {hw_numa_nodes: \"2\"}}]", "cloud.servers[0].image", ("cannot be evenly distributed",)),
    "no address": Mistake("      disk: 2 TiB\n", "      disk: 2 TiB\n§      address: big-1.example.org\n", "cloud.hosts[1].address", ("is no IP address", "10.0.0.17")),
    "more CPUs than there are": Mistake("      disk: 2 TiB\n", "      disk: 2 TiB\n      reserved_vcpus: 4§\n      pinned_vcpus: 30\n", "cloud.hosts[1].reserved_vcpus", ("4 of 32 vcpus less 30 pinned_vcpus",)),
    # the plan
    "two things in one step": Mistake("  - name: first\n", "§  - name: first\n    reboot: {hosts: [h-2]}\n", "plan[0]", ("drain and reboot in one step", "exactly one of")),
    "a step of nothing": Mistake("    request: {server: web-2, body: {migrate: null}}\n", "", "plan[1]", ("the step does nothing", "exactly one of")),
    "after itself": Mistake("  - name: first\n", "  - name: first\n§    after: first\n", "plan[0].after", ("cannot come after itself",)),
    "a circle": Mistake("  - name: first\n    drain: {hosts: [h-1], concurrency: 2}\n  - after: first\n", "  - name: first\n§    after: second\n    drain: {hosts: [h-1]}\n  - name: second\n    after: first\n", "plan[0].after", ("wait for each other", "first → second")),
    "no body": Mistake("request: {server: web-2, body: {migrate: null}}", "§request: {server: web-2}", "plan[1].request", ("a POST has a body", "body: {migrate: null}")),
    "no such microversion": Mistake("body: {migrate: null}}", 'body: {migrate: null}, microversion: "3.1"}', "", ()),
    "drain at no microversion": Mistake("concurrency: 2}", 'concurrency: 2, microversion: "2.999"}§', "plan[0].drain.microversion", ("'2.999' is no microversion", "2.104")),
    "to itself": Mistake("concurrency: 2}", "concurrency: 2, destination: h-1}§", "plan[0].drain.destination", ("one of the hosts to be emptied",)),
    "auto before its time": Mistake("concurrency: 2}", 'concurrency: 2, microversion: "2.20"}§', "plan[0].drain.block_migration", ("auto needs microversion 2.25",)),
    "drain's options of a rolling reboot": Mistake("drain: {hosts: [h-1], concurrency: 2}", "§rolling_reboot: {hosts: [h-1], drain: {concurency: 2}}", "plan[0].rolling_reboot.drain.concurency", ("unknown key 'concurency'", "concurrency")),
    "distribution": Mistake("drain: {hosts: [h-1], concurrency: 2}", "§reboot: {hosts: [h-1], takes: {normal: {mean: 5 min}}}", "plan[0].reboot.takes", ("normal",)),
    "link of no effect": Mistake("drain: {hosts: [h-1], concurrency: 2}", "§link: {links: [\"*\"]}", "plan[0].link", ("neither capacity nor factor", "1 Gbit/s")),
    "workload for ever": Mistake("run: {seed: 1}", "workload:\n§  - {name: users, every: 1 min, lifetime: 1 h}\nrun: {seed: 1}", "workload[0]", ("arrive for ever", "until:")),
    "workload without times": Mistake("run: {seed: 1}", "workload:\n§  - {name: users, count: 3}\nrun: {seed: 1}", "workload[0]", ("every and lifetime missing", "trace: FILE")),
    "masakari's threads": Mistake("drain: {hosts: [h-1], concurrency: 2}", "§evacuate: {hosts: [h-1], by: masakari, concurrency: 9}", "plan[0].evacuate.concurrency", ("Masakari has its own threads", "by: operator")),
    "masakari forces nothing down": Mistake("drain: {hosts: [h-1], concurrency: 2}", "§evacuate: {hosts: [h-1], by: masakari, force_down: true}", "plan[0].evacuate.force_down", ("Masakari has its own way", "by: operator")),
    "on duty for how long": Mistake("drain: {hosts: [h-1], concurrency: 2}", "§evacuate: {hosts: [h-1], again: true}", "plan[0].evacuate.again", ("lasts as long as the run", "run.duration")),
    "faults of nothing": Mistake("run: {seed: 1}", "faults:\n§  - {hosts: [], every: 1 h, repair: 1 h}\nrun: {seed: 1}", "faults[0].hosts", ("nothing is here",)),
    "faults without pause": Mistake("run: {seed: 1}", "faults:\n§  - {every: 1 ms, repair: 0}\nrun: {seed: 1}", "faults[0].every", ("0.001 s between failures", "a second at least")),
    "a sigma beyond numbers": Mistake("run: {seed: 1}", "faults:\n§  - {every: 1 day, repair: {lognormal: {median: 1 h, sigma: 400}}}\nrun: {seed: 1}", "faults[0].repair", ("reaches beyond every number", "lower sigma")),
    "a shape beyond numbers": Mistake("run: {seed: 1}", "faults:\n§  - {every: {weibull: {shape: 0.001, scale: 1 day}}, repair: 1 h}\nrun: {seed: 1}", "faults[0].every", ("reaches beyond every number", "raise shape")),
    "more digits than are read": Mistake("run: {seed: 1}", "§run: {seed: " + 5000 * "9" + "}", "", ("(5000 signs) is no number",)),
    "a tag of another kind": Mistake("run: {seed: 1}", "§run: {seed: !!int seven}", "", ("'seven' is no number",)),
    "negative seed": Mistake("run: {seed: 1}", "§run: {seed: -1}", "run.seed", ("-1 is out of range", "at least 0")),
    # files that it names
    "no such nova.conf": Mistake("nova: {options: {resize_confirm_window: 60}}", "§nova: {conf: nova.cfg}", "cloud.nova.conf", ("no such file: nova.cfg",)),
    "no such policy": Mistake("nova: {options: {resize_confirm_window: 60}}", "§nova: {policy: policy.yml}", "cloud.nova.policy", ("no such file: policy.yml",)),
    "extends nothing": Mistake("name: base\n", "§extends: other.yaml\nname: base\n", "extends", ("no such file: other.yaml",)),
    "extends itself": Mistake("name: base\n", "§extends: scenario.yaml\nname: base\n", "extends", ("in a circle", "take one extends: away")),
    # Nova's options, written in the scenario
    "unknown option": Mistake("resize_confirm_window: 60", "§resize_confirm_windows: 60", "resize_confirm_windows", ("unknown option of Nova", "did you mean")),
    "option's type": Mistake("resize_confirm_window: 60", "§resize_confirm_window: soon", "resize_confirm_window", ("'soon' is wrong", "a whole number, at least 0")),
    "option below its bound": Mistake("resize_confirm_window: 60", "§resize_confirm_window: -5", "resize_confirm_window", ("-5", "at least 0")),
}  # fmt: skip
del SCENARIO_MISTAKES["no such microversion"]  # a request may be wrong on purpose: what Nova answers is simulated
