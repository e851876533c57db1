"""Importers: what operators already have → scenario files."""
