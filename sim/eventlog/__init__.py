"""The event log: what happened. All before it only writes, all after it only reads."""
