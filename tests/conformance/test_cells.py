"""Every recorded cell: a server in a state, a request of some microversion, and what real Nova made of it."""

from __future__ import annotations

import pytest

from tests.conformance.cells import differences
from tests.conformance.recordings import LIVES, MATRIX, ORACLE, REQUESTS, copied, is_here, rows

FILES = (*MATRIX, *REQUESTS)


@pytest.mark.parametrize("name", FILES)
def test_every_cell_is_answered_as_nova_answered_it(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    wrong, total = [], 0
    for row in copied(name):
        total += 1
        found = differences(row)
        if found:
            where = f"{row['action']} {row.get('state') or row.get('case')} {row.get('who', '')} {row['microversion']}"
            wrong.append("\n    ".join((where, *found)))
    with capsys.disabled():
        print(f"{name}: {total - len(wrong)} of {total} cells match")
    assert not wrong, "\n".join(wrong[:20])


@pytest.mark.skipif(not is_here(FILES[0]), reason=f"no recordings at {ORACLE}")
@pytest.mark.parametrize("name", [*FILES, *LIVES])
def test_the_copy_is_the_recording(name: str) -> None:
    assert copied(name) == rows(name), "make the copy anew: python -m tests.conformance.recordings"


def test_a_wrong_answer_is_found() -> None:
    """The comparison itself: every part of a cell, changed, is missed."""
    row = next(r for r in copied("matrix_a") if r["action"] == "migrate" and r["state"] == "ACTIVE")
    assert not differences(row)
    for part, value in (
        ("code", 409), ("message", "no"), ("instance_action", "resize"), ("moved_to", None),
        ("after", {**row["after"], "status": "ACTIVE"}), ("new_migrations", []), ("response_body", {}),
        ("failed_events", [{"event": "cold_migrate", "details": "no"}]),
    ):  # fmt: skip
        assert differences({**row, part: value}), part
