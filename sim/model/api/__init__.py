"""Nova's API without HTTP: the one door into the cloud."""
