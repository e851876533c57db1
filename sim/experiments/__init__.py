"""Many runs: replications, sweeps, comparisons, plans, validation."""
