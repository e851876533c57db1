"""What to simulate: the typed scenario, its loader and checks, and readers of operators' files. No engine."""
