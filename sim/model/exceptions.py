"""Nova's own errors: the codes and texts that its callers and its records see.

The values that a text needs are the constructor's positional arguments, in the order of the text.
"""

from __future__ import annotations

from typing import ClassVar

from sim.errors import NovasimError


class NovaException(NovasimError):
    """Base: something that Nova itself refuses or fails at. Source of codes and texts: Nova's ``exception.py``."""

    code: ClassVar[int] = 500
    """What a fault that comes of it has as its code."""
    text: ClassVar[str] = "{}"

    def __init__(self, *values: object) -> None:
        super().__init__(*values)

    @property
    def message(self) -> str:
        """Nova's text."""
        return self.text.format(*self.args)

    def __str__(self) -> str:
        return self.message


# --- scheduling and moves ---------------------------------------------------------------------------------------------


class NoValidHost(NovaException):
    """(reason)"""

    text = "No valid host was found. {}"


class MaxRetriesExceeded(NoValidHost):
    """(reason)"""

    text = "Exceeded maximum number of retries. {}"


class MigrationError(NovaException):
    """(reason)"""

    text = "Migration error: {}"


class MigrationPreCheckError(MigrationError):
    """(reason)"""

    text = "Migration pre-check error: {}"


class SourceDoesNotAnswer(MigrationPreCheckError):
    """(name of the source, name of the destination that asked it)"""

    text = "Error while check_can_live_migrate_source from {} to host {}: MessagingTimeout No reply on topic compute"


class UnableToMigrateToSelf(NovaException):
    """(uuid of the server, name of its host)"""

    code = 400
    text = "Unable to migrate instance ({}) to current host ({})."


class ComputeResourcesUnavailable(NovaException):
    """(reason)"""

    code = 400
    text = "Insufficient compute resources: {}."


class ResizeError(NovaException):
    """(reason)"""

    text = "Resize error: {}"


class InstanceFaultRollback(NovaException):
    """(error): nothing was touched yet, so that the server stays what it was."""

    text = "Instance rollback performed due to: {}"

    @property
    def inner(self) -> NovaException:
        """The error that is told in the end."""
        error = self.args[0]
        assert isinstance(error, NovaException)
        return error


class InvalidHypervisorType(NovaException):
    """()"""

    code = 400
    text = "The supplied hypervisor type of is invalid."


class DestinationHypervisorTooOld(NovaException):
    """()"""

    code = 400
    text = "The instance requires a newer hypervisor version than has been provided."


class InvalidMigrationState(NovaException):
    """(id of the migration, uuid of the server, status, what was asked for)"""

    code = 400
    text = "Migration {} state of instance {} is {}. Cannot {} while the migration is in this state."


class NoActiveMigrationForInstance(NovaException):
    """(uuid of the server)"""

    code = 404
    text = "Active live migration for instance {} not found"


# --- servers ----------------------------------------------------------------------------------------------------------


class InstanceInvalidState(NovaException):
    """(uuid of the server, which of its states, that state, what was asked for)"""

    code = 400
    text = "Instance {} in {} {}. Cannot {} while the instance is in this state."


class InstanceNotFound(NovaException):
    """(uuid of the server)"""

    code = 404
    text = "Instance {} could not be found."


class InstanceNotRescuable(NovaException):
    """(uuid of the server, reason)"""

    code = 400
    text = "Instance {} cannot be rescued: {}"


class UnexpectedTaskState(NovaException):
    """(uuid of the server, what was expected, what is)"""

    text = "Conflict updating instance {}. Expected: {}. Actual: {}"


class BuildAbortException(NovaException):
    """(uuid of the server, reason)"""

    text = "Build of instance {} aborted: {}"


class GroupAffinityViolation(NovaException):
    """(policy, with a capital)"""

    text = "{} instance group policy was violated"


# --- hosts ------------------------------------------------------------------------------------------------------------


class ComputeServiceUnavailable(NovaException):
    """(name of the host)"""

    code = 400
    text = "Compute service of {} is unavailable at this time."


class InvalidSharedStorage(NovaException):
    """()"""

    text = "Invalid state of instance files on shared storage"


class ComputeServiceInUse(NovaException):
    """(name of the host)"""

    text = "Compute service of {} is still in use."
