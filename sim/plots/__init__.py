"""Tables → figures, reports, timelines: each takes a run, a run folder or its records."""
