#!/usr/bin/env bash
# Lints what Python's tools do not read: shell scripts with ShellCheck, the portal's and the examples' JavaScript with Biome.
#
# ShellCheck is Debian's package, installed where that is allowed (SMS_INSTALL=0 forbids it). Biome comes from npm at its
# locked version. Where one of them cannot be had, the last line says what was left out.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
left_out=()

have_shellcheck() {
  command -v shellcheck >/dev/null && return
  [[ ${SMS_INSTALL:-1} != 0 && $(id -u) == 0 ]] && command -v apt-get >/dev/null || return
  apt-get -qq -o DPkg::Lock::Timeout=120 update >/dev/null || true
  DEBIAN_FRONTEND=noninteractive apt-get -qq -y -o DPkg::Lock::Timeout=120 install shellcheck >/dev/null
}

have_biome() {
  command -v npm >/dev/null || return
  [[ .run/lint/package-lock.json -nt deploy/lint/package-lock.json && -x .run/lint/node_modules/.bin/biome ]] && return
  mkdir -p .run/lint
  cp deploy/lint/package.json deploy/lint/package-lock.json .run/lint/
  npm ci --prefix .run/lint --no-audit --no-fund --loglevel=error >/dev/null
}

if have_shellcheck; then
  git ls-files -z '*.sh' .ci/run | xargs -0 shellcheck
else
  left_out+=("shell scripts (ShellCheck is missing)")
fi

if have_biome; then
  git ls-files -z '*.js' '*.mjs' | xargs -0 .run/lint/node_modules/.bin/biome lint --config-path=deploy/lint --error-on-warnings
else
  left_out+=("JavaScript (npm is missing)")
fi

for what in "${left_out[@]}"; do
  echo "lint: left out: $what" >&2
done
