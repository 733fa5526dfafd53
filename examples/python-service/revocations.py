"""Whether a verified access token was taken back, read from Countersign's mirror in Redis.

One MGET a request. Where the mirror cannot vouch for itself, `Unavailable` is raised: answer 503.
"""

import json

PREFIX = "countersign:revoked:"
# The mark of a subject is the newest position of the log at which it was taken back.
SUBJECTS = (
    ("session", "sid"),
    ("account", "sub"),
    ("client", "client_id"),
    ("tenant", "tid"),
    ("token", "jti"),
    ("issuer", "iss"),
)


class Revoked(Exception):
    """401: the token was taken back. The client refreshes, which tells it whether the session lives."""


class Unavailable(Exception):
    """503: the mirror is empty, older than 3 s, another issuer's, or cannot be reached."""


class Revocations:
    def __init__(self, client, issuer):
        """`client` is a `redis.Redis` with a short `socket_timeout`."""
        self._client = client
        self._issuer = issuer

    def check(self, kid, claims):
        """Raises unless the token stands. Both arguments are of a token whose signature was verified."""
        names = [f"{kind}:{claims[claim]}" for kind, claim in SUBJECTS if claim in claims]
        # In one command: marks that were read before the head could be older than it says.
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
            raise Unavailable("the mirror is another issuer's")
        rvp = claims.get("rvp")
        if not isinstance(rvp, int) or isinstance(rvp, bool) or rvp < head["floor"]:
            raise Revoked("the token is older than what the mirror knows")
        if killed is not None or any(mark is not None and int(mark) > rvp for mark in marks):
            raise Revoked("the token was taken back")
