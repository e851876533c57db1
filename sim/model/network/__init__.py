"""Topologies, max-min sharing of links, flows in time."""
