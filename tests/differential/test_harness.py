"""The parts of the comparison that need no real Nova: what is drawn, what is found, what a difference shrinks to."""

from __future__ import annotations

import copy

from tests.differential.compare import first_difference
from tests.differential.midst import sequences
from tests.differential.our_side import OurSide
from tests.differential.sequences import Sequence, as_json, draw_sequence, of_json
from tests.differential.shrink import fewest, shrink


def test_a_seed_draws_one_sequence() -> None:
    drawn = [draw_sequence(seed) for seed in range(40)]
    assert drawn == [draw_sequence(seed) for seed in range(40)]
    assert len({str(one) for one in drawn}) == 40
    assert [of_json(as_json(one)) for one in drawn] == drawn


def test_what_is_drawn_has_something_of_everything() -> None:
    drawn = [draw_sequence(seed) for seed in range(0, 1500, 3)]
    steps = [step for one in drawn for step in one.steps]
    words = {step.get("method") or step["op"] + "".join(step.get("body") or ()) for step in steps}
    assert {"dead", "back", "wait", "service", "open", "create", "DELETE", "requestevacuate", "requestos-migrateLive",
            "requestrevertResize", "requestunshelve", "requestforce_complete"} <= words  # fmt: skip
    assert any("hold" in step for step in steps)
    assert any(step.get("crash") for step in steps)
    assert any(one.stage["fails"] for one in drawn)
    assert {name for one in drawn for name in one.stage["options"]} >= {"DEFAULT.migrate_max_retries", "quota.cores"}


def test_the_fewest_that_still_show_it() -> None:
    assert fewest(list(range(50)), lambda kept: {7, 31} <= set(kept)) == [7, 31]


def test_a_difference_is_found_at_its_step_and_shrinks_to_its_cause() -> None:
    """A made-up Nova that never answers a stop: nothing but the stop remains."""
    sequence = next(one for name, one in sequences() if name == "os-stop held in power_off: deleted")
    steps = [step for step in sequence.steps if "hold" not in step and step["op"] != "open"]
    stop = {"op": "request", "server": "s1", "microversion": "2.90", "who": "admin", "body": {"os-stop": None}}
    lock = stop | {"body": {"lock": None}}
    sequence = Sequence(sequence.stage, [lock, stop, *[step | {"during": False} for step in steps]])

    def differs(one: Sequence) -> bool:
        held = [{"held": False, "counted": []}] * (1 + len(one.steps))
        ours = OurSide().play(one, held)
        nova = copy.deepcopy(ours)
        for row, step in zip(nova[1:], one.steps, strict=True):
            if step.get("body") == {"os-stop": None}:
                row["answer"]["code"] = 500
        found = first_difference(one, nova, ours)
        assert found is None or one.steps[found.step] == stop
        return found is not None

    assert shrink(sequence, differs, last=2).steps == [stop]
