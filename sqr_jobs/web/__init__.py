"""The endpoints, framework-neutral: adapters read the request, call, and translate the reply."""

from sqr_jobs.web.endpoints import FILES_PATH, Endpoints
from sqr_jobs.web.messages import HttpReply, HttpRequest, chunks

__all__ = ["FILES_PATH", "Endpoints", "HttpReply", "HttpRequest", "chunks"]
