"""The hand-written service in Flask."""

from flask import Blueprint, Flask, Response, jsonify, request
from pydantic import ValidationError

from tests.bench.byhand.config import PLAIN_PREFIX, PREFIX, Config
from tests.bench.byhand.queues import enqueuer
from tests.bench.byhand.service import CreateBody, Refused, Service

__all__ = ["create_app"]


def create_app() -> Flask:
    """Mount it twice: with all that the contract asks for, and plain."""
    config = Config.from_environment()
    enqueue = enqueuer(config)
    app = Flask(__name__)
    app.register_blueprint(_blueprint(Service(config, enqueue=enqueue), PREFIX, "full"))
    app.register_blueprint(_blueprint(Service(config, enqueue=enqueue, is_plain=True), PLAIN_PREFIX, "plain"))

    @app.errorhandler(Refused)
    def refused(refusal: Refused) -> Response:
        return _problem(refusal.status, refusal.code)

    @app.errorhandler(ValidationError)
    def invalid(_error: ValidationError) -> Response:
        return _problem(400, "REQUEST_INVALID")

    return app


def _blueprint(service: Service, prefix: str, name: str) -> Blueprint:
    blueprint = Blueprint(name, __name__, url_prefix=prefix)

    @blueprint.post("")
    def create() -> Response:
        org = service.org_of(request.headers.get("Authorization"))
        body = CreateBody.model_validate(request.get_json())
        answer, headers = service.create(org, body.user_id)
        reply = jsonify(answer)
        reply.status_code = 202
        reply.headers.update({**headers, "Location": f"{request.path}/{answer['jobId']}"})
        return reply

    @blueprint.get("/<job_id>")
    def status(job_id: str) -> Response:
        reply = jsonify(service.status(service.org_of(request.headers.get("Authorization")), job_id))
        reply.headers["Cache-Control"] = "no-store"
        return reply

    @blueprint.get("/<job_id>/url")
    def download_url(job_id: str) -> Response:
        org = service.org_of(request.headers.get("Authorization"))
        reply = jsonify(service.download_url(org, job_id, request.host_url))
        reply.headers["Cache-Control"] = "no-store"
        return reply

    return blueprint


def _problem(status: int, code: str) -> Response:
    reply = jsonify({"type": "about:blank", "status": status, "code": code})
    reply.status_code, reply.mimetype = status, "application/problem+json"
    return reply
