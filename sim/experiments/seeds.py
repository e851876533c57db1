"""Seeds of replications: the same for all variants, so that they share their luck."""

from __future__ import annotations

from hashlib import blake2b


def seed_of(experiment_seed: int, replication: int) -> int:
    """The seed of a replication (from 1 on), a number below 2**48 that a person can still copy."""
    name = f"{experiment_seed}:replication:{replication}".encode()
    return int.from_bytes(blake2b(name, digest_size=6).digest(), "big")
