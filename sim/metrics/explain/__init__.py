"""What happened and why, in plain sentences, from a run's records."""
