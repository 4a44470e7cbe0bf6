# The image that trains and serves the model: docker build -t sagemaker-serving .
# Two stages: the first installs and compiles, the second holds only what runs. It needs no BuildKit feature, so that any
# engine builds it. Every path is named: what no COPY line names is not in the image (tests/system/test_staged_image.py).

# By digest for a release: --build-arg BASE_IMAGE=python:3.11-slim-bookworm@sha256:...
ARG BASE_IMAGE=python:3.11-slim-bookworm

FROM ${BASE_IMAGE} AS builder

RUN apt-get update -q && apt-get install -y -q --no-install-recommends binutils

# No pip inside the environment: the base's own installs into it, and nothing is installed at run time.
RUN python -m venv --without-pip /opt/venv
COPY requirements.lock /tmp/
RUN pip --python /opt/venv/bin/python install \
        --disable-pip-version-check --no-cache-dir --no-compile --require-hashes -r /tmp/requirements.lock

# What never runs goes: the largest packages' own tests, and the debug information that some wheels ship (spaCy's: 98 MB).
# docs/performance.md, "Image size", has what each is worth.
# Bytecode is compiled here, once: the first start is the cold start of every new instance. It is not compared with its
# source (unchecked-hash, https://peps.python.org/pep-0552/), since nobody edits a library in place.
RUN cd /opt/venv/lib/python3*/site-packages \
    && find . -regextype posix-extended -regex '\./(numpy|pandas|scipy|sklearn|spacy)(/.*)?/tests' -prune -exec rm -rf {} + \
    && find . -name '*.so' -exec sh -c 'readelf -SW "$1" | grep -q "\.debug_info"' _ {} \; -exec strip --strip-debug {} + \
    && /opt/venv/bin/python -m compileall -q -j 0 --invalidation-mode unchecked-hash .

WORKDIR /opt/program
COPY container/ container/
COPY nginx.conf predictor.py serve train wsgi.py ./
# Any uid may read, whatever the umask of the clone was; serve and train are also programs.
# checked-hash: a predictor.py mounted over this one counts, which a stale unchecked .pyc would hide.
RUN chmod -R a+rX . && chmod 0755 serve train \
    && /opt/venv/bin/python -m compileall -q --invalidation-mode checked-hash .

FROM ${BASE_IMAGE}

# Debian's nginx, so that scanners see it and base-image updates carry its fixes; no init script of it ever runs.
RUN apt-get update -q \
    && apt-get install -y -q --no-install-recommends nginx \
    && rm -rf /var/lib/apt/lists/* /var/cache/apt/* /var/log/*.log /var/log/apt

COPY --from=builder /opt/venv /opt/venv
COPY --from=builder /opt/program /opt/program
WORKDIR /opt/program

# PYTHONPATH: `container` is found from any working directory (docker run -w).
# PYTHONDONTWRITEBYTECODE: all bytecode is there already, and the root may be read-only.
# PYTHONUNBUFFERED: training's metric lines reach the log when they are printed.
# MALLOC_ARENA_MAX: glibc's 8 arenas per CPU hold on to freed memory: https://man7.org/linux/man-pages/man3/mallopt.3.html
# HOME: the one writable place for any uid, under which libraries put their caches (matplotlib, numba, Hugging Face).
ENV PATH=/opt/program:/opt/venv/bin:$PATH \
    PYTHONPATH=/opt/program \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1 \
    MALLOC_ARENA_MAX=2 \
    HOME=/tmp

# The port where SAGEMAKER_BIND_TO_PORT names no other.
EXPOSE 8080
# The platform stops with SIGTERM, then SIGKILL after 30 s (hosting) or 120 s (training).
STOPSIGNAL SIGTERM
# Exec form, so that PID 1 gets the signals; the interpreter by its path, so that neither execute bit, shebang nor PATH
# matters. The platform appends `serve` or `train` in place of CMD:
# https://docs.aws.amazon.com/sagemaker/latest/dg/your-algorithms-inference-code.html
ENTRYPOINT ["/opt/venv/bin/python", "-m", "container"]
CMD ["serve"]

# Last, since every commit changes them: a rebuild reuses all layers above.
ARG SOURCE=""
ARG REVISION=""
# accept-bind-to-port: required in pipeline and multi-container endpoints, where each container gets its own port:
# https://docs.aws.amazon.com/sagemaker/latest/dg/inference-pipelines.html
# bidirectional-streaming: the platform opens WebSockets only to an image that has it. Take the comment off the last line
# if predictor.py, or code/inference.py of your artifacts, defines stream_fn; without one the label would promise a 404:
# https://docs.aws.amazon.com/sagemaker/latest/dg/your-algorithms-inference-code.html
# multi-models: many models in one container, which the platform loads and unloads:
# https://docs.aws.amazon.com/sagemaker/latest/dg/build-multi-model-build-container.html
# sagemaker-conformance.claims: what else this image is for, so that local_test/conformance tests that too.
LABEL org.opencontainers.image.title="sagemaker-serving" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.source="${SOURCE}" \
      org.opencontainers.image.revision="${REVISION}" \
      com.amazonaws.sagemaker.capabilities.accept-bind-to-port="true" \
      com.amazonaws.sagemaker.capabilities.multi-models="true" \
      sagemaker-conformance.claims="training, scripts, serverless, asynchronous, batch, isolation, streaming, sessions, openai"
# LABEL com.amazonaws.sagemaker.capabilities.bidirectional-streaming="true"
