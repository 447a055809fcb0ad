#!/usr/bin/env bash
# Runs tests/compose against the real stack of docker-compose.yml, in a project of its own that is gone afterwards.
#
#   compose-test.sh [pytest's arguments]
#
# Uses the Docker engine that answers, else a private one (docker-engine.sh), which it stops again. Base images that cannot
# be pulled are replaced by stand-ins, though only in the private engine or with STANDIN_IMAGES=1: they carry official names.
# Exits 3 when there is no engine and none can be had, else with pytest's status.
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
repository=$(dirname "$here")
python=${PYTHON:-$repository/.venv/bin/python}
readonly PULL_SECONDS=180 NO_ENGINE=3
readonly IMAGES=(python:3.13-slim rabbitmq:4.3-management mongo:8.3)
started_engine=no private=no

say() {
  echo "compose-test: $*" >&2
}

engine_answers() {
  command -v docker >/dev/null && timeout 10 docker version --format '{{.Server.Version}}' >/dev/null 2>&1
}

find_engine() {
  engine_answers && return
  private=yes
  if ! DOCKER_HOST=$("$here/docker-engine.sh" status); then
    say "no Docker engine answers; starting a private one"
    DOCKER_HOST=$("$here/docker-engine.sh" start) || return
    started_engine=yes
  fi
  export DOCKER_HOST
  # Debian's engine has the classic builder only, and name service inside its bridge may be missing.
  export DOCKER_BUILDKIT=0 BUILD_NETWORK=host
  # Containers of this engine cannot have more files than this machine gives it.
  local limit
  limit=$(ulimit -Hn)
  [[ $limit == unlimited ]] || ((limit >= 65536)) || export FILE_LIMIT=$limit
}

find_compose() {
  if docker compose version >/dev/null 2>&1; then
    COMPOSE="docker compose"
  elif command -v docker-compose >/dev/null; then
    COMPOSE=docker-compose
  else
    say "neither 'docker compose' nor docker-compose is installed"
    return 1
  fi
  export COMPOSE
}

find_images() {
  local image
  for image in "${IMAGES[@]}"; do
    docker image inspect "$image" >/dev/null 2>&1 || timeout "$PULL_SECONDS" docker pull --quiet "$image" >/dev/null 2>&1 || {
      say "$image cannot be pulled"
      [[ $private == yes || ${STANDIN_IMAGES:-0} == 1 ]] || { say "set STANDIN_IMAGES=1 to build stand-ins in this engine" && return 1; }
      "$here/standin-images.sh" >&2
      return
    }
  done
}

tidy() {
  # The fixture takes its project down itself; this is for a test run that was killed.
  local left
  left=$(docker ps --all --quiet --filter "label=com.docker.compose.project=$COMPOSE_PROJECT_NAME" 2>/dev/null) || true
  [[ -z $left ]] || {
    # shellcheck disable=SC2086  # one word for each container
    docker rm --force --volumes $left >/dev/null || true
    docker network prune --force --filter "label=com.docker.compose.project=$COMPOSE_PROJECT_NAME" >/dev/null || true
    docker volume ls --quiet --filter "label=com.docker.compose.project=$COMPOSE_PROJECT_NAME" | xargs --no-run-if-empty docker volume rm >/dev/null || true
  }
  [[ $started_engine == no ]] || "$here/docker-engine.sh" stop || true
}

export COMPOSE_PROJECT_NAME=sms-test-$$
find_engine || { say "no Docker engine: the compose file was not tried" && exit "$NO_ENGINE"; }
trap tidy EXIT
find_compose
find_images
cd "$repository"
"$python" -m pytest -m compose tests/compose "$@"
