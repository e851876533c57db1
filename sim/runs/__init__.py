"""Scenario and seed → log: runs, sessions, the laws that every log must keep, run folders."""
