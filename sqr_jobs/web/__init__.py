"""The endpoints, framework-neutral: adapters read the request, call, and translate the reply."""

from sqr_jobs.web.endpoints import Endpoints
from sqr_jobs.web.messages import HttpReply, HttpRequest, chunks

__all__ = ["Endpoints", "HttpReply", "HttpRequest", "chunks"]
