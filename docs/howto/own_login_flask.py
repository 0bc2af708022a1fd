"""A Flask mount behind the application's own login."""

from hashlib import sha256

from flask import Flask, abort, request
from sqr_jobs import Caller
from sqr_jobs_flask import create_blueprint
from werkzeug.datastructures import WWWAuthenticate

from myapp.reports import report_jobs

TOKENS = {sha256(b"token-of-acme").hexdigest(): "acme"}
"""Stands for a table of yours: the hash of each token, and whose it is."""


def current_caller() -> Caller:
    """Say who asks, or answer 401 in the application's own words."""
    sent = request.authorization.token if request.authorization else None
    org = TOKENS.get(sha256(sent.encode()).hexdigest()) if sent else None
    if org is None:
        abort(401, "Please log in.", www_authenticate=WWWAuthenticate("bearer"))
    return Caller(org_id=org)


def create_app() -> Flask:
    """Mount the endpoints behind it."""
    app = Flask(__name__)
    app.register_blueprint(create_blueprint(report_jobs, caller=current_caller))
    return app
