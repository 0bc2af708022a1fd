"""Open-loop load: jobs that come whether or not others are done; see `__main__.py`."""
