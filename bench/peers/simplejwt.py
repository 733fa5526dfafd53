"""A Django project in one file: SimpleJWT with rotation and blacklist, and two protected views.

`python3 simplejwt.py ACCOUNTS` makes the tables and the accounts, and prints a pair of tokens for each as JSON.
Gunicorn serves `application`.
"""

import json
import os
import sys
from datetime import timedelta

import django
from django.conf import settings
from django.core.wsgi import get_wsgi_application

environment = os.environ
postgres = environment.get("POSTGRES_SOCKETS")

if postgres is None:
    database = {"ENGINE": "django.db.backends.sqlite3", "NAME": environment["SQLITE_PATH"]}
else:
    database = {
        "ENGINE": "django.db.backends.postgresql",
        "HOST": postgres,
        "PORT": environment["POSTGRES_PORT"],
        "USER": "postgres",
        "NAME": "simplejwt",
    }

settings.configure(
    DEBUG=False,
    SECRET_KEY="only-for-benchmarks-only-for-benchmarks",
    ALLOWED_HOSTS=["127.0.0.1"],
    ROOT_URLCONF=__name__,
    INSTALLED_APPS=[
        "django.contrib.auth",
        "django.contrib.contenttypes",
        "rest_framework",
        "rest_framework_simplejwt",
        "rest_framework_simplejwt.token_blacklist",
    ],
    # Less than `startproject` installs: an API needs no sessions, cookies or messages.
    MIDDLEWARE=[
        "django.middleware.security.SecurityMiddleware",
        "django.middleware.common.CommonMiddleware",
    ],
    # Connections to the database stay open.
    DATABASES={"default": {**database, "CONN_MAX_AGE": None}},
    DEFAULT_AUTO_FIELD="django.db.models.BigAutoField",
    USE_TZ=True,
    REST_FRAMEWORK={
        "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
        "DEFAULT_PARSER_CLASSES": ["rest_framework.parsers.JSONParser"],
    },
    SIMPLE_JWT={
        "ROTATE_REFRESH_TOKENS": True,
        "BLACKLIST_AFTER_ROTATION": True,
        # No token expires during a run.
        "ACCESS_TOKEN_LIFETIME": timedelta(hours=1),
    },
)
django.setup()

from django.contrib.auth import get_user_model  # noqa: E402
from django.contrib.auth.hashers import make_password  # noqa: E402
from django.core.management import call_command  # noqa: E402
from django.db import connection  # noqa: E402
from django.urls import path  # noqa: E402
from rest_framework.permissions import IsAuthenticated  # noqa: E402
from rest_framework.response import Response  # noqa: E402
from rest_framework.views import APIView  # noqa: E402
from rest_framework_simplejwt import authentication, tokens, views  # noqa: E402


class Me(APIView):
    authentication_classes = [authentication.JWTAuthentication]
    permission_classes = [IsAuthenticated]

    def get(self, request):
        return Response({"ok": True})


class MeWithoutDatabase(Me):
    authentication_classes = [authentication.JWTTokenUserAuthentication]


urlpatterns = [
    path("api/token/", views.TokenObtainPairView.as_view()),
    path("api/token/refresh/", views.TokenRefreshView.as_view()),
    path("me", Me.as_view()),
    path("me-without-database", MeWithoutDatabase.as_view()),
]
application = get_wsgi_application()


def prepare(accounts):
    if postgres is None:
        with connection.cursor() as cursor:
            # SQLite keeps this setting in the file.
            cursor.execute("PRAGMA journal_mode = WAL")
    call_command("migrate", verbosity=0)
    # One hash for all: hashing a password for each account would take minutes on a slow machine.
    password = make_password(environment["ACCOUNT_PASSWORD"])
    pairs = []
    for index in range(accounts):
        user = get_user_model().objects.create(username=f"user{index}", password=password)
        refresh = tokens.RefreshToken.for_user(user)
        pairs.append({"refresh": str(refresh), "access": str(refresh.access_token)})
    print(json.dumps(pairs))


if __name__ == "__main__":
    prepare(int(sys.argv[1]))
