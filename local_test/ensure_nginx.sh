#!/usr/bin/env bash
# Makes sure that nginx is there: through the system's package manager where that is allowed, else one sentence.
set -euo pipefail

PATH="$PATH:/usr/sbin:/usr/local/sbin:/opt/homebrew/bin"
if command -v "${SERVING_NGINX:-nginx}" >/dev/null; then
    exit 0
fi
if [[ -n ${SERVING_NGINX:-} ]]; then
    echo "SERVING_NGINX=$SERVING_NGINX is not a program. Set it to nginx's path or unset it." >&2
    exit 1
fi

install_with_apt() {
    echo "nginx is missing; installing nginx-light with apt-get"
    "$@" apt-get update -qq
    "$@" env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends nginx-light >/dev/null
    # Debian starts what it installs; nobody asked for a server on port 80.
    if [[ -d /run/systemd/system ]]; then
        "$@" systemctl disable --now --quiet nginx
    fi
}

if command -v apt-get >/dev/null; then
    if [[ $(id -u) == 0 ]]; then
        install_with_apt
    elif command -v sudo >/dev/null && sudo -n true 2>/dev/null; then
        install_with_apt sudo
    else
        echo "nginx is missing. Run this, then try again: sudo apt-get update && sudo apt-get install nginx-light" >&2
        exit 1
    fi
elif command -v brew >/dev/null; then
    echo "nginx is missing; installing it with brew"
    brew install nginx
elif command -v dnf >/dev/null; then
    echo "nginx is missing. Run this, then try again: sudo dnf install nginx" >&2
    exit 1
else
    echo "nginx is missing. Install it with your system's package manager, or set SERVING_NGINX to its path." >&2
    exit 1
fi
command -v nginx >/dev/null
