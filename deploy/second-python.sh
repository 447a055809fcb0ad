#!/usr/bin/env bash
# Runs the unit tests on a second Python, in .venv-second: the newest from 3.11 on that is on this machine and is not
# the one of .venv. Ends with 3 when there is none. SECOND_PYTHON names one.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

minor() {
  "$1" -c 'import sys; print("%d.%d" % sys.version_info[:2])' 2>/dev/null
}

candidates() {
  if [[ -n ${SECOND_PYTHON:-} ]]; then
    echo "$SECOND_PYTHON"
    return
  fi
  local name
  for name in python3.14 python3.13 python3.12 python3.11; do
    command -v "$name" || true
    # Where pyenv has versions that no shim chooses.
    compgen -G "${PYENV_ROOT:-$HOME/.pyenv}/versions/${name#python}.*/bin/python" || true
  done
}

first=$(minor .venv/bin/python || echo none)
for python in $(candidates); do
  version=$(minor "$python") || continue
  if [[ $version != "$first" ]]; then
    echo "second-python: the unit tests on Python $version" >&2
    VENV=.venv-second PYTHON=$python make test-unit
    exit
  fi
done
echo "second-python: no other Python than $first is here, so nothing was run" >&2
exit 3
