# What train_local.sh and serve_local.sh share: the platform's restrictions as arguments of docker run, and the checks.
# shellcheck shell=bash
# shellcheck disable=SC2034 # image, docker_arguments and code are for the script that sources this

die() {
    echo "${0##*/}: $*" >&2
    exit 1
}

environment_text() {
    cat <<'TEXT'
Environment, to relax a restriction:
  MEMORY=2g         memory limit, without swap
  CPUS=2            CPU limit; at most what the engine has
  RUN_AS=UID[:GID]  the user in the container; default: you, so that what it writes is yours (the platform: 0, root)
  WRITABLE_ROOT=1   leave the root file system writable; by default only /tmp and, for train, /opt/ml are
  DOCKER_ARGS=...   more arguments for docker run, split at blanks; those after -- are passed as they are
  TEST_DIR=...      the folder that becomes /opt/ml; default: test_dir beside this script
TEXT
}

check_docker() {
    command -v docker >/dev/null || die "docker is not installed: https://docs.docker.com/get-docker/"
    docker version >/dev/null 2>&1 || die "the Docker engine does not answer; start it (docker version says more)"
    docker image inspect "$1" >/dev/null 2>&1 || die "there is no image $1 here; build it: docker build -t $1 ."
}

# In a rootless engine, root in the container is you outside.
caller() {
    if [[ $(docker info -f '{{.SecurityOptions}}') == *rootless* ]]; then echo 0:0; else echo "$(id -u):$(id -g)"; fi
}

# Two CPUs, as ml.m5.large has; docker refuses more than the engine's.
cpus() {
    local available
    available=$(docker info -f '{{.NCPU}}')
    echo $((available < 2 ? available : 2))
}

# Sets `restrictions`; the platform adds no privilege, and /dev/shm is its 64 MB.
# No swap: an endpoint that needs more memory than it has is killed, it does not slow down.
restrict() {
    local memory=${MEMORY:-2g}
    restrictions=(--memory "$memory" --memory-swap "$memory" --cpus "${CPUS:-$(cpus)}" --user "${RUN_AS:-$(caller)}")
    restrictions+=(--cap-drop ALL --security-opt no-new-privileges --shm-size 64m --tmpfs /tmp:exec)
    [[ ${WRITABLE_ROOT-} ]] || restrictions+=(--read-only)
    local more
    read -r -a more <<<"${DOCKER_ARGS-}"
    restrictions+=(${more[@]+"${more[@]}"})
}

# Shows the container's log until it ends, then sets `code` to its exit code. A signal that the caller traps on the way
# interrupts only the waiting.
follow() {
    docker logs -f "$1" &
    while kill -0 $! 2>/dev/null; do wait $! || true; done
    until code=$(docker wait "$1"); do :; done
}

# Splits `IMAGE [-- ARGUMENT...]`: sets `image` and `docker_arguments`.
parse() {
    case ${1-} in
    -h | --help)
        usage
        exit ;;
    '' | -*)
        usage >&2
        exit 2 ;;
    esac
    image=$1
    shift
    if [[ ${1-} == -- ]]; then
        shift
    elif (($#)); then
        die "one IMAGE; arguments for docker run go after --"
    fi
    docker_arguments=("$@")
}
