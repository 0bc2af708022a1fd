"""The soak: thousands of jobs of every kind, and a seeded fault every few seconds; see `__main__.py`."""
