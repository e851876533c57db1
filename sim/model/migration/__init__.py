"""Migrations as models without a clock: what is copied, in which rounds, and what guests feel."""
