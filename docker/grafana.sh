#!/bin/sh
# Runs a command, Grafana, with an admin password: GRAFANA_PASSWORD, else one that the first start makes and keeps in
# Grafana's data folder. Grafana takes it when it creates its database; after that, only Grafana itself changes it.
set -eu
umask 077
secret=$GF_PATHS_DATA/admin-password
if [ -n "${GRAFANA_PASSWORD:-}" ]; then
    printf %s "$GRAFANA_PASSWORD" >"$secret"
elif [ ! -s "$secret" ]; then
    head -c 18 /dev/urandom | base64 | tr -d '\n' >"$secret"
fi
unset GRAFANA_PASSWORD
export GF_SECURITY_ADMIN_PASSWORD__FILE="$secret"
exec "$@"
