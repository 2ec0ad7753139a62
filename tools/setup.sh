#!/usr/bin/env bash
# Make .venv as requirements.lock says. Run again: nothing to do takes a moment, anything half done is done again.
# A failure prints one line that says what to do. PYTHON=python3.12 chooses another Python.
set -euo pipefail
cd "$(dirname "$0")/.."
stamp=.venv/setup-stamp   # what is installed; "unfinished" while we work, so that a killed set-up is seen
log=.venv/setup.log
needed_mb=4000            # packages, models and caches

stop() { echo "Set-up stopped: $1" >&2; exit "${2:-1}"; }
trap 'stop "it was interrupted. Run the same command again." 130' INT TERM HUP

free_mb() { df -Pk . | awk 'NR == 2 { print int($4 / 1024) }'; }
disk_full() { stop "the disk is full ($(free_mb) MB free here, about $needed_mb needed). Make room, then run the same command again."; }

find_python() {
  if [ -n "${PYTHON:-}" ]; then set -- "$PYTHON"; else set -- python3 python3.13 python3.12 python3.11; fi
  for python; do
    "$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && return
  done
  stop "no Python 3.11 or newer found (tried: $*). Install one, or name one: make lab PYTHON=/path/to/python3.12"
}

explain() { # after a failed step: the log knows the reason
  if grep -qiE 'no space left|disk quota' "$log" 2>/dev/null || [ "$(free_mb)" -lt 50 ]; then
    disk_full
  elif grep -qiE 'ConnectionError|connection (broken|refused|reset)|name resolution|timed out|max retries|unreachable' "$log"; then
    stop "no network: the package index did not answer. Connect, then run the same command again."
  fi
  stop "$1 failed; the end of $log says: $(grep -E '[^[:space:]]' "$log" | grep -v '^WARNING' | tail -n 3 | tr '\n' ' ')"
}

pip_install() { # quietly: pip's own words go to the log
  .venv/bin/python -m pip install -q --disable-pip-version-check --no-input --retries 2 "$@" >>"$log" 2>&1 ||
    explain "pip install $*"
}

if command -v flock >/dev/null; then # two set-ups at once would remove each other's files
  exec 9<requirements.lock
  flock 9
fi

# The folder belongs to the key because a virtual environment does not survive being moved.
key="$(cat requirements.lock pyproject.toml | cksum) in $PWD"
made="$(cat "$stamp" 2>/dev/null || true)"
if [ "$made" = "$key" ] && .venv/bin/python -c '' 2>/dev/null; then exit 0; fi

find_python
"$python" -c 'import venv, ensurepip' 2>/dev/null ||
  stop "$python has no venv module. On Debian and Ubuntu: apt install python3-venv. Then run the same command again."

# An environment that is whole is brought up to date; one that is unfinished, moved or broken is made anew.
case "$made" in "" | *" in $PWD") whole=yes ;; *) whole=no ;; esac
if [ $whole = no ] || ! .venv/bin/python -m pip --version >/dev/null 2>&1; then
  rm -rf .venv
  [ "$(free_mb)" -ge $needed_mb ] || disk_full
fi
{ mkdir -p .venv && echo unfinished >"$stamp" && : >"$log"; } 2>/dev/null || stop "cannot write in $PWD/.venv. Is the disk full, or the folder read-only?"

torch="$(grep -oE '^torch==[0-9.]+' requirements.lock)"
echo "Setting up .venv: once, a few minutes and about 2 GB. Details: $log"
if [ ! -e .venv/bin/pip ]; then "$python" -m venv .venv >>"$log" 2>&1 || explain "making .venv"; fi
echo "  1/3 $torch"
pip_install --constraint requirements.lock "$torch" # first and with what it depends on: on CUDA machines that is more than the lock
echo "  2/3 $(grep -c == requirements.lock) packages of requirements.lock"
pip_install --no-deps -r requirements.lock
echo "  3/3 llmrec-lab"
pip_install --no-deps --no-build-isolation -e . # the lock has the build backend, so this needs no network
# JupyterLab neither asks for news nor looks for updates: no pop-up, and nothing leaves the machine.
mkdir -p .venv/etc/jupyter/labconfig
echo '{"disabledExtensions": {"@jupyterlab/apputils-extension:announcements": true}}' >.venv/etc/jupyter/labconfig/page_config.json
echo "$key" >"$stamp"
