"""Real Nova and the simulator, side by side: `python -m tests.differential --seed 1 --n 100`.

Draws N sequences of requests from the seed, plays them to both, and prints what differs, grouped, each group with its
shortest sequence. Ends with 1 if a difference is not explained.
"""

from __future__ import annotations

import argparse
import json
import pathlib
import sys
import time
import traceback
from typing import Any

from tests.differential.compare import Difference, Part, first_difference
from tests.differential.explained import explanation
from tests.differential.nova_side import NovaSide
from tests.differential.our_side import OurSide
from tests.differential.sequences import Sequence, as_json, draw_sequence, of_json
from tests.differential.shrink import shrink

_SHOWN = 1200


class Differ:
    """Both sides. A breakdown of the simulator is a difference as well."""

    def __init__(self) -> None:
        self.nova, self.ours = NovaSide(), OurSide()

    def difference(self, sequence: Sequence) -> Difference | None:
        """Play a sequence on both sides."""
        nova = self.nova.play(sequence)
        try:
            ours = self.ours.play(sequence, nova)
        except Exception:
            broke = traceback.format_exc().strip().split("\n")
            return Difference(len(sequence.steps) - 1, "breakdown", (Part(None, broke[-1], None, "\n".join(broke)),))
        return first_difference(sequence, nova, ours)

    def shortest(self, sequence: Sequence, difference: Difference) -> Sequence:
        """The smallest sequence with a difference of the same kind."""

        def shows(smaller: Sequence) -> bool:
            found = self.difference(smaller)
            return found is not None and found.kind == difference.kind

        return shrink(sequence, shows, last=difference.step)


def tell(seed: int, sequence: Sequence, difference: Difference) -> str:
    """A difference for people: what to type to see it again, the sequence, what differs."""
    lines = [f"seed {seed}: step {difference.step + 1}", f"  stage {json.dumps(sequence.stage)}"]
    lines += [f"  {number + 1}. {json.dumps(step)}" for number, step in enumerate(sequence.steps)]
    for part in difference.parts:
        where = "answer" if part.server is None else part.server
        lines.append(f"  {where} {part.what}")
        lines.append(f"    nova {_short(part.nova)}")
        lines.append(f"    ours {_short(part.ours)}")
    return "\n".join(lines)


def _short(value: Any) -> str:
    text = value if isinstance(value, str) else json.dumps(value)
    return text if len(text) <= _SHOWN else text[:_SHOWN] + " …"


def main() -> int:
    """Play, report, and say by the exit code whether all is explained."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seed", type=int, default=1, help="the first sequence's seed is a thousand times this")
    parser.add_argument("--n", type=int, default=2000, help="how many sequences")
    parser.add_argument("--shrink", type=int, default=1, help="how many of each group of differences to shrink")
    parser.add_argument("--again", type=pathlib.Path, help="play the sequence in this JSON file")
    arguments = parser.parse_args()
    differ = Differ()
    groups: dict[str, list[int]] = {}
    explained: dict[str, int] = {}
    began = time.monotonic()
    if arguments.again is not None:
        plan = [(0, of_json(json.loads(arguments.again.read_text("utf-8"))))]
    else:
        first = arguments.seed * 1000
        plan = [(seed, draw_sequence(seed)) for seed in range(first, first + arguments.n)]
    played = 0
    try:
        for seed, sequence in plan:
            found = differ.difference(sequence)
            played += 1
            reason = explanation(found) if found is not None else None
            if reason is not None:
                explained[reason.name] = explained.get(reason.name, 0) + 1
            elif found is not None:
                seeds = groups.setdefault(found.signature, [])
                seeds.append(seed)
                if len(seeds) <= arguments.shrink:
                    _show_shortest(differ, seed, sequence, found)
        differ.nova.close()
    except KeyboardInterrupt:
        print("interrupted", flush=True)
    _sum_up(played, time.monotonic() - began, groups, explained)
    return 1 if groups else 0


def _show_shortest(differ: Differ, seed: int, sequence: Sequence, found: Difference) -> None:
    smallest = differ.shortest(sequence, found)
    again = differ.difference(smallest)
    print(tell(seed, smallest, again or found), flush=True)
    print(f"  as JSON: {json.dumps(as_json(smallest))}", flush=True)


def _sum_up(played: int, took_s: float, groups: dict[str, list[int]], explained: dict[str, int]) -> None:
    differing = sum(map(len, groups.values()))
    print(f"{played} sequences in {took_s:.0f} s; {differing} differ without explanation, in {len(groups)} ways; "
          f"{sum(explained.values())} differ as explained")  # fmt: skip
    for name, count in explained.items():
        print(f"  {count} × explained: {name}")
    for signature, seeds in sorted(groups.items(), key=lambda group: -len(group[1])):
        print(f"  {len(seeds)} × {signature[:400]}\n      seeds {seeds[:8]}")


if __name__ == "__main__":
    sys.exit(main())
