#!/usr/bin/env bash
# Trains in a container as the platform does: `docker run IMAGE train` on the folder that becomes /opt/ml.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
# shellcheck source=local_test/platform.sh
source "$here/platform.sh"

usage() {
    cat <<'TEXT'
Usage: train_local.sh IMAGE [-- DOCKER-RUN-ARGUMENT...]

Runs `IMAGE train` on test_dir: reads test_dir/input/{config,data}, leaves the model in test_dir/model, shows the job's
log while it runs and exits with its code. model/ and output/ start empty, as they do on the platform.
The container has no network, a read-only root, no capabilities, and memory and CPU limits.

TEXT
    environment_text
    echo "  NETWORK=bridge    give it a network; the default is none"
}

prepare() {
    [[ -d $test_dir/input ]] || die "there is no $test_dir/input with config/ and data/; set TEST_DIR"
    rm -rf "$test_dir/model" "$test_dir/output"
    mkdir -p "$test_dir/model" "$test_dir/output/data"
}

# input is mounted once more, read-only: in FastFile mode it is so, and a job that writes there would fail.
train() {
    docker run -d --name "$name" --network "${NETWORK:-none}" "${restrictions[@]}" \
        -v "$test_dir:/opt/ml" -v "$test_dir/input:/opt/ml/input:ro" \
        ${docker_arguments[@]+"${docker_arguments[@]}"} "$image" train >/dev/null
}

# As the platform does: SIGTERM, and SIGKILL after 120 s.
# shellcheck disable=SC2317 # called by trap
stop() { docker stop -t 120 "$name" >/dev/null 2>&1 || true; }

# shellcheck disable=SC2317 # called by trap
clean_up() { docker rm -f "$name" >/dev/null 2>&1 || true; }

report() {
    echo "train_local.sh: exit code $code after $SECONDS s" >&2
    if ((code)); then
        [[ ! -s $test_dir/output/failure ]] || cat "$test_dir/output/failure" >&2
    else
        (cd "$test_dir" && find model -type f -exec ls -l {} +) >&2
    fi
}

parse "$@"
check_docker "$image"
test_dir=${TEST_DIR:-$here/test_dir}
prepare
test_dir=$(cd "$test_dir" && pwd)
name=sagemaker-train-$$
restrict
trap clean_up EXIT
trap stop INT TERM
train
follow "$name"
report
exit "$code"
