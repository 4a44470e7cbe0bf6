#!/usr/bin/env bash
# Makes sure that wrk, the load generator, is there: through apt-get where that is allowed, else one sentence.
set -euo pipefail

if command -v wrk >/dev/null; then
    exit 0
fi

install_with_apt() {
    echo "wrk is missing; installing it with apt-get"
    "$@" apt-get update -qq
    "$@" env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends wrk >/dev/null
}

if command -v apt-get >/dev/null; then
    if [[ $(id -u) == 0 ]]; then
        install_with_apt
    elif command -v sudo >/dev/null && sudo -n true 2>/dev/null; then
        install_with_apt sudo
    else
        echo "wrk is missing. Run this, then try again: sudo apt-get install wrk" >&2
        exit 1
    fi
elif command -v dnf >/dev/null; then
    echo "wrk is missing. Run this, then try again: sudo dnf install wrk" >&2
    exit 1
else
    echo "wrk is missing. Install it with your system's package manager; its source: https://github.com/wg/wrk" >&2
    exit 1
fi
command -v wrk >/dev/null
