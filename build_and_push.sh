#!/usr/bin/env bash
# Builds the image and pushes it to Amazon ECR, with docker and the AWS CLI (version 1 or 2) alone. Run by people and by
# CI. The last and only line on stdout is the image by digest, which is what to deploy.
set -euo pipefail

usage() {
    cat <<'TEXT'
Usage: build_and_push.sh [OPTION...] [NAME] [-- DOCKER-BUILD-ARGUMENT...]

Builds the image of this folder, creates the ECR repository NAME where it is missing, logs in, pushes, and prints
REGISTRY/NAME@sha256:... on stdout; progress goes to stderr.
A repository made here has the tag managed-by, is scanned on push, and loses what broken pushes left after 14 days.
NAME is sagemaker-serving by default: the managed SageMaker policy reaches only names that contain `sagemaker`.

  --instance-type TYPE  the type it will run on: a Graviton one (ml.c7g.large) means linux/arm64, others linux/amd64
  --platform PLATFORM   or the platform itself; the default is linux/amd64
  --model MODEL         add what the code/requirements.txt of this artifact asks for, a model.tar.gz or a folder
  --region REGION       default: AWS_REGION, AWS_DEFAULT_REGION, the AWS CLI's configuration
  --no-login            the registry is not ECR: create nothing, use docker's own login (needs ECR_REGISTRY)

Environment:
  ECR_REGISTRY  push to this registry host instead of the account's own ECR
  BASE_IMAGE    the base image, best by digest: python:3.11-slim-bookworm@sha256:...
TEXT
}

say() { echo "build_and_push: $*" >&2; }
die() {
    say "$*"
    exit 1
}

# SageMaker names Graviton families by a g after the generation (m6g, c7gn, r8gd), Grace ones by -gb.
# https://aws.amazon.com/sagemaker/ai/pricing/
platform_of() {
    [[ $1 =~ ^ml\.[a-z0-9-]+\.[a-z0-9-]+$ ]] || die "--instance-type $1 is not a type such as ml.m5.large"
    if [[ $1 =~ ^ml\.([a-z]+[0-9]+g[a-z]*|[a-z0-9]+-gb[0-9]+)\. ]]; then echo linux/arm64; else echo linux/amd64; fi
}

value() { if [[ ${2-} && $2 != -* ]]; then echo "$2"; else die "$1 needs a value"; fi; }

parse() {
    name=sagemaker-serving platform=linux/amd64 model='' region='' login=yes build_arguments=()
    local named=
    while (($#)); do
        case $1 in
        -h | --help)
            usage
            exit ;;
        --instance-type)
            platform=$(platform_of "${2-}")
            shift ;;
        --platform)
            platform=$(value "$@")
            shift ;;
        --model)
            model=$(value "$@")
            [[ -e $model ]] || die "--model $model is not there; give a model.tar.gz or a folder"
            model=$(realpath "$model")
            shift ;;
        --region)
            region=$(value "$@")
            shift ;;
        --no-login) login= ;;
        --)
            shift
            build_arguments=("$@")
            break ;;
        -*) die "unknown option $1; build_and_push.sh --help lists them" ;;
        *)
            [[ -z $named ]] || die "one NAME, not also $1"
            named=$1 name=$1 ;;
        esac
        shift
    done
}

# What is wrong with the command, this machine or the account costs no build.
# https://docs.aws.amazon.com/AmazonECR/latest/APIReference/API_CreateRepository.html, repositoryName
check() {
    [[ $platform =~ ^linux/(amd64|arm64)(/v[0-9]+)?$ ]] ||
        die "--platform $platform is neither linux/amd64 nor linux/arm64, which are all that SageMaker runs"
    [[ -z $model ]] || command -v python3 >/dev/null || die "python3 is not installed, which --model needs"
    [[ $name =~ ^[a-z0-9]+([._/-][a-z0-9]+)*$ && ${#name} -ge 2 ]] ||
        die "NAME $name must be lower-case letters and digits, with . _ - / between them and no tag"
    [[ $name == *sagemaker* ]] ||
        say "note: the managed SageMaker policy reaches only repositories whose name contains sagemaker; $name does not"
    command -v docker >/dev/null || die "docker is not installed: https://docs.docker.com/get-docker/"
    docker version >/dev/null 2>&1 || die "the Docker engine does not answer; start it (docker version says more)"
    if [[ $login ]]; then
        command -v aws >/dev/null || die "the AWS CLI is not installed: https://aws.amazon.com/cli/"
        find_region
        find_repository
    else
        [[ ${ECR_REGISTRY-} ]] || die "--no-login needs ECR_REGISTRY, the registry to push to"
    fi
}

# The commit, marked when the tree holds more than it; empty outside of git.
find_revision() {
    revision=$(git rev-parse HEAD 2>/dev/null) || return 0
    [[ -z $(git status --porcelain) ]] || revision+=-dirty
}

# Where the source lives, without the token that a clone URL may carry.
source_url() { git config --get remote.origin.url 2>/dev/null | sed 's#//[^/@]*@#//#' || true; }

# SageMaker refuses OCI indexes, and BuildKit's attestations turn a single image into one:
# https://github.com/aws/amazon-sagemaker-feedback/issues/180
build() {
    local base=(docker build)
    if docker buildx version >/dev/null 2>&1; then
        base=(docker buildx build --provenance=false --sbom=false --output type=docker)
    fi
    base+=(--platform "$platform")
    local command=("${base[@]}" --build-arg "REVISION=$revision" --build-arg "SOURCE=$(source_url)")
    [[ -z ${BASE_IMAGE-} ]] || command+=(--build-arg "BASE_IMAGE=$BASE_IMAGE")
    say "building $name for $platform"
    "${command[@]}" -t "$name:build" ${build_arguments[@]+"${build_arguments[@]}"} . >&2
    [[ -z $model ]] || add_requirements "${base[@]}"
}

# A layer on top: docs/scripts.md.
add_requirements() {
    python3 -m local_test.take_requirements "$model" build/model >&2 || die "$model: see above"
    [[ ! -e build/model ]] ||
        "$@" --build-arg "IMAGE=$name:build" -f Dockerfile.model -t "$name:build" build/model >&2
}

# The wrong architecture shows on the endpoint only, after half an hour, as an exec format error.
check_image() {
    local built stand_in
    built=$(docker image inspect -f '{{.Os}}/{{.Architecture}}' "$name:build")
    [[ $platform == "$built" || $platform == "$built"/* ]] || die "the image is $built, not $platform"
    stand_in=$(docker image inspect -f '{{index .Config.Labels "stand-in"}}' "$name:build")
    [[ $stand_in != true ]] || die "the base image is labelled a stand-in for tests; pull the real one or set BASE_IMAGE"
}

# Git's commit for people, the image's own hash for truth: never `latest`, which deploys whatever was there.
content_tag() {
    local id commit=${revision:0:12}
    [[ $revision != *-dirty ]] || commit+=-dirty
    id=$(docker image inspect -f '{{.Id}}' "$name:build")
    id=${id#sha256:}
    echo "$commit${commit:+-}${id:0:12}"
}

aws_ecr() { AWS_PAGER='' aws ecr "$@" --region "$region"; }

find_region() {
    region=${region:-${AWS_REGION:-${AWS_DEFAULT_REGION:-$(aws configure get region 2>/dev/null || true)}}}
    [[ $region ]] || die "no AWS region: give --region, or set AWS_REGION"
}

# Each push has a tag of its own, so an image without one is what a broken push left, never what an endpoint runs.
lifecycle='{"rules": [{"rulePriority": 1, "description": "what broken pushes left",
  "selection": {"tagStatus": "untagged", "countType": "sinceImagePushed", "countUnit": "days", "countNumber": 14},
  "action": {"type": "expire"}}]}'

# As deploy/names.py marks what it makes.
mark_key=managed-by mark=sagemaker-serving-deploy

# Sets uri, arn and scanned; uri stays empty where there is no such repository. ECR's own answer names the registry:
# account, region and partition need no guess.
find_repository() {
    local answer found
    uri=''
    answer=$(aws_ecr describe-repositories --repository-names "$name" --output text \
        --query 'repositories[0].[repositoryUri,repositoryArn,imageScanningConfiguration.scanOnPush]' 2>&1) || true
    [[ $answer != *RepositoryNotFoundException* ]] || return 0
    # Alone on its line: the CLI may print warnings beside it.
    found=$(grep -E "^[^[:space:]]+/$name"$'\t' <<<"$answer") || die "ECR in $region gave no repository $name: $answer"
    IFS=$'\t' read -r uri arn scanned <<<"$found"
}

create() { aws_ecr create-repository --repository-name "$name" --image-scanning-configuration scanOnPush=true "$@" 2>&1; }

create_repository() {
    local answer
    say "creating the ECR repository $name in $region"
    answer=$(create --tags "Key=$mark_key,Value=$mark") || true
    if [[ $answer == *ecr:TagResource* ]]; then # which the managed SageMaker policy lacks
        say "note: $name gets no tag $mark_key; that needs ecr:TagResource"
        answer=$(create) || true
    fi
    [[ $answer == *RepositoryAlreadyExistsException* ]] || ours=yes # else another run was quicker
    find_repository
    [[ $uri ]] || die "ECR in $region gave no repository $name: $answer"
}

is_ours() {
    [[ ${ours-} || $mark == "$(aws_ecr list-tags-for-resource --resource-arn "$arn" --output text \
        --query "tags[?Key=='$mark_key'].Value" 2>/dev/null)" ]]
}

# A repository of ours may lack this too: a run may have been killed right after it made it.
complete_repository() {
    [[ $scanned == True ]] ||
        lacks PutImageScanningConfiguration put-image-scanning-configuration --image-scanning-configuration scanOnPush=true
    if [[ $(aws_ecr get-lifecycle-policy --repository-name "$name" 2>&1) == *LifecyclePolicyNotFoundException* ]]; then
        lacks PutLifecyclePolicy put-lifecycle-policy --lifecycle-policy-text "$lifecycle"
    fi
}

# lacks ACTION COMMAND OPTION VALUE: does it to a repository of ours, and tells how of somebody else's.
lacks() {
    if ! is_ours; then
        say "note: $name has no tag $mark_key of ours and stays as it is; it lacks this: aws ecr $2 --repository-name $name --region $region $3 '$4'"
    elif ! aws_ecr "$2" --repository-name "$name" "$3" "$4" >/dev/null; then
        say "note: $2 was refused for $name; it needs ecr:$1"
    fi
}

# Right before each push: a token is good for 12 hours, and a build may have waited longer.
log_in() {
    aws_ecr get-login-password | docker login --username AWS --password-stdin "$registry" >&2 ||
        die "no login at $registry: needs ecr:GetAuthorizationToken and AWS CLI 1.17.10 or later"
}

push_once() { docker push "$1" | tee >(cat >&2) | sed -n 's/.*digest: \(sha256:[0-9a-f]*\).*/\1/p'; }

# Prints the digest. A second try goes on where the first broke: finished layers are there already.
push() {
    local digest attempt attempts=4
    for ((attempt = 1; attempt <= attempts; attempt++)); do
        [[ -z $login ]] || log_in
        if digest=$(push_once "$1") && [[ $digest ]]; then
            echo "$digest"
            return
        fi
        say "push $attempt of $attempts failed"
        ((attempt == attempts)) || sleep $((attempt * 2))
    done
    die "$1 could not be pushed"
}

# What the registry holds, as "MEDIA-TYPE OS/ARCHITECTURE"; nothing where it does not say.
read_back() {
    local insecure=()
    [[ ! $registry =~ ^(127\.|localhost) ]] || insecure=(--insecure)
    DOCKER_CLI_EXPERIMENTAL=enabled docker manifest inspect -v ${insecure[@]+"${insecure[@]}"} "$1" | awk -F'"' '
        NR == 1 && /^\[/ { several = 1 }
        $4 != "" && !($2 in first) { first[$2] = $4 }
        END { if (several) print "index of several manifests"
              else if (NR) print first["mediaType"] " " first["os"] "/" first["architecture"] }'
}

# An engine may push something else than it built: with the containerd image store it is OCI's format.
check_pushed() {
    local pushed media_type=application/vnd.docker.distribution.manifest.v2+json
    pushed=$(read_back "$1") || true
    case $pushed in
    "$media_type $platform" | "$media_type ${platform%/v*}") ;; # linux/arm64/v8 is told as linux/arm64
    '') die "$1 was pushed but could not be read back to be checked" ;;
    "$media_type "*) die "the registry has $1 for ${pushed#* }, not $platform" ;;
    *) die "SageMaker takes no ${pushed% *}; switch off the containerd image store or install buildx" ;;
    esac
}

main() {
    parse "$@"
    cd "$(dirname "${BASH_SOURCE[0]}")"
    check
    find_revision
    build
    check_image

    local registry digest
    if [[ $login ]]; then
        [[ $uri ]] || create_repository
        complete_repository
    fi
    registry=${ECR_REGISTRY:-${uri%%/*}}
    local target=$registry/$name tag
    tag=$(content_tag)
    docker tag "$name:build" "$target:$tag"
    say "pushing $target:$tag"
    digest=$(push "$target:$tag")
    check_pushed "$target@$digest"
    echo "$target@$digest"
}

main "$@"
