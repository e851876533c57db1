"""``max_concurrent_disk_ops``: a host fetches, makes and sends so many images at once."""

from __future__ import annotations

from itertools import pairwise

import pytest
from ordinary import ask, cloud, create, lawful, of

from sim.eventlog import records as r
from sim.runs.session import Session

GIB = 2**30
RATE = 100e6
IMAGES = [{"name": "i", "size": "1 GiB"}, {"name": "j", "size": "1 GiB"}]
FETCH_S = GIB / RATE


def slow(at_once: int, *, servers: int = 0) -> Session:
    """One host, local disks, an image service that sends and takes 100 MB/s of each image."""
    return cloud(
        hosts=1, servers=servers, images=IMAGES, options={"compute": {"max_concurrent_disk_ops": at_once}},
        storage={"instances": "local", "image_rate": "100 MB/s"},
    )  # fmt: skip


def steps(session: Session, kind: str) -> list[r.Step]:
    """All steps of that name, in order."""
    return [one for one in session.records() if isinstance(one, r.Step) and one.step == kind]


@pytest.mark.parametrize(("at_once", "fetches"), [(0, (1, 1)), (1, (1, 2)), (2, (1, 1))])
def test_images_are_fetched_so_many_at_once(at_once: int, fetches: tuple[int, int]) -> None:
    """The host's link is never full here, so two together take as long as one."""
    session = slow(at_once)
    for name, image in (("a", "i"), ("b", "j")):
        assert create(session, name, imageRef=image).code == 202
    session.settle()
    fetched = steps(session, "image")
    first = min(one.began for one in fetched)
    assert [one.t - first for one in fetched] == pytest.approx([n * FETCH_S for n in fetches], rel=0.05)
    waits = [one for one in session.records() if isinstance(one, r.Waited) and one.queue == "disk_ops:h1"]
    assert len(waits) == (at_once == 1)
    lawful(session)


def test_who_needs_the_image_that_waits_for_its_turn_waits_with_it() -> None:
    session = slow(1)
    for name, image in (("a", "i"), ("b", "j"), ("c", "j")):
        create(session, name, imageRef=image)
    session.settle()
    assert len(steps(session, "image")) == 2, "each image is fetched once"
    waits = {name: [one.queue for one in of(session, r.Waited, name)] for name in "bc"}
    assert sorted(waits.values()) == [["disk_ops:h1"], ["image"]]
    assert {session.server(name).status for name in "abc"} == {"ACTIVE"}
    lawful(session)


def test_a_snapshot_is_made_and_sent_when_no_image_is_fetched() -> None:
    session = slow(1, servers=1)
    session.request("vm1", {"createImage": {"name": "copy"}}, microversion="2.90")
    create(session, "a", imageRef="j")
    session.settle()
    spans = sorted((one.began, one.t) for kind in ("image", "snapshot", "upload") for one in steps(session, kind))
    assert len(spans) == 3
    assert all(end <= begin for (_, end), (begin, _) in pairwise(spans))
    lawful(session)


def test_whoever_waits_on_a_host_that_dies_gets_no_turn_there() -> None:
    session = slow(1)
    for name, image in (("a", "i"), ("b", "j")):
        create(session, name, imageRef=image)
    session.run_for(FETCH_S / 2)
    session.fail("h1", "crash")
    session.run_for(1000)
    assert len(steps(session, "image")) == 1, "b's was never begun"
    session.repair("h1")
    session.run_for(60)
    assert {session.server(name).status for name in "ab"} == {"ERROR"}
    create(session, "c", imageRef="j")
    session.settle()
    assert session.server("c").status == "ACTIVE"
    assert ask(session, "c", {"os-stop": None}).code == 202
    lawful(session)
