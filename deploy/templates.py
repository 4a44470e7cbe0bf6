"""The deploy.toml that `init` writes: for each mode what it needs, with what the words mean. Called by verbs/init.

A key is switched off by a # without a space behind it; tests switch all of them on. {NAME} is a flag of init.
"""

from __future__ import annotations

START = """\
# What to deploy: `python -m deploy plan` shows what would be done, `up` does it, `keys` lists all that may stand here.
# Replace the words in CAPITALS. A line that begins with # and no space is a key that is switched off.
# Every key can also be said by a flag: python -m deploy up --set instances.count=2
schema = 1
name = "{name}"  # of your choice; everything that is made begins with it
mode = "{mode}"  # realtime, serverless, async, batch, multi-model, multi-container, pipeline
{region}
# The role that SageMaker takes to run the container: what it may read, write and log in your account. It is named by
# its ARN. ACCOUNT is what `aws sts get-caller-identity --query Account` prints, ROLE a name, which may be a new one:
# before it is there, `python -m deploy iam trust` and `iam execution` print what it is made from: docs/iam.md.
role = "{role}"

# The container image, as ./build_and_push.sh prints it. Named by digest, sha256 of its content: a tag such as :latest
# may be another image tomorrow, a digest never is.
image = "{image}"
"""

ARTIFACT = """
# The trained model in S3, as `python -m deploy package MODEL_DIR` prints it.
artifact = "{artifact}"
"""

PREFIX = """
# Where the models are: a prefix, which is the beginning of addresses in S3, as a folder is of paths. It ends in /.
# Each model is a .tar.gz below it, and a request names it: invoke FILE --model a.tar.gz
artifact = "{artifact}"
"""

INSTANCES = """
# What it runs on, and is paid for by the hour until `python -m deploy down`. An account has a quota for each type: the
# most instances of it at once, often 0 at first. `python -m deploy doctor` looks; AWS's "Service Quotas" raises it.
[instances]
type = "{instance_type}"
count = {count}
"""

SERVERLESS = """
# Paid for by the request; the first one after a pause waits until the container has started.
[serverless]
memory_mb = 2048  # 1024 to 6144 in whole GB; CPU grows with it
max_concurrency = 5  # requests at once; more are refused
"""

ASYNC = """
# Requests are files in S3, and so are the answers. A prefix is the beginning of addresses in S3, as a folder of paths.
[async]
output = "s3://BUCKET/answers/"  # a prefix
#failures = "s3://BUCKET/failures/"  # a prefix
"""

BATCH = """
# Every file below input is predicted once, then the instances go. A prefix is the beginning of addresses in S3, as a
# folder is of paths. An account has a quota for each instance type: `python -m deploy doctor` looks.
[batch]
input = "s3://BUCKET/input/"  # a prefix
output = "s3://BUCKET/output/"  # a prefix; FILE becomes FILE.out
type = "{instance_type}"
count = {count}
content_type = "text/csv"
split = "Line"  # a line is a record; leave split and assemble out where a file is one request
assemble = "Line"
"""

DIRECT = """
# Containers side by side on the same instances; a request names one by its hostname: invoke FILE --container first
[[containers]]
hostname = "first"
artifact = "{artifact}"  # its trained model in S3, as `python -m deploy package MODEL_DIR` prints it

[[containers]]
hostname = "second"
artifact = "s3://BUCKET/second/model.tar.gz"
#image = "ACCOUNT.dkr.ecr.REGION.amazonaws.com/other@sha256:DIGEST"  # if not the one above
"""

SERIAL = """
# One container after the other: the answer of each is the request of the next.
[[containers]]
artifact = "{artifact}"  # its trained model in S3, as `python -m deploy package MODEL_DIR` prints it

[[containers]]
artifact = "s3://BUCKET/second/model.tar.gz"
#image = "ACCOUNT.dkr.ecr.REGION.amazonaws.com/other@sha256:DIGEST"  # if not the one above
"""

TRAINING = """
# The file `train` runs on an instance, which goes when it ends. A prefix is the beginning of addresses in S3, as a
# folder is of paths. An account has a quota for each instance type: `python -m deploy doctor` looks.
[training]
output = "s3://BUCKET/trained/"  # a prefix; `up training` prints where below it the model is
type = "{instance_type}"
count = {count}
#spot = true  # cheaper, on spare capacity, which may be taken away
#checkpoints = "s3://BUCKET/checkpoints/"  # where spot goes on from

[training.channels]  # NAME = prefix; train(job) finds its files in job.channels["NAME"]
training = "s3://BUCKET/train/"

#[training.hyperparameters]
#max_iter = 200
"""

REGISTER = """
# A version in the model registry, for others to approve and deploy.
[registry]
description = "what is new in it"
content_types = ["text/csv", "application/json"]
response_types = ["application/json", "text/csv"]
instance_types = ["ml.m5.large", "ml.m5.xlarge"]
approve = false
"""

RECOMMEND = """
# The model is tried on each type, in about an hour, and measured: latency, requests a minute, cost of each.
[recommend]
sample = "s3://BUCKET/sample.tar.gz"  # an archive of files, each a request
content_types = ["text/csv"]
instance_types = ["ml.m5.large", "ml.c5.large", "ml.c6i.large"]
"""

ENVIRONMENT = """
#[environment]  # of the container: docs/settings.md
#SAGEMAKER_MODEL_SERVER_WORKERS = 2
"""

SCALING = """
#[scaling]
#max = 4
#target = 700  # invocations of an instance a minute
"""

BACKLOG = """
#[scaling]
#min = 0  # nothing is paid while nobody asks
#max = 4
#target = 5  # requests that wait, for each instance
"""

UPDATE = """
#[update]  # how a new version takes over
#strategy = "canary"  # a tenth first, and the rest if no alarm of CloudWatch rings
#alarms = ["NAME-OF-AN-ALARM"]
"""

ENDPOINT = ENVIRONMENT + SCALING + UPDATE

TEMPLATES = {
    "realtime": START + ARTIFACT + INSTANCES + ENDPOINT,
    "serverless": START + ARTIFACT + SERVERLESS + ENVIRONMENT,
    "async": START + ARTIFACT + ASYNC + INSTANCES + ENVIRONMENT + BACKLOG + UPDATE,
    "batch": START + ARTIFACT + BATCH + ENVIRONMENT,
    "multi-model": START + PREFIX + INSTANCES + ENDPOINT,
    "multi-container": START + DIRECT + INSTANCES + ENDPOINT,
    "pipeline": START + SERIAL + INSTANCES + ENDPOINT,
    "training": START + TRAINING,
    "register": START + ARTIFACT + REGISTER + ENVIRONMENT,
    "recommend": START + ARTIFACT + RECOMMEND + ENVIRONMENT,
}

OF_ARTIFACT = {"multi-model": "s3://BUCKET/models/", "multi-container": "s3://BUCKET/first/model.tar.gz"}
OF_ARTIFACT["pipeline"] = OF_ARTIFACT["multi-container"]
"""Placeholders of modes where it is not one archive."""
