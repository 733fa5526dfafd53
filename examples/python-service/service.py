"""A Python service behind Countersign: GET /me returns the account. PyJWT verifies, Redis has the revocations."""

import json
import os
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
        options={"require": ["exp", "sub", "jti", "rvp"]},
    )
    revocations.check(header["kid"], claims)
    return claims


class Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        scheme, _, token = self.headers.get("Authorization", "").partition(" ")
        if self.path != "/me":
            return self.answer(404, {"error": "not found"})
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
        return self.answer(200, {"sub": claims["sub"], "roles": claims.get("roles", [])})

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
