# The service in a container: docs/service.md says how to run it.
#
#     docker build -t samevoice .
#     docker run --rm -v samevoice-data:/data -v samevoice-keys:/keys samevoice keys add me --role admin
#     docker run -d --stop-timeout 30 -p 127.0.0.1:8750:8750 -v samevoice-data:/data -v samevoice-keys:/keys samevoice
#
# Everything is fetched while it is built; the finished image needs no network, no root and no writable root.

FROM python:3.11-slim AS build
COPY pyproject.toml README.md LICENSE NOTICE /source/
COPY src /source/src
RUN python -m venv /opt/samevoice
RUN /opt/samevoice/bin/pip install --no-cache-dir "/source[serve,media,scale]"
RUN SAMEVOICE_CACHE=/opt/samevoice/share/samevoice /opt/samevoice/bin/samevoice models pull

FROM python:3.11-slim
RUN useradd --uid 10001 --user-group --no-create-home --home-dir /data --shell /usr/sbin/nologin samevoice \
 && install -d -o samevoice -g samevoice -m 700 /data /keys
COPY --from=build /opt/samevoice /opt/samevoice
# Database, jobs and uploads lie in /data; the key that opens the database lies apart from it, in /keys.
# ONNX Runtime would keep an id of the device and records of its use to send home.
ENV PATH=/opt/samevoice/bin:/usr/local/bin:/usr/bin:/bin \
    HOME=/data \
    TMPDIR=/data \
    XDG_DATA_HOME=/data \
    XDG_CACHE_HOME=/data/cache \
    XDG_CONFIG_HOME=/keys \
    SAMEVOICE_CACHE=/opt/samevoice/share/samevoice \
    ORT_DISABLE_TELEMETRY=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1
USER 10001:10001
WORKDIR /data
VOLUME ["/data", "/keys"]
EXPOSE 8750
HEALTHCHECK --interval=10s --timeout=5s --start-period=30s \
  CMD ["python", "-c", "import urllib.request; urllib.request.urlopen('http://127.0.0.1:8750/healthz', timeout=4)"]
ENTRYPOINT ["samevoice"]
CMD ["serve", "--host", "0.0.0.0", "--port", "8750"]
