#!/bin/bash
# Starts the image's own entry point with the key file that members of a replica set with passwords need.
# The key comes from MONGO_REPLICA_KEY (6 to 1024 characters of base64); mongod wants a file that only it may read.
set -euo pipefail
: "${MONGO_REPLICA_KEY:?MONGO_REPLICA_KEY is not set: it is the secret that members of the replica set share}"
umask 077
printf '%s\n' "$MONGO_REPLICA_KEY" >/tmp/replica.key
unset MONGO_REPLICA_KEY
exec docker-entrypoint.sh mongod --replSet rs0 --keyFile /tmp/replica.key --bind_ip_all "$@"
