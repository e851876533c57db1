"""Each action's own checks: flavors, images, quotas, zones, hosts, counts, states, and what is begun when all is well.

Expected values: Nova 34's ``compute/api.py``, ``api/openstack/compute/`` and ``exception.py``.
"""

from __future__ import annotations

from typing import Any

import pytest
from door_cloud import NO_LIMITS, ask, cloud, create

GIB = 1 << 30


# --- resize -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("server", "flavor", "code", "message"),
    [
        ({}, "huge", 400, "Flavor huge could not be found."),
        ({}, "small", 400, "When resizing, instances must change flavor!"),
        (
            {}, "diskless", 400,
            "Server disk was unable to be resized because: Resize to zero disk flavor is not allowed.",
        ),
        ({"boot_from": "volume"}, "diskless", 202, None),
        ({}, "large", 202, None),
        (
            {"flavor": "large"}, "small", 400, "Flavor's disk is smaller than the minimum size specified in image "
            f"metadata. Flavor disk is {GIB} bytes, minimum size is {20 * GIB} bytes.",
        ),
        ({"flavor": "large", "boot_from": "volume"}, "small", 202, None),
        (
            {"flavor": "large", "image": "hungry", "boot_from": "volume"}, "small", 400,
            "Flavor's memory is too small for requested image.",
        ),
        ({"image": None}, "large", 202, None),
        ({"vm_state": "error"}, "large", 409, "Cannot 'resize' instance {uuid} while it is in vm_state error"),
    ],
)  # fmt: skip
def test_resizes(server: dict[str, Any], flavor: str, code: int, message: str | None) -> None:
    session = cloud(server)
    answer = ask(session, "resize", {"flavorRef": flavor})
    expected = None if message is None else message.format(uuid=session.server("vm1").uuid)
    assert (answer.code, answer.message) == (code, expected)


def test_after_a_resize_the_first_flavor_s_disk_is_still_the_least() -> None:
    """``image_min_disk`` in the system metadata is written once, at the create."""
    session = cloud()
    assert ask(session, "resize", {"flavorRef": "large"}).code == 202
    session.settle()
    assert ask(session, "confirmResize").code == 204
    session.settle()
    assert ask(session, "resize", {"flavorRef": "small"}).code == 202


def test_a_resize_needs_a_host_that_is_up_and_a_migration_too() -> None:
    hosts = [{"name": "h1", "vcpus": 8, "memory": "16 GiB", "disk": "100 GiB", "service": {"forced_down": True}},
             {"name": "h2", "vcpus": 8, "memory": "16 GiB", "disk": "100 GiB"}]  # fmt: skip
    session = cloud(hosts=hosts)
    for key, argument in (("resize", {"flavorRef": "large"}), ("migrate", None)):
        answer = ask(session, key, argument)
        assert (answer.code, answer.message) == (409, "Service is unavailable at this time.")


def test_a_resize_within_quota_and_beyond_it() -> None:
    """``_check_quota_for_upsize``: only what grows is asked for, all of it is counted."""
    options = {"quota.instances": -1, "quota.cores": 4, "quota.ram": 8192}
    session = cloud({}, {}, options=options)
    answer = ask(session, "resize", {"flavorRef": "large"})
    assert (answer.code, answer.message, answer.fault_name) == (
        403, "Quota exceeded for cores: Requested 3, but already used 2 of 4 cores", "forbidden",
    )  # fmt: skip
    other = cloud({}, {"project": "other"}, options=options)
    assert ask(other, "resize", {"flavorRef": "large"}).code == 202
    without = cloud({}, {}, options={**options, "quota.driver": "nova.quota.NoopQuotaDriver"})
    assert ask(without, "resize", {"flavorRef": "large"}).code == 202


def test_resources_over_quota_are_named_in_order() -> None:
    session = cloud(options={"quota.instances": -1, "quota.cores": 1, "quota.ram": 600})
    assert ask(session, "resize", {"flavorRef": "large"}).message == (
        "Quota exceeded for cores, ram: Requested 3, 3584, but already used 1, 512 of 1, 600 cores, ram"
    )


# --- create -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("spec", "code", "message"),
    [
        ({}, 202, None),
        ({"flavorRef": "huge"}, 400, "Flavor huge could not be found."),
        ({"imageRef": "none"}, 400, "Can not find requested image"),
        ({"imageRef": ""}, 400, "Missing imageRef attribute"),
        (
            {"imageRef": "fat"}, 400, f"Flavor's disk is too small for requested image. Flavor disk is {GIB} bytes, "
            f"image is {8 * GIB} bytes.",
        ),
        ({"imageRef": "hungry"}, 400, "Flavor's memory is too small for requested image."),
        (
            {"imageRef": "deep"}, 400, "Flavor's disk is smaller than the minimum size specified in image metadata. "
            f"Flavor disk is {GIB} bytes, minimum size is {10 * GIB} bytes.",
        ),
        ({"flavorRef": "diskless"}, 403, "Only volume-backed servers are allowed for flavors with zero disk."),
        ({"min_count": 3, "max_count": 2}, 400, "min_count must be <= max_count"),
        ({"availability_zone": "north"}, 400, "The requested availability zone is not available"),
        ({"availability_zone": "a:b:c:d"}, 400, "Invalid input received: Unable to parse availability_zone"),
        ({"max_count": 2, "hostname": "one"}, 400, "Unable to allocate a single hostname to multiple instances"),
        ({"name": " x"}, 400, "An invalid 'name' value was provided. The name must be: printable characters. Can not "
         "start or end with whitespace."),
    ],
)  # fmt: skip
def test_creates(spec: dict[str, Any], code: int, message: str | None) -> None:
    answer = create(cloud(), **spec)
    assert (answer.code, answer.message) == (code, message)


def test_a_server_that_boots_from_a_volume_made_of_an_image() -> None:
    session = cloud()

    def answer(image: str, flavor: str) -> tuple[int, str | None]:
        volume = {"boot_index": 0, "uuid": image, "source_type": "image", "destination_type": "volume"}
        found = create(session, imageRef="", flavorRef=flavor, block_device_mapping_v2=[volume])
        return found.code, found.message

    assert answer("none", "small") == (400, "Block Device Mapping is Invalid: failed to get image none.")
    assert answer("hungry", "small") == (400, "Flavor's memory is too small for requested image.")
    assert answer("fat", "diskless") == (202, None), "the volume has a size of its own"
    session.settle()
    assert session.allocations("new")[session.server("new").host or ""]["DISK_GB"] == 0


def test_a_create_by_an_administrator_goes_where_it_says() -> None:
    session = cloud()
    admin = ("admin",)
    assert create(session, roles=admin, name="forced", availability_zone="west:h3").code == 202
    assert create(session, roles=admin, name="asked", host="h4").code == 202
    assert create(session, roles=admin, name="both", host="h4", availability_zone="west:h3").message == (
        "One mechanism with host and/or hypervisor_hostname and another mechanism with zone:host:node are mutually "
        "exclusive."
    )
    assert create(session, roles=admin, host="h9").message == "Compute host h9 could not be found."
    assert create(session, name="zoned", availability_zone="west").code == 202
    session.settle()
    assert {s.name: s.host for s in session.servers()}.items() >= {"forced": "h3", "asked": "h4"}.items()
    assert session.server("zoned").host in {"h3", "h4"}


def test_a_zone_with_disabled_hosts_alone_is_not_available() -> None:
    session = cloud()
    door, env = session._cloud.door, session._cloud.env
    for host in (2, 3):
        env.process(door.service(host, disabled=True))
    session.run_for("10 s")
    assert create(session, availability_zone="west").message == "The requested availability zone is not available"


def test_how_many_are_created_is_up_to_the_quota() -> None:
    """``check_num_instances_quota``: as many as there is room for, but not fewer than min_count."""
    options = {"quota.instances": 4, "quota.cores": -1, "quota.ram": -1}
    session = cloud({}, options=options)
    assert create(session, min_count=2, max_count=9).code == 202
    session.settle()
    assert [s.name for s in session.servers()] == ["vm1", "new-1", "new-2", "new-3"]
    answer = create(session)
    assert (answer.code, answer.message) == (
        403, "Quota exceeded for instances: Requested 1, but already used 4 of 4 instances"
    )  # fmt: skip
    assert create(session, min_count=2, max_count=5).message == (
        "Quota exceeded for instances: Requested 2-5, but already used 4 of 4 instances"
    )
    assert session.request("new-1", None, method="DELETE").code == 204
    session.settle()
    assert create(session).code == 202


def test_cores_and_memory_count_too() -> None:
    session = cloud({}, options={"quota.instances": -1, "quota.cores": 4, "quota.ram": 2048})
    assert create(session, flavorRef="large", imageRef="tiny").message == (
        "Quota exceeded for cores, ram: Requested 4, 4096, but already used 1, 512 of 4, 2048 cores, ram"
    )


def test_what_a_create_answers() -> None:
    session = cloud()
    answer = create(session)
    assert set(answer.body["server"]) == {"id", "OS-DCF:diskConfig", "adminPass"}
    assert session.server(answer.body["server"]["id"]).name == "new"
    assert set(create(session, return_reservation_id=True).body) == {"reservation_id"}
    plain = cloud(options={**NO_LIMITS, "api.enable_instance_password": False})
    assert "adminPass" not in create(plain).body["server"]


# --- delete and restore -----------------------------------------------------------------------------------------------


def test_a_delete_at_once_where_no_host_is_asked() -> None:
    """``_delete``: never on a host: gone, without an action. Host down: gone by the API alone."""
    session = cloud({"hostless": True, "vm_state": "building", "task_state": "scheduling", "host": None})
    assert session.request("vm1", None, method="DELETE").code == 204
    assert session.server("vm1").vm_state == "deleted"
    assert session.actions("vm1") == []
    down = cloud(hosts=[{"name": "h1", "vcpus": 8, "memory": "16 GiB", "disk": "100 GiB",
                         "service": {"forced_down": True}}])  # fmt: skip
    assert down.request("vm1", None, method="DELETE").code == 204
    assert down.server("vm1").vm_state == "deleted"
    assert [a.action for a in down.actions("vm1")] == ["delete"]
    assert down.allocations("vm1") == {}


def test_a_resize_that_waits_is_confirmed_before_the_delete() -> None:
    session = cloud({"vm_state": "resized", "host": "h2", "resized_from": "h1"})
    assert session.request("vm1", None, method="DELETE").code == 204
    session.settle()
    assert session.server("vm1").vm_state == "deleted"
    assert [a.action for a in session.actions("vm1")] == ["confirmResize", "delete"]
    assert [m.status for m in session.migrations("vm1")] == ["confirmed"]


def test_a_second_delete_is_taken_and_ignored() -> None:
    session = cloud({"task_state": "deleting"})
    assert session.request("vm1", None, method="DELETE").code == 204
    session.settle()
    assert session.actions("vm1") == []


def test_deferred_deletes_and_the_way_back() -> None:
    options = {**NO_LIMITS, "reclaim_instance_interval": 3600, "quota.instances": 1}
    session = cloud(options=options)
    assert session.request("vm1", None, method="DELETE").code == 204
    session.run_for("60 s")
    assert session.server("vm1").status == "SOFT_DELETED"
    assert create(session).code == 202, "what is soft-deleted does not count"
    session.run_for("120 s")
    answer = ask(session, "restore")
    assert (answer.code, answer.message) == (
        403, "Quota exceeded for instances: Requested 1, but already used 1 of 1 instances"
    )  # fmt: skip
    assert session.request("new", None, method="DELETE").code == 204
    session.run_for("60 s")
    assert ask(session, "restore").code == 202
    session.run_for("60 s")
    assert session.server("vm1").status == "ACTIVE"


# --- shelve, rescue, images -------------------------------------------------------------------------------------------


def test_unshelving_somewhere_else() -> None:
    """``unshelve``: zone from 2.77, host from 2.91 and for administrators, only for what has left its host."""
    session = cloud({"vm_state": "shelved_offloaded", "host": None}, {"vm_state": "shelved"})
    uuid = session.server("vm2").uuid
    assert ask(session, "unshelve", {"availability_zone": "west"}, server="vm2").message == (
        f'Specifying an availability zone or a host when unshelving server "{uuid}" with status "shelved" is not '
        "supported. The server status must be SHELVED_OFFLOADED."
    )
    assert ask(session, "unshelve", {"availability_zone": "north"}).message == (
        "The requested availability zone is not available"
    )
    assert ask(session, "unshelve", {"host": "h3"}, version="2.91", roles=("member",)).message == (
        "Policy doesn't allow os_compute_api:os-shelve:unshelve_to_host to be performed."
    )
    assert ask(session, "unshelve", {"host": "h9"}, version="2.91").message == "Compute host h9 could not be found."
    wrong = ask(session, "unshelve", {"host": "h1", "availability_zone": "west"}, version="2.91")
    assert (wrong.code, wrong.message) == (409, 'Host "h1" is not in the availability zone "west".')
    assert ask(session, "unshelve", {}, version="2.77").code == 400
    assert ask(session, "unshelve", {"host": "h3", "availability_zone": "west"}, version="2.91").code == 202
    session.settle()
    assert (session.server("vm1").status, session.server("vm1").host) == ("ACTIVE", "h3")


def test_rescues() -> None:
    session = cloud({}, {"boot_from": "volume"}, {})
    answer = ask(session, "rescue", {"adminPass": "secret"})
    assert (answer.code, answer.body) == (200, {"adminPass": "secret"})
    uuid = session.server("vm2").uuid
    assert ask(session, "rescue", server="vm2").message == (
        f"Instance {uuid} cannot be rescued: Cannot rescue a volume-backed instance"
    )
    assert ask(session, "rescue", {"rescue_image_ref": "none"}, server="vm3").message == (
        "Requested rescue image 'none' is not supported"
    )


def test_images_of_servers() -> None:
    session = cloud({}, {}, {"boot_from": "volume"}, {"vm_state": "rescued"})
    assert ask(session, "createImage", {"name": "i"}, version="2.44").body is None
    assert set(ask(session, "createImage", {"name": "i"}, server="vm2", version="2.45").body) == {"image_id"}
    assert session.server("vm2").task_state in {"image_snapshot_pending", "image_snapshot", "image_pending_upload"}
    assert ask(session, "createImage", {"name": "i"}, server="vm3").code == 202
    assert session.server("vm3").task_state is None
    assert [e.event for e in session.actions("vm3")[0].events] == ["api_snapshot_instance"]
    assert ask(session, "createImage", {"name": "i"}, server="vm4").code == 409
    assert ask(session, "createImage", {}).message == (
        "Invalid input for field/attribute createImage. Value: {}. 'name' is a required property"
    )


# --- the rest ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("key", "argument", "word"), [("os-start", None, "start"), ("os-stop", None, "stop"), ("resume", None, "resume")]
)
def test_what_nova_calls_an_action(key: str, argument: object, word: str) -> None:
    session = cloud({"vm_state": "rescued"})
    assert ask(session, key, argument).message == (
        f"Cannot '{word}' instance {session.server('vm1').uuid} while it is in vm_state rescued"
    )


def test_a_hard_reboot_in_the_midst_of_things() -> None:
    """``ALLOW_REBOOT`` of Nova's ``compute/task_states.py``."""
    for task, code in (("rebooting", 202), ("pausing", 202), ("resuming", 202), ("powering-off", 409)):
        session = cloud({"task_state": task})
        assert ask(session, "reboot", {"type": "HARD"}).code == code, task
        assert ask(session, "reboot", {"type": "Soft"}).code == 409, task


def test_a_server_without_a_host_is_noticed_late_by_most_actions() -> None:
    """``_compute_host`` of Nova's ``compute/rpcapi.py``, after task and action have been written."""
    session = cloud({"vm_state": "shelved_offloaded", "host": None})
    assert ask(session, "os-resetState", {"state": "active"}).code == 202
    answer = ask(session, "os-stop")
    assert (answer.code, answer.message) == (409, f"Instance {session.server('vm1').uuid} is not ready")
    answer = ask(session, "pause")
    assert (answer.code, answer.fault_name) == (500, "computeFault")
    assert answer.message == (
        "Unexpected API Error. Please contact the administrator\n<class 'nova.exception.NovaException'>"
    )
    assert session.server("vm1").task_state == "pausing"
    assert [a.action for a in session.actions("vm1")] == ["resetState", "pause"]


def test_a_server_that_never_ran_is_in_no_state_for_most_actions() -> None:
    session = cloud()
    assert create(session, flavorRef="large", imageRef="tiny", max_count=1, name="big").code == 202
    session.settle()
    session2 = cloud({"hostless": True, "vm_state": "error", "host": None})
    uuid = session2.server("vm1").uuid
    assert ask(session2, "os-resetState", {"state": "active"}).code == 202
    assert ask(session2, "pause").message == f"Instance {uuid} is in an invalid state for 'pause'"
    assert ask(session2, "evacuate", {}).message == "The target host can't be the same one."


def test_evacuation_wants_services_that_can_leave_a_server_stopped() -> None:
    hosts = [{"name": "h1", "vcpus": 8, "memory": "16 GiB", "disk": "100 GiB", "service": {"forced_down": True}},
             {"name": "h2", "vcpus": 8, "memory": "16 GiB", "disk": "100 GiB", "service_version": 61}]  # fmt: skip
    session = cloud(hosts=hosts)
    answer = ask(session, "evacuate", {}, version="2.95")
    assert (answer.code, answer.message) == (
        400, "Starting with microversion 2.95, evacuate API will stop instance on destination. To evacuate before "
        "upgrades are complete please use an older microversion. Required version for compute 62, current version 61",
    )  # fmt: skip
    assert ask(session, "evacuate", {}, version="2.94").code == 200


def test_passwords_of_evacuated_servers() -> None:
    hosts = [{"name": "h1", "vcpus": 8, "memory": "16 GiB", "disk": "100 GiB", "service": {"forced_down": True}},
             {"name": "h2", "vcpus": 8, "memory": "16 GiB", "disk": "100 GiB"}]  # fmt: skip
    for options, length in (({}, 12), ({"password_length": 20}, 20)):
        session = cloud(hosts=hosts, options={**NO_LIMITS, **options})
        body = ask(session, "evacuate", {"onSharedStorage": False}, version="2.13").body
        assert len(body["adminPass"]) == length
    silent = cloud(hosts=hosts, options={**NO_LIMITS, "api.enable_instance_password": False})
    assert ask(silent, "evacuate", {"onSharedStorage": False}, version="2.13").body is None
