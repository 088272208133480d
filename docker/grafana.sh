#!/bin/sh
# Starts Grafana in its container. Its admin password is GRAFANA_PASSWORD, else one made at the first start:
#   docker compose exec grafana cat /var/lib/grafana/admin-password
# Grafana takes it when it creates its database; after that, only Grafana itself changes it.
set -eu
umask 077
secret=/var/lib/grafana/admin-password
if [ -n "${GRAFANA_PASSWORD:-}" ]; then
    printf %s "$GRAFANA_PASSWORD" >"$secret"
elif [ ! -s "$secret" ]; then
    head -c 18 /dev/urandom | base64 | tr -d '\n' >"$secret"
fi
export GF_SECURITY_ADMIN_PASSWORD__FILE="$secret"
exec /run.sh "$@"
