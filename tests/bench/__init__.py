"""Measures speed: `nox -s bench`. Nothing here is a test, and no test asserts a comparison of speed."""
