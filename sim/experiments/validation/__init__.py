"""Published measurements against what novasim makes of the same settings."""
