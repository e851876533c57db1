"""What extra specs and image properties say of a guest's CPUs and NUMA nodes, as Nova reads them.

``hw:cpu_policy`` dedicated pins every vCPU to a host CPU of its own (PCPU), mixed those of a mask. Pinned CPUs, pages
of a size and ``hw:numa_nodes`` give the guest NUMA nodes, each of which needs one of the host's with enough room.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple


class GuestNode(NamedTuple):
    """One NUMA node of a guest."""

    shared: int
    """vCPUs that float over the host node's shared CPUs."""
    pinned: int
    """vCPUs pinned to host CPUs; with the emulator's own, if it has one."""
    memory_mb: int
    exact: bool = False
    """Memory that is never overcommitted: that of pinned vCPUs, and pages of a stated size."""


class GuestCpus(NamedTuple):
    """What placement counts of a guest's CPUs, and its NUMA nodes."""

    vcpus: int
    pcpus: int
    nodes: tuple[GuestNode, ...] = ()


Texts = Mapping[str, str]


def guest_cpus(vcpus: int, memory_mb: int, specs: Texts, properties: Texts) -> GuestCpus:
    """CPUs and nodes of a guest by its flavor's extra specs and its image's properties.

    Raises ValueError, with Nova's words, for what Nova refuses.
    """
    policy = _policy(specs, properties)
    if "resources:PCPU" in specs:
        policy = "dedicated"
    pinned = _pinned(policy, vcpus, specs, properties)
    extra = int(bool(pinned) and specs.get("hw:emulator_threads_policy") == "isolate")
    counted = vcpus - len(pinned), len(pinned) + extra
    paged = bool(specs.get("hw:mem_page_size"))
    number = _node_count(specs, properties)
    if not (number or paged or pinned):
        return GuestCpus(*counted)
    nodes: list[GuestNode] = []
    for place, (cpus, memory) in enumerate(_split(number or 1, vcpus, memory_mb, specs)):
        own = len(cpus & pinned)
        nodes.append(GuestNode(len(cpus) - own, own + (extra if place == 0 else 0), memory, bool(pinned) or paged))
    return GuestCpus(*counted, tuple(nodes))


def _policy(specs: Texts, properties: Texts) -> str | None:
    flavors, images = specs.get("hw:cpu_policy"), properties.get("hw_cpu_policy")
    known = ("dedicated", "shared", "mixed")
    for source, found in (("flavor extra specs", flavors), ("image properties", images)):
        if found and found not in known:
            raise ValueError(
                f"CPU policy requested from '{source}' is invalid, given: '{found}', available: '{known}'."
            )
    forbidden = {"mixed": ("dedicated",), "shared": ("mixed", "dedicated")}.get(flavors or "", ())
    if images in forbidden:
        raise ValueError("Image property 'hw_cpu_policy' is not permitted to override CPU pinning policy set against "
                         "the flavor")  # fmt: skip
    return flavors or images


def _pinned(policy: str | None, vcpus: int, specs: Texts, properties: Texts) -> frozenset[int]:
    """Which vCPUs are pinned."""
    if policy == "dedicated":
        return frozenset(range(vcpus))
    if policy != "mixed":
        return frozenset()
    realtime = specs.get("hw:cpu_realtime", "").lower() in {"yes", "true", "1", "on"}
    masks = [specs.get("hw:cpu_dedicated_mask")]
    if realtime:
        masks.append(properties.get("hw_cpu_realtime_mask") or specs.get("hw:cpu_realtime_mask"))
    found = [mask for mask in masks if mask]
    if len(found) != 1:
        raise ValueError("Dedicated CPU set can be specified from either 'hw:cpu_dedicated_mask' or "
                         "'hw:cpu_realtime_mask' when using 'mixed' CPU policy. 'hw:cpu_dedicated_mask' and "
                         "'hw:cpu_realtime_mask' can not be specified at the same time, or be specified with none of "
                         "them.")  # fmt: skip
    mask = found[0].strip()
    pinned = cpu_list(f"0-{vcpus - 1},{mask}" if mask.startswith("^") else mask)
    if not pinned or not pinned < frozenset(range(vcpus)):
        raise ValueError("Mixed instance must have at least 1 pinned vCPU and 1 unpinned vCPU. See "
                         "'hw:cpu_dedicated_mask'.")  # fmt: skip
    return pinned


def _node_count(specs: Texts, properties: Texts) -> int:
    flavors, images = specs.get("hw:numa_nodes"), properties.get("hw_numa_nodes")
    if flavors and images:
        raise ValueError("Image property 'hw_numa_nodes' is not permitted to override NUMA configuration set against "
                         "the flavor")  # fmt: skip
    text = flavors or images
    if not text:
        return 0
    if not str(text).isdecimal() or int(text) < 1:
        raise ValueError(f"The property 'numa_nodes' cannot be '{text}'. It must be a number greater than 0")
    return int(text)


def _split(count: int, vcpus: int, memory_mb: int, specs: Texts) -> list[tuple[frozenset[int], int]]:
    """vCPUs and memory of each node: as listed, else even shares."""
    cpus, memories = _numbered("hw:numa_cpus", specs), _numbered("hw:numa_mem", specs)
    if not cpus and not memories:
        if vcpus % count or memory_mb % count:
            raise ValueError("Instance CPUs and/or memory cannot be evenly distributed across instance NUMA nodes. "
                             "Explicit assignment of CPUs and memory to nodes is required")  # fmt: skip
        share = vcpus // count
        return [(frozenset(range(i * share, (i + 1) * share)), memory_mb // count) for i in range(count)]
    if len(cpus) != count or len(memories) != count:
        raise ValueError("CPU and memory allocation must be provided for all NUMA nodes")
    nodes = [(cpu_list(text), int(memory)) for text, memory in zip(cpus, memories, strict=True)]
    if sorted(cpu for own, _ in nodes for cpu in own) != list(range(vcpus)):
        raise ValueError("each of the CPUs must be assigned to one NUMA node (hw:numa_cpus)")
    total = sum(memory for _, memory in nodes)
    if total != memory_mb:
        raise ValueError(f"{total} MB of memory assigned, but expected {memory_mb} MB")
    return nodes


def _numbered(key: str, specs: Texts) -> list[str]:
    """``key.0``, ``key.1``, … as far as they go."""
    found: list[str] = []
    while f"{key}.{len(found)}" in specs:
        found.append(specs[f"{key}.{len(found)}"])
    return found


def cpu_list(text: str) -> frozenset[int]:
    """``0-3,^2,8`` → {0, 1, 3, 8}. Raises ValueError for what is no list of CPUs."""
    wanted: set[int] = set()
    unwanted: set[int] = set()
    for rule in filter(None, (part.strip() for part in text.split(","))):
        chosen = unwanted if rule.startswith("^") else wanted
        first, dash, last = rule.removeprefix("^").partition("-")
        try:
            chosen.update(range(int(first), int(last or first) + 1) if dash else [int(first)])
        except ValueError:
            raise ValueError(f"{rule!r} is no CPU, and no range of CPUs like 0-3") from None
    return frozenset(wanted - unwanted)
