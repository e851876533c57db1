"""The scheduler: which host, and why. Decides in columns over hosts, has no clock and no log."""
