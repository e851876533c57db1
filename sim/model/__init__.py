"""The cloud, under Nova's names: state, decisions, stages in time, and the one door."""
