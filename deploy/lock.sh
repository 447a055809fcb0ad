#!/usr/bin/env bash
# Resolves the dependencies of the given packages into the three locks: requirements.lock (what the services run with),
# requirements-build.lock (what installs our packages) and requirements-dev.lock (both, and the tools of a developer).
#
#   lock.sh PACKAGE...
#
# Versions that still fit are kept; UPGRADE=1 takes the newest ones.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
readonly UV_VERSION=0.13.9
tools=.run/tools/uv-$UV_VERSION

if [[ ! -x $tools/bin/uv ]]; then
  python=$([[ -x .venv/bin/python ]] && echo .venv/bin/python || echo python3)
  "$python" -m venv "$tools"
  "$tools/bin/python" -m pip install --quiet --disable-pip-version-check "uv==$UV_VERSION"
fi

compile() {
  local output=$1
  shift
  "$tools/bin/uv" pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url \
    --no-emit-find-links --no-header --no-annotate --no-emit-package sms-common ${UPGRADE:+--upgrade} --output-file "$output" "$@"
}

projects=("${@/%//pyproject.toml}")
compile requirements.lock "${projects[@]}"
compile requirements-build.lock --group pyproject.toml:build
compile requirements-dev.lock --group pyproject.toml:dev --group pyproject.toml:build --constraints requirements.lock "${projects[@]}"
