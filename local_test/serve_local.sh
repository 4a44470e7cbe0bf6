#!/usr/bin/env bash
# Serves in a container as the platform does: `docker run IMAGE serve`, the model read-only, no way out.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
# shellcheck source=local_test/platform.sh
source "$here/platform.sh"

usage() {
    cat <<'TEXT'
Usage: serve_local.sh IMAGE [-- DOCKER-RUN-ARGUMENT...]

Runs `IMAGE serve` on test_dir/model, says when it is ready at http://127.0.0.1:8080, shows its log, and stops it on
Ctrl-C with 30 s to drain, as the platform does. Exits with the server's code. Then, elsewhere: predict.sh PAYLOAD
The container has the model read-only, a read-only root, no capabilities, memory and CPU limits, and no way out of this
machine: a second small container carries connections in from 127.0.0.1, where docker alone would publish none.

TEXT
    environment_text
    echo "  PORT=8080         the port on 127.0.0.1"
    echo "  NETWORK=bridge    a network with a way out, and no container between; to compare or to measure speed"
}

serve() {
    docker run -d --name "$name" --network "$1" "${restrictions[@]}" \
        -v "$test_dir/model:/opt/ml/model:ro" "${@:2}" \
        ${docker_arguments[@]+"${docker_arguments[@]}"} "$image" serve >/dev/null
}

# docker publishes no port of a network without a way out, so relay.py stands in both networks.
serve_isolated() {
    docker network create --internal "$name" >/dev/null
    serve "$name"
    docker run -d --name "$name-relay" -p "127.0.0.1:$port:8080" -v "$here/relay.py:/relay.py:ro" --read-only \
        --cap-drop ALL --entrypoint python "$image" /relay.py 8080 "$name" 8080 >/dev/null
    docker network connect "$name" "$name-relay"
}

running() { [[ $(docker inspect -f '{{.State.Running}}' "$name" 2>/dev/null) == true ]]; }

announce() {
    until curl -fs -o /dev/null --max-time 2 "$url/ping"; do
        running || return 0
        sleep 0.2
    done
    echo "serve_local.sh: ready at $url after $SECONDS s; Ctrl-C stops it" >&2
}

# shellcheck disable=SC2317 # called by trap
stop() { docker stop -t 30 "$name" >/dev/null 2>&1 || true; }

# shellcheck disable=SC2317 # called by trap
clean_up() {
    docker rm -f "$name" "$name-relay" >/dev/null 2>&1 || true
    docker network rm "$name" >/dev/null 2>&1 || true
}

parse "$@"
command -v curl >/dev/null || die "curl is not installed"
check_docker "$image"
test_dir=${TEST_DIR:-$here/test_dir}
[[ -d $test_dir/model ]] || die "there is no $test_dir/model; make one with train_local.sh, or set TEST_DIR"
test_dir=$(cd "$test_dir" && pwd)
port=${PORT:-8080}
name=sagemaker-serve-$port
url=http://127.0.0.1:$port
! docker inspect "$name" >/dev/null 2>&1 || die "$name runs already; choose another PORT, or: docker rm -f $name"
restrict
trap clean_up EXIT
trap stop INT TERM
if [[ ${NETWORK:-internal} == internal ]]; then
    serve_isolated
else
    serve "$NETWORK" -p "127.0.0.1:$port:8080"
fi
announce &
follow "$name"
echo "serve_local.sh: the server ended with exit code $code" >&2
exit "$code"
