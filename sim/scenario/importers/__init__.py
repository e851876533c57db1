"""Importers of OpenStack exports and of public traces."""
