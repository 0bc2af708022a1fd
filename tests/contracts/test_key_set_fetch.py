"""An issuer that answers, and never comes to an end: one byte now and then."""

import time

import pytest

from sqr_jobs.adapters.key_set_fetch import AnswerTooLargeError, fetch_json
from sqr_jobs.adapters.signing_keys import JwksKeys
from sqr_jobs.errors import IdentityUnavailable
from tests.servers.dripping import DRIPS, dripping
from tests.servers.ports import wait_until

_WITHIN_S = 0.5


@pytest.mark.parametrize("at_once", DRIPS.values(), ids=DRIPS)
def test_an_issuer_that_drips_costs_the_time_of_a_fetch_and_no_more(at_once: bytes) -> None:
    """Each byte begins a socket's timeout anew; whoever waits for keys would wait for hours."""
    with dripping(at_once) as (port, hung_up):
        keys = JwksKeys(fetch_json(f"http://127.0.0.1:{port}/keys", within_s=_WITHIN_S))
        began = time.monotonic()
        with pytest.raises(IdentityUnavailable):
            keys.candidates("a", "RS256")
        assert time.monotonic() - began < _WITHIN_S + 2
        # And nothing goes on reading behind it
        wait_until(hung_up.is_set, seconds=10, what="the end of the connection")


def test_an_answer_without_an_end_is_read_no_further_than_a_key_set_can_be() -> None:
    """Whatever the issuer's machine sends, it is a mebibyte of this one's memory."""
    with dripping(b"HTTP/1.1 200 OK\r\n\r\n" + b" " * 1_048_577) as (port, hung_up):
        with pytest.raises(AnswerTooLargeError):
            fetch_json(f"http://127.0.0.1:{port}/keys", within_s=2)()
        wait_until(hung_up.is_set, seconds=10, what="the end of the connection")
