# syntax=docker/dockerfile:1

# One base for both stages, so that the virtual environment meets the very interpreter it was made with.
# A tag can move. To pin the bytes: docker pull TAG, then docker inspect --format '{{index .RepoDigests 0}}' TAG,
# and build with --build-arg BASE_IMAGE=debian@sha256:… (any Debian 12 image will do: its Python is 3.11).
ARG BASE_IMAGE=debian:12.11-slim

FROM ${BASE_IMAGE} AS build
# A house behind its own package index or certificate authority names them here; neither reaches the final stage.
ARG PIP_INDEX_URL
ARG PIP_CERT
# Debian's stable suite carries one version at a time, so a pinned one breaks the build at the next security fix.
# hadolint ignore=DL3008
RUN apt-get update \
    && apt-get install --yes --no-install-recommends ca-certificates gcc libc6-dev python3-dev python3-venv \
    && rm -rf /var/lib/apt/lists/*
# pip lives beside the environment and fills it from outside: what is shipped holds no installer.
RUN python3 -m venv /build/tools && python3 -m venv --without-pip /opt/venv
WORKDIR /build/source
COPY requirements/ requirements/
# Wheels only, each with its hash: nothing unlocked can come in. The tools have the connector's own too, for their types.
RUN /build/tools/bin/pip --python /opt/venv/bin/python install --no-cache-dir --no-compile \
        --require-hashes --only-binary :all: --requirement requirements/run.txt \
    && /build/tools/bin/pip install --no-cache-dir --require-hashes --only-binary :all: \
        --requirement requirements/build.txt --requirement requirements/compile.txt --requirement requirements/run.txt
COPY pyproject.toml setup.py README.md LICENSE ./
COPY connector/ connector/
# connector/schemas is a link to it: the schema that events are read into is part of the package.
COPY schemas/ schemas/
# Hash-based bytecode is never checked against file times: a root that cannot be written costs no start-up time.
# The rooms that decide are compiled (docs/decisions/0006); the compiler stays in this stage.
RUN CONNECTOR_COMPILE=1 /build/tools/bin/pip wheel --no-cache-dir --no-deps --no-build-isolation --wheel-dir /build/wheels . \
    && /build/tools/bin/pip --python /opt/venv/bin/python install --no-cache-dir --no-compile --no-deps --no-index \
        /build/wheels/*.whl \
    && /opt/venv/bin/python -m compileall -q --invalidation-mode unchecked-hash /opt/venv/lib

FROM ${BASE_IMAGE}
LABEL org.opencontainers.image.title="invoke-connector" \
      org.opencontainers.image.description="Posts Avro invocation events from Kafka to the Invoke Service HTTP API"
ARG BASE_IMAGE
ARG VERSION=unknown
ARG REVISION=unknown
# When the revision was made, and where its source is: what is built from the same source is labelled the same.
ARG CREATED=unknown
ARG SOURCE=""
LABEL org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}" \
      org.opencontainers.image.created="${CREATED}" \
      org.opencontainers.image.source="${SOURCE}" \
      org.opencontainers.image.base.name="${BASE_IMAGE}" \
      org.opencontainers.image.licenses="Apache-2.0"
# hadolint ignore=DL3008
RUN apt-get update \
    && apt-get install --yes --no-install-recommends ca-certificates python3 \
    && rm -rf /var/lib/apt/lists/*
COPY --from=build /opt/venv /opt/venv
# The settings' default `schemas.folder: schemas` is relative to the working directory.
COPY schemas/ /opt/connector/schemas/
WORKDIR /opt/connector
ENV PATH=/opt/venv/bin:$PATH \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1
# Numeric, so that Kubernetes can prove runAsNonRoot; high, so that it is nobody on the node.
USER 65532:65532
EXPOSE 9464
STOPSIGNAL SIGTERM
# Process 1 is sent no signal that it neither handles nor blocks: blocked, a stop waits until Python is there to take it.
ENTRYPOINT ["env", "--block-signal=TERM,INT,HUP", "connector"]
CMD ["run", "--config", "/etc/connector/config.yaml"]
