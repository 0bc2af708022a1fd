"""The guards of requests, tokens and settings."""

from tests.mutants.guards.guard import Guard

__all__ = ["WEB"]

_TOKENS = "sqr_jobs/adapters/jwt_authenticator.py"
_TOKENS_TESTS = "tests/contracts/test_authenticator.py"
_KEYS = "sqr_jobs/adapters/verification_keys.py"
_KEYS_TESTS = "tests/contracts/test_authenticator_keys.py"
_KEY_SET = "sqr_jobs/adapters/key_set_fetch.py"
_KEY_SET_TESTS = "tests/contracts/test_key_set_fetch.py"
_ENDPOINTS = "sqr_jobs/web/endpoints.py"
_BODY_TESTS = "tests/http/test_request_body.py"

WEB = (
    Guard(
        name="rights are asked for again at each download",
        file="sqr_jobs/report_jobs.py",
        code="""            raise UserNotPermitted("This organisation may not have a report on this user.")
        self._permit(caller, user)
        if job.status""",
        without="""            raise UserNotPermitted("This organisation may not have a report on this user.")
        if job.status""",
        tests=("tests/http/test_download_url.py",),
    ),
    Guard(
        name="scopes are asked for",
        file="sqr_jobs/web/endpoints.py",
        code="        if scope is not None and scope not in caller.scopes:\n",
        without="        if scope is not None and not caller:\n",
        tests=("tests/http/test_authentication.py",),
    ),
    Guard(
        name="a relative path is resolved at the start",
        file="sqr_jobs/settings.py",
        code="        return value and absolute_path(value)\n",
        without="        return value\n",
        tests=("tests/unit/test_wiring.py",),
    ),
    Guard(
        name="a part of the service is made once",
        file="sqr_jobs/wiring/made_once.py",
        code="        with owner.making:\n",
        without="        if True:\n",
        tests=("tests/unit/test_made_once.py",),
    ),
    Guard(
        name="a claim that a token names twice is nobody's",
        file=_TOKENS,
        code="                _refuse_repeats(parts[1])\n",
        without="",
        tests=(_TOKENS_TESTS,),
    ),
    Guard(
        name="a token for another purpose opens nothing",
        file=_TOKENS,
        code='str(header.get("typ", self._type_unsaid)).lower() not in self._types',
        without="False",
        tests=(_TOKENS_TESTS,),
    ),
    Guard(
        name="a shared secret is as long as its hash",
        file=_KEYS,
        code="    if length < needed:\n",
        without="    if not length:\n",
        tests=(_KEYS_TESTS,),
    ),
    Guard(
        name="an RSA key has 2048 bits",
        file=_KEYS,
        code="key.key_size < _MIN_RSA_BITS",
        without="key.key_size < 512",
        tests=(_KEYS_TESTS,),
    ),
    Guard(
        name="a private key in the settings is refused",
        file=_KEYS,
        code="    if _PRIVATE.search(text):\n",
        without="    if not text:\n",
        tests=(_KEYS_TESTS,),
    ),
    Guard(
        name="a key for encryption verifies nothing",
        file=_KEYS,
        code='        if use not in (None, "sig") or not _may_verify(entry):\n',
        without='        if use == "odd":\n',
        tests=(_KEYS_TESTS,),
    ),
    Guard(
        name="a private key in a key set verifies nothing",
        file=_KEYS,
        code='if kty == "oct" or "d" in entry:',
        without='if kty == "oct":',
        tests=(_KEYS_TESTS,),
    ),
    Guard(
        name="a key set is bounded in size",
        file=_KEY_SET,
        code="        if len(body) > _MAX_BYTES:\n",
        without="        if not body:\n",
        tests=(_KEYS_TESTS,),
    ),
    Guard(
        name="a key set is not read beyond its size",
        file=_KEY_SET,
        code="answer.read(_MAX_BYTES + 1)",
        without="answer.read()",
        tests=(_KEY_SET_TESTS,),
    ),
    Guard(
        name="a key set's fetch is bounded in time",
        file=_KEY_SET,
        code="        until = time.monotonic() + within_s\n",
        without="        until = time.monotonic() + 20 * within_s\n",
        tests=(_KEY_SET_TESTS,),
    ),
    Guard(
        name="a body is read after its headers were judged",
        file=_ENDPOINTS,
        code="        caller = self._judged(request)\n"
        "        sent = request.body() if callable(request.body) else request.body\n",
        without="        sent = request.body() if callable(request.body) else request.body\n"
        "        caller = self._judged(request)\n",
        tests=("tests/http/test_order_of_checks.py",),
    ),
    Guard(
        name="gunicorn does not wait for a body that nobody reads",
        file="sqr_jobs_flask/request_body.py",
        code="            response.call_on_close(",
        without="            _ = (",
        tests=("tests/faults/test_slow_bodies.py",),
    ),
    Guard(
        name="a body is parsed after the rate limit",
        file="sqr_jobs/web/bodies.py",
        code="        self._key = key\n",
        without="        self._key = key\n        _ = self._parsed\n",
        tests=(_BODY_TESTS,),
    ),
    Guard(
        name="at most twenty faults are listed",
        file="sqr_jobs/web/bodies.py",
        code="        if more > 0:\n",
        without="        if more > 10_000:\n",
        tests=(_BODY_TESTS,),
    ),
    Guard(
        name="addresses are made of the public URL",
        file=_ENDPOINTS,
        code="        if self._public_url is None:\n",
        without="        if self._public_url != 0:\n",
        tests=("tests/http/test_mounting.py",),
    ),
    Guard(
        name="a database is named once",
        file="sqr_jobs/wiring/system.py",
        code="    if engine is not None and settings.database_url:\n",
        without="    if settings is None:\n",
        tests=("tests/unit/test_wiring.py",),
    ),
    Guard(
        name="no key is reserved over the limit",
        file="sqr_jobs/report_jobs.py",
        code="        self.parts.limiter.look(caller.org_id, self.parts.rate_limit(caller)).check()\n",
        without="",
        tests=("tests/http/test_idempotency.py",),
    ),
)
