#!/usr/bin/env bash
# Sends one request to the server of serve_local.sh, or of `make serve`: the answer on stdout, the status on stderr.
set -euo pipefail

usage() {
    cat <<'TEXT'
Usage: predict.sh PAYLOAD [CONTENT_TYPE]

Posts the file PAYLOAD (- is stdin) to /invocations. CONTENT_TYPE is told from the file's name where it is not given:
.json, .jsonl, .npy, .txt, and text/csv for all else; a name that ends in .gz is sent as gzip.
Exits with 0 when the answer is 2xx, 1 when it is an error, 7 when no server answers.

Environment:
  PORT=8080   the port on 127.0.0.1
  URL=...     or the whole address: http://127.0.0.1:8080
  ACCEPT=...  the media type to ask for
TEXT
}

die() {
    echo "predict.sh: $2" >&2
    exit "$1"
}

media_type() {
    case ${1%.gz} in
    *.json) echo application/json ;;
    *.jsonl) echo application/jsonlines ;;
    *.npy) echo application/x-npy ;;
    *.txt) echo text/plain ;;
    *) echo text/csv ;;
    esac
}

case ${1-} in
-h | --help)
    usage
    exit ;;
'')
    usage >&2
    exit 2 ;;
esac
payload=$1
[[ $payload == - || -r $payload ]] || die 2 "there is no file $payload"
command -v curl >/dev/null || die 2 "curl is not installed"

url=${URL:-http://127.0.0.1:${PORT:-8080}}
headers=(-H "Content-Type: ${2:-$(media_type "$payload")}")
[[ -z ${ACCEPT-} ]] || headers+=(-H "Accept: $ACCEPT")
[[ $payload != *.gz ]] || headers+=(-H "Content-Encoding: gzip")

answer=$(mktemp)
trap 'rm -f "$answer"' EXIT
facts=$(curl -sS -o "$answer" -w '%{http_code} %{time_total} %{content_type}' \
    "${headers[@]}" --data-binary "@$payload" "$url/invocations") ||
    die 7 "no server answers at $url; start one: local_test/serve_local.sh IMAGE"
cat "$answer"
[[ -z $(tail -c 1 "$answer") ]] || echo
read -r status seconds type <<<"$facts"
echo "HTTP $status, $type, $seconds s" >&2
[[ $status == 2* ]]
