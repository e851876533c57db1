"""Cold migration, resize, and what ends them: confirm and revert."""

from __future__ import annotations

from sim.model.api.asked import NO_CONTENT, OnServer, Reply
from sim.model.api.faults import ApiFault
from sim.model.api.images import check_cpus, check_fits
from sim.model.api.routing import Action
from sim.model.flavor import Flavor
from sim.model.migration_record import MigrationRecord

_STATES = frozenset(("active", "stopped"))
_RESIZED = frozenset(("resized",))
_CREATED_WITH = "created_root_gb"
"""GB of the root disk that a server was created with: Nova remembers it as the least that its image needs."""


def migrate(asked: OnServer) -> Reply:
    """``migrate``; a host can be named from 2.56, before that whatever the body holds is ignored."""
    host: str | None = None
    if asked.version >= (2, 56) and asked.argument is not None:
        host = asked.argument.get("host")
    asked.can("os-migrate-server:migrate:host" if host else "os-migrate-server:migrate")
    source = _may_move(asked)
    dest = None
    if host:
        dest = asked.cloud.hosts.index.get(host)
        if dest == source:
            raise ApiFault(400, "Cannot migrate to the host where the server exists.")
        if dest is None:
            raise ApiFault(400, f"Compute host {host} could not be found.")
    return _move(asked, None, dest)


def resize(asked: OnServer) -> Reply:
    """``resize``. Flavors go by their names."""
    asked.can("servers:resize")
    _may_move(asked)
    cloud, server = asked.cloud, asked.server
    wanted, old = str(asked.argument["flavorRef"]), server.flavor
    new = cloud.flavors.get(wanted)
    if new is None:
        raise ApiFault(400, f"Flavor {wanted} could not be found.")
    if new.root_gb == 0 and old.root_gb != 0 and not server.boot_from_volume:
        raise ApiFault(400, "Server disk was unable to be resized because: Resize to zero disk flavor is not allowed.")
    if new is old:
        raise ApiFault(400, "When resizing, instances must change flavor!")
    asked.quotas.check_resize(server.project, old, new)
    created_gb = server.extras.get(_CREATED_WITH, old.root_gb)
    image = server.image
    check_fits(
        asked, new, min_memory_mb=0 if image is None else image.min_memory_mb, from_volume=server.boot_from_volume,
        min_disk_gb=max(created_gb, 0 if image is None else image.min_disk_gb),
    )  # fmt: skip
    check_cpus(new, image)
    server.extras = {**server.extras, _CREATED_WITH: created_gb}
    return _move(asked, new, None)


def _may_move(asked: OnServer) -> int:
    """What a migration and a resize both need. Returns the host."""
    asked.not_locked()
    asked.in_state(_STATES)
    host = asked.has_host()
    if not asked.cloud.service_group.is_up(host):
        raise ApiFault(409, "Service is unavailable at this time.")
    return host


def _move(asked: OnServer, flavor: Flavor | None, dest: int | None) -> Reply:
    asked.begin("resize_prep", "migrate" if flavor is None else "resize")
    return asked.cast(asked.cloud.conductor.cold_migration.migrate(asked.ctx, asked.server, flavor, dest))


def confirm(asked: OnServer) -> Reply:
    """``confirmResize``: the source host must be there to clean up."""
    asked.can("servers:confirm_resize")
    migration = _finished(asked)
    cloud, source = asked.cloud, migration.source
    if source is not None and not cloud.service_group.is_up(source):
        raise ApiFault(409, "Service is unavailable at this time.")
    cloud.db.save_migration(migration, "confirming")
    cloud.db.start_action(asked.server, "confirmResize", asked.ctx)
    return asked.cast(cloud.compute.resize.confirm(asked.ctx, asked.server, migration), NO_CONTENT)


def revert(asked: OnServer) -> Reply:
    """``revertResize``."""
    asked.can("servers:revert_resize")
    migration = _finished(asked)
    cloud, server = asked.cloud, asked.server
    if server.old_flavor is not None:
        asked.quotas.check_resize(server.project, server.flavor, server.old_flavor)
        server.spec_flavor = server.old_flavor
    cloud.db.save(server, asked.ctx.request, task_state="resize_reverting")
    cloud.db.save_migration(migration, "reverting")
    cloud.db.start_action(server, "revertResize", asked.ctx)
    return asked.cast(cloud.compute.resize.revert(asked.ctx, server, migration))


def _finished(asked: OnServer) -> MigrationRecord:
    """The migration that waits for confirm or revert."""
    asked.not_locked()
    asked.in_state(_RESIZED)
    for migration in asked.server.migrations:
        if migration.status == "finished":
            return migration
    raise ApiFault(400, "Instance has not been resized.")


ACTIONS = {
    "migrate": Action(migrate), "resize": Action(resize), "confirmResize": Action(confirm),
    "revertResize": Action(revert),
}  # fmt: skip
