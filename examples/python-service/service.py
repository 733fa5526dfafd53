"""A Python service behind Countersign. PyJWT verifies tokens, and Redis has the revocations.

GET /me returns the account. GET /reports requires the global role "admin". GET /tenants/NAME/reports requires a token in
that tenant, and the role "admin" there or globally.
"""

import json
import os
import re
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import jwt
import redis

from revocations import Revocations, Revoked, Unavailable

ISSUER = os.environ.get("ISSUER", "http://localhost:8000")
AUDIENCE = os.environ.get("AUDIENCE", ISSUER)

# Caches the key set for five minutes. Without cache_keys=False, PyJWT would also keep single keys forever.
keys = jwt.PyJWKClient(f"{ISSUER}/.well-known/jwks.json", cache_keys=False)
revocations = Revocations(
    redis.Redis.from_url(
        os.environ.get("REDIS_URL", "redis://127.0.0.1:6379/0"),
        socket_timeout=1,
        socket_connect_timeout=1,
    ),
    ISSUER,
)


def authenticate(token):
    header = jwt.get_unverified_header(token)
    if header.get("typ") != "at+jwt":
        raise jwt.InvalidTokenError("not an access token")
    claims = jwt.decode(
        token,
        keys.get_signing_key_from_jwt(token).key,
        # Only the algorithm of the authority, never the algorithm in the token.
        algorithms=["ES256"],
        issuer=ISSUER,
        audience=AUDIENCE,
        options={"require": ["exp", "sub", "jti", "rvp", "roles"]},
    )
    # Without this claim, "roles" may also hold the roles in the tenant: the token is from an old authority.
    if "tid" in claims and "tenant_roles" not in claims:
        raise jwt.MissingRequiredClaimError("tenant_roles")
    revocations.check(header["kid"], claims)
    return claims


def has_role(claims, role):
    """Whether the token has a global role. Roles in a tenant do not count."""
    return role in claims["roles"]


def has_role_in(claims, tenant, role):
    """Whether the token is in this tenant (its name or id) and has the role there, or globally.

    Never read "tenant_roles" without comparing the tenant: the administrator of a customer would pass for yours.
    """
    is_in_tenant = "tid" in claims and tenant in (claims["tid"], claims.get("tenant_name"))
    return bool(tenant) and is_in_tenant and role in claims["roles"] + claims["tenant_roles"]


def may(claims, path):
    """Whether the token may read this path. None if there is no such path."""
    if path == "/me":
        return True
    if path == "/reports":
        return has_role(claims, "admin")
    in_tenant = re.fullmatch("/tenants/([^/]+)/reports", path)
    return None if in_tenant is None else has_role_in(claims, in_tenant[1], "admin")


class Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        scheme, _, token = self.headers.get("Authorization", "").partition(" ")
        if scheme.lower() != "bearer":
            return self.answer(401, {"error": "no token"}, "Bearer")
        try:
            claims = authenticate(token)
        except Unavailable as error:
            return self.answer(503, {"error": str(error)})
        except (Revoked, jwt.PyJWTError) as error:
            if isinstance(error.__context__, OSError):
                return self.answer(503, {"error": "the keys cannot be loaded"})
            return self.answer(401, {"error": str(error)}, 'Bearer error="invalid_token"')
        allowed = may(claims, self.path)
        if allowed is None:
            return self.answer(404, {"error": "not found"})
        if not allowed:
            return self.answer(403, {"error": "not allowed"})
        shown = ("sub", "roles", "tenant_name", "tenant_roles")
        return self.answer(200, {name: claims[name] for name in shown if name in claims})

    def answer(self, status, body, challenge=None):
        text = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(text)))
        if challenge is not None:
            self.send_header("WWW-Authenticate", challenge)
        if status == 503:
            self.send_header("Retry-After", "1")
        self.end_headers()
        self.wfile.write(text)

    def log_message(self, *_):
        pass


if __name__ == "__main__":
    port = int(os.environ.get("PORT", "3000"))
    ThreadingHTTPServer(("127.0.0.1", port), Handler).serve_forever()
