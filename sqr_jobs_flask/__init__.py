"""Mounts sqr-jobs in a Flask application."""

try:
    from sqr_jobs_flask.blueprint import create_blueprint
except ModuleNotFoundError as error:
    if error.name not in ("flask", "werkzeug"):
        raise
    raise ModuleNotFoundError(
        "Flask is missing. Install it: pip install 'sqr-jobs[flask]'.", name=error.name
    ) from None

__all__ = ["create_blueprint"]
