"""Exports as the vendors' documentation describes them, written by code."""
