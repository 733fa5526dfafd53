"""Checks in Countersign's Redis mirror whether a verified access token was revoked.

One MGET for each request. Raises `Unavailable` if the mirror is not up to date: answer 503.
"""

import json

PREFIX = "countersign:revoked:"
# The value of a subject is the newest log position at which it was revoked.
SUBJECTS = (
    ("session", "sid"),
    ("account", "sub"),
    ("client", "client_id"),
    ("tenant", "tid"),
    ("token", "jti"),
    ("issuer", "iss"),
)


class Revoked(Exception):
    """Answer 401: the token was revoked. The client then refreshes, which fails if its session has ended."""


class Unavailable(Exception):
    """Answer 503: the mirror is empty, older than 3 s, for another issuer, or unreachable."""


class Revocations:
    def __init__(self, client, issuer):
        """`client` is a `redis.Redis` with a short `socket_timeout`."""
        self._client = client
        self._issuer = issuer

    def check(self, kid, claims):
        """Raises if the token was revoked. Pass `kid` and claims of a token whose signature was verified."""
        names = [f"{kind}:{claims[claim]}" for kind, claim in SUBJECTS if claim in claims]
        # One command reads all values. Values that were read before the head could be older than the head.
        keys = [PREFIX + name for name in ["head", f"key:{kid}", *names]]
        try:
            head, killed, *marks = self._client.mget(keys)
        except Exception as error:
            raise Unavailable("Redis does not answer") from error
        # Redis drops the head 3 s after the authority last read its log.
        if head is None:
            raise Unavailable("the mirror is out of date")
        head = json.loads(head)
        if head["issuer"] != self._issuer:
            raise Unavailable("the mirror is for another issuer")
        rvp = claims.get("rvp")
        if not isinstance(rvp, int) or isinstance(rvp, bool) or rvp < head["floor"]:
            raise Revoked("the token is older than the entries in the mirror")
        if killed is not None or any(mark is not None and int(mark) > rvp for mark in marks):
            raise Revoked("the token was revoked")
