"""Plans: the drain that is good enough, the failures that a cloud survives, the day on which it is full."""
