#!/usr/bin/env bash
# One real-time endpoint by the AWS CLI alone, version 1 or 2. A worked example: docs/deploy-elsewhere.md.
# Whoever wants a plan, a rollback or another mode takes `python -m deploy`.
# shellcheck disable=SC2153 # NAME and the others are the caller's
set -euo pipefail

usage='Usage: aws_cli.sh up | invoke FILE | down
With NAME in the environment; for up also IMAGE (by digest), ARTIFACT (s3://.../model.tar.gz), ROLE (an ARN);
TYPE (ml.m5.large) and MAX_INSTANCES (no scaling) may be set.'
TYPE=${TYPE:-ml.m5.large}
export AWS_PAGER='' # version 2 would open one

say() { echo "aws_cli.sh: $*" >&2; }

# What is there already is there: the names are made of the content.
create() {
    local answer
    answer=$("$@" 2>&1 >/dev/null) || [[ $answer == *"already existing"* ]] || {
        say "$answer"
        return 1
    }
}

running() { # the endpoint's configuration; fails where there is no endpoint
    aws sagemaker describe-endpoint --endpoint-name "$NAME" --query EndpointConfigName --output text 2>/dev/null
}

up() {
    local version before='' now
    version=$NAME-$(printf '%s\n' "$IMAGE" "$ARTIFACT" "$ROLE" "$TYPE" | cksum | cut -d ' ' -f 1)
    create aws sagemaker create-model --model-name "$version" --execution-role-arn "$ROLE" \
        --primary-container "Image=$IMAGE,ModelDataUrl=$ARTIFACT"
    create aws sagemaker create-endpoint-config --endpoint-config-name "$version" --production-variants \
        "VariantName=main,ModelName=$version,InstanceType=$TYPE,InitialInstanceCount=1,InitialVariantWeight=1"
    if ! before=$(running); then
        create aws sagemaker create-endpoint --endpoint-name "$NAME" --endpoint-config-name "$version"
    elif [[ $before != "$version" ]]; then
        create aws sagemaker update-endpoint --endpoint-name "$NAME" --endpoint-config-name "$version"
    fi
    say "waiting for $NAME: 3 to 15 minutes"
    aws sagemaker wait endpoint-in-service --endpoint-name "$NAME"
    # An update that failed is in service too, with what was there before.
    now=$(running)
    [[ $now == "$version" ]] || {
        say "the update failed: $NAME still runs $now; its log is /aws/sagemaker/Endpoints/$NAME"
        return 1
    }
    [[ -z ${MAX_INSTANCES-} ]] || scale
    [[ -z $before || $before == "$version" ]] || remove_version "$before"
    echo "$NAME runs $version"
}

# 700 invocations of an instance a minute: measure yours first.
scale() {
    local target=(--service-namespace sagemaker --resource-id "endpoint/$NAME/variant/main"
        --scalable-dimension sagemaker:variant:DesiredInstanceCount)
    aws application-autoscaling register-scalable-target "${target[@]}" --min-capacity 1 \
        --max-capacity "$MAX_INSTANCES" >/dev/null
    aws application-autoscaling put-scaling-policy "${target[@]}" --policy-name "$NAME-invocations" \
        --policy-type TargetTrackingScaling --target-tracking-scaling-policy-configuration \
        'TargetValue=700,PredefinedMetricSpecification={PredefinedMetricType=SageMakerVariantInvocationsPerInstance}' \
        >/dev/null
}

# fileb://: version 1 takes a body as it is, version 2 as base64; from a file both take the bytes.
invoke() {
    local answer
    answer=$(mktemp)
    aws sagemaker-runtime invoke-endpoint --endpoint-name "$NAME" --content-type "${CONTENT_TYPE:-text/csv}" \
        --accept "${ACCEPT:-application/json}" --body "fileb://$1" "$answer" >/dev/null
    cat "$answer"
    rm -f "$answer"
}

remove_version() {
    aws sagemaker delete-endpoint-config --endpoint-config-name "$1"
    aws sagemaker delete-model --model-name "$1"
}

down() {
    local version
    version=$(running) || { say "there is no endpoint $NAME" && return; }
    aws application-autoscaling deregister-scalable-target --service-namespace sagemaker \
        --resource-id "endpoint/$NAME/variant/main" \
        --scalable-dimension sagemaker:variant:DesiredInstanceCount 2>/dev/null || true # it may never have scaled
    aws sagemaker delete-endpoint --endpoint-name "$NAME"
    aws sagemaker wait endpoint-deleted --endpoint-name "$NAME"
    remove_version "$version"
    echo "$NAME is gone"
}

need() { # NAME...: variables that have to be set
    local name
    for name in "$@"; do
        [[ ${!name-} ]] || {
            echo "$name is not set. $usage" >&2
            exit 2
        }
    done
}

case ${1-} in
-h | --help) echo "$usage" ;;
up)
    need NAME IMAGE ARTIFACT ROLE
    up
    ;;
invoke)
    need NAME
    invoke "${2:?FILE is missing}"
    ;;
down)
    need NAME
    down
    ;;
*)
    echo "$usage" >&2
    exit 2
    ;;
esac
