"""The demo's page in a real browser: `nox -s browser`."""
