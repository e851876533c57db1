"""Compute hosts: what each operation does on them, stage by stage."""
