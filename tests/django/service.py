"""One Django project in one file, with SimpleJWT from Debian: either an issuer with the four token
views and one user, or a service that takes tokens of another issuer by its JWKS or by a secret that both share.

Listens on a free port of 127.0.0.1, prints `PORT <number>` and serves until it is killed.
"""

import os
import sys
from socketserver import ThreadingMixIn
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server

import django
from django.conf import settings

environment = os.environ
role = environment["ROLE"]

simple_jwt = {
    "issuer": lambda: {"ROTATE_REFRESH_TOKENS": True, "BLACKLIST_AFTER_ROTATION": True},
    "service": lambda: {
        "ALGORITHM": "ES256",
        "SIGNING_KEY": None,
        "JWK_URL": environment["JWK_URL"],
        "AUDIENCE": environment["AUDIENCE"],
        "ISSUER": environment["ISSUER"],
    },
    "sharing": lambda: {
        "ALGORITHM": "HS256",
        "SIGNING_KEY": environment["SHARED_SECRET"],
        "AUDIENCE": environment["AUDIENCE"],
        "ISSUER": environment["ISSUER"],
    },
}[role]()

settings.configure(
    SECRET_KEY="only-for-this-test-only-for-this-test",
    ALLOWED_HOSTS=["*"],
    ROOT_URLCONF=__name__,
    USE_TZ=True,
    DATABASES={
        "default": {"ENGINE": "django.db.backends.sqlite3", "NAME": environment["DATABASE"]}
    },
    DEFAULT_AUTO_FIELD="django.db.models.BigAutoField",
    # Fast: these tests do not compare the cost of the hash.
    PASSWORD_HASHERS=["django.contrib.auth.hashers.MD5PasswordHasher"],
    INSTALLED_APPS=[
        "django.contrib.auth",
        "django.contrib.contenttypes",
        "rest_framework",
        "rest_framework_simplejwt",
        "rest_framework_simplejwt.token_blacklist",
    ],
    REST_FRAMEWORK={
        "DEFAULT_AUTHENTICATION_CLASSES": [
            "rest_framework_simplejwt.authentication.JWTStatelessUserAuthentication"
        ],
    },
    SIMPLE_JWT=simple_jwt,
)
django.setup()

from django.contrib.auth import get_user_model  # noqa: E402
from django.core.management import call_command  # noqa: E402
from django.core.wsgi import get_wsgi_application  # noqa: E402
from django.urls import path  # noqa: E402
from rest_framework.permissions import IsAuthenticated  # noqa: E402
from rest_framework.response import Response  # noqa: E402
from rest_framework.views import APIView  # noqa: E402
from rest_framework_simplejwt import views  # noqa: E402


class WhoAmI(APIView):
    permission_classes = [IsAuthenticated]

    def get(self, request):
        return Response({"id": request.user.id, "sub": request.user.sub})


urlpatterns = [
    path("api/token/", views.TokenObtainPairView.as_view()),
    path("api/token/refresh/", views.TokenRefreshView.as_view()),
    path("api/token/verify/", views.TokenVerifyView.as_view()),
    path("api/token/blacklist/", views.TokenBlacklistView.as_view()),
    path("whoami/", WhoAmI.as_view()),
]


class Server(ThreadingMixIn, WSGIServer):
    daemon_threads = True


class Handler(WSGIRequestHandler):
    def get_environ(self):
        environ = super().get_environ()
        # wsgiref treats a body without a type as text/plain. Production servers do not.
        environ["CONTENT_TYPE"] = self.headers.get("content-type", "")
        return environ

    def log_message(self, *_):
        pass


django_application = get_wsgi_application()


def application(environ, start_response):
    response = django_application(environ, start_response)
    if environ["REQUEST_METHOD"] != "HEAD":
        return response
    # wsgiref would send the body. Production servers omit it (RFC 9110 section 9.3.2).
    response.close()
    return []


call_command("migrate", verbosity=0)
if role == "issuer":
    get_user_model().objects.create_user(
        username=environment["DJANGO_USERNAME"], password=environment["DJANGO_PASSWORD"]
    )
server = make_server("127.0.0.1", 0, application, Server, Handler)
print("PORT", server.server_port, flush=True)
try:
    server.serve_forever()
except KeyboardInterrupt:
    sys.exit(0)
