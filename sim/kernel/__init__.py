"""What SimPy lacks: random streams by name, worker pools."""
