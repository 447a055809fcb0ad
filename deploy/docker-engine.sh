#!/usr/bin/env bash
# A private Docker engine for machines where none answers: own data, own socket, nothing that another engine would notice.
#
#   docker-engine.sh start   installs Debian's docker.io and docker-compose if they are absent (needs root), starts dockerd
#                            and prints the DOCKER_HOST to use
#   docker-engine.sh stop    stops it and keeps its images and volumes
#   docker-engine.sh purge   stops it and deletes everything it held
#   docker-engine.sh status  prints the DOCKER_HOST and exits 0 when it answers
#
# Everything lies below .run/docker, or below the directory that DOCKER_ENGINE_DIR names.
set -euo pipefail

repository=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
directory=${DOCKER_ENGINE_DIR:-$repository/.run/docker}
socket=$directory/docker.sock
pid_file=$directory/docker.pid
log=$directory/dockerd.log
bridge_mark=$directory/made-docker0
export DOCKER_HOST=unix://$socket
readonly START_SECONDS=60 STOP_SECONDS=30

complain() {
  echo "docker-engine: $*" >&2
  exit 1
}

answers() {
  [[ -S $socket ]] && timeout 10 docker version --format '{{.Server.Version}}' >/dev/null 2>&1
}

# The process of our pid file, and only if it is a dockerd: the number may belong to somebody else by now.
running_pid() {
  local pid
  [[ -f $pid_file ]] && pid=$(<"$pid_file") && [[ $(cat "/proc/$pid/comm" 2>/dev/null) == dockerd ]] && echo "$pid"
}

install_packages() {
  command -v dockerd >/dev/null && command -v docker >/dev/null && command -v docker-compose >/dev/null && return
  command -v apt-get >/dev/null || complain "dockerd, docker or docker-compose is missing and there is no apt-get to install it with"
  echo "docker-engine: installing docker.io and docker-compose" >&2
  {
    apt-get update -qq
    DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends docker.io docker-compose
  } >"$directory/apt.log" 2>&1 || { tail -5 "$directory/apt.log" >&2 && complain "apt-get failed; all of it is in $directory/apt.log"; }
}

start() {
  answers && return
  [[ $(id -u) == 0 ]] || complain "an engine can be started by root only; start one yourself and set DOCKER_HOST"
  # The kernel takes no longer path for a socket than 107 bytes, and containerd puts its own 30 bytes deeper.
  ((${#directory} <= 70)) || complain "$directory is too long a path for its sockets; set DOCKER_ENGINE_DIR to a shorter one"
  mkdir -p "$directory"
  install_packages
  [[ -z $(running_pid) ]] || stop
  rm -f "$pid_file" "$socket"
  [[ -e /sys/class/net/docker0 ]] || touch "$bridge_mark"
  # Containers may be given as many files as the machine allows; a low soft limit would starve RabbitMQ.
  ulimit -n "$(ulimit -Hn)"
  setsid dockerd --data-root "$directory/data" --exec-root "$directory/exec" --pidfile "$pid_file" --host "$DOCKER_HOST" \
    </dev/null >"$log" 2>&1 &
  local deadline=$((SECONDS + START_SECONDS))
  until answers; do
    if ((SECONDS >= deadline)) || ! kill -0 $! 2>/dev/null; then
      tail -15 "$log" >&2
      complain "dockerd did not start; all of its log is in $log"
    fi
    sleep 0.3
  done
}

stop() {
  local pid deadline=$((SECONDS + STOP_SECONDS))
  if pid=$(running_pid); then
    kill -TERM "$pid"
    while [[ -e /proc/$pid ]]; do
      ((SECONDS < deadline)) || complain "dockerd (process $pid) is still running after $STOP_SECONDS s"
      sleep 0.2
    done
  fi
  if [[ -e $bridge_mark ]]; then
    rm -f "$bridge_mark"
    ip link delete docker0 2>/dev/null || true
  fi
}

# dockerd leaves a network namespace mounted below its exec root, which would keep the directory from being deleted.
unmount() {
  local place
  awk -v below="$directory/" 'index($2, below) == 1 { print $2 }' /proc/mounts | sort -r | while read -r place; do
    umount "$place"
  done
}

case ${1:-} in
  start) start && echo "$DOCKER_HOST" ;;
  stop) stop ;;
  purge) stop && unmount && rm -rf "$directory" ;;
  status) answers && echo "$DOCKER_HOST" ;;
  *) complain "say start, stop, purge or status" ;;
esac
