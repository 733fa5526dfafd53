#!/bin/sh
# Makes the files that compose.yaml mounts as secrets, in the folder `secrets`. Keeps the files that exist.
# The certificate is self-signed: replace tls_certificate.pem and tls_key.pem by your own.
set -eu
cd "$(dirname "$0")"
umask 077
mkdir -p secrets
cd secrets

# Hexadecimal, because two of them stand in URLs.
for name in countersign_secret admin_password postgres_password redis_password; do
  [ -e "$name" ] || openssl rand -hex 32 > "$name"
done
[ -e tls_key.pem ] || openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 90 \
  -subj /CN=auth.example.com -addext subjectAltName=DNS:auth.example.com \
  -keyout tls_key.pem -out tls_certificate.pem 2> /dev/null

# Engines mount these files with their owner and mode, and each container has a user of its own. The folder keeps out the
# other users of this machine. As root, each file that only one container reads belongs to the user of that container.
chmod 444 ./*
if [ "$(id -u)" = 0 ]; then
  chown 65534 countersign_secret admin_password
  chown 101 tls_key.pem
  chmod 400 countersign_secret admin_password tls_key.pem
fi
echo "The password of the account admin is in $(pwd)/admin_password"
