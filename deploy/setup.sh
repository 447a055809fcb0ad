#!/usr/bin/env bash
# Makes .venv and installs into it every locked dependency, hash-checked, and the given packages of this repository.
#
#   setup.sh PACKAGE...
#
# PYTHON names the interpreter to use; else the newest of python3.11 to python3.14 and python3 is taken. VENV names
# another directory than .venv. SMS_INSTALL=0 forbids installing Debian's python3-venv where it is missing.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
readonly VENV=${VENV:-.venv}

complain() {
  echo "setup: $*" >&2
  exit 1
}

recent() {
  "$1" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null
}

find_python() {
  local name
  for name in ${PYTHON:-python3.14 python3.13 python3.12 python3.11 python3}; do
    if command -v "$name" >/dev/null && recent "$name"; then
      echo "$name"
      return
    fi
  done
  complain "no Python 3.11 or newer was found; install one, or name it: PYTHON=/path/to/python make setup"
}

# Debian keeps what a virtual environment needs in a package of its own.
install_venv() {
  local package sudo=()
  package=$("$1" -c 'import sys; print(f"python3.{sys.version_info.minor}-venv")')
  if [[ $(id -u) != 0 ]]; then
    sudo=(sudo -n)
    sudo -n true 2>/dev/null || complain "$package is missing. Run: sudo apt-get install $package"
  fi
  command -v apt-get >/dev/null || complain "$1 cannot make virtual environments: its module ensurepip is missing"
  [[ ${SMS_INSTALL:-1} != 0 ]] || complain "$package is missing and SMS_INSTALL=0 forbids installing it"
  echo "setup: installing $package" >&2
  "${sudo[@]}" apt-get -qq -o DPkg::Lock::Timeout=120 update || true
  "${sudo[@]}" env DEBIAN_FRONTEND=noninteractive apt-get -qq -y -o DPkg::Lock::Timeout=120 install "$package" >/dev/null
}

if ! { [[ -x $VENV/bin/python ]] && recent "$VENV/bin/python" && "$VENV/bin/python" -m pip --version >/dev/null 2>&1; }; then
  python=$(find_python)
  "$python" -c 'import ensurepip, venv' 2>/dev/null || install_venv "$python"
  rm -rf "$VENV"
  "$python" -m venv "$VENV"
fi

echo "setup: installing into $VENV" >&2
export PIP_DISABLE_PIP_VERSION_CHECK=1
# The lock names everything, so nothing is left to resolve; pip 23 would otherwise fetch the newest version of a package
# that another one wants with an extra, and then refuse it for want of a hash.
"$VENV/bin/python" -m pip install --quiet --no-deps --require-hashes --requirement requirements-dev.lock
editable=()
for package in "$@"; do
  editable+=(--editable "$package")
done
"$VENV/bin/python" -m pip install --quiet --no-deps --no-build-isolation "${editable[@]}"
# Not resolved, but checked: a lock that lacks something must not pass.
"$VENV/bin/python" -m pip check >/dev/null || complain "what is installed does not fit together; see $VENV/bin/python -m pip check"
touch "$VENV/.installed"
