"""Runs what the documentation shows, and holds it to the code."""
