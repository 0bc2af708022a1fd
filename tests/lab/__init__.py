"""Experiments: run by hand, never by a default session."""
