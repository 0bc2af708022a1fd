"""Mounts sqr-jobs in a Flask application."""

from sqr_jobs_flask.blueprint import create_blueprint

__all__ = ["create_blueprint"]
