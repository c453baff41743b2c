# The server in a container. No test of this repository builds it.
#   docker build -t flowengine .
#   docker run -p 8080:8080 -v "$PWD/flows:/srv/flowengine/flows:ro" \
#     -e FLOWENGINE_SERVER__PUBLIC_URL=https://voice.example.com -e FLOWENGINE_CARRIERS__TWILIO__TOKEN=… flowengine
# It listens beyond loopback, so it does not start (exit 3) without the address that carriers use and a carrier's token.
FROM python:3.12-slim

RUN useradd --create-home --uid 10001 flowengine
WORKDIR /opt/flowengine
COPY pyproject.toml constraints.txt README.md ./
COPY flowengine flowengine
RUN pip install --no-cache-dir -c constraints.txt .

# The store, the traces and the cache of prompts are written here: mount a volume to keep them.
WORKDIR /srv/flowengine
COPY flows flows
RUN chown flowengine /srv/flowengine
USER flowengine

EXPOSE 8080
HEALTHCHECK --interval=10s --timeout=3s --start-period=30s \
  CMD ["python", "-c", "import urllib.request as r; r.urlopen('http://127.0.0.1:8080/health', timeout=2)"]
# SIGTERM ends it after the calls under way (server.drain, 15 m): give `docker stop --time` as long.
CMD ["flowengine", "serve", "--host", "0.0.0.0"]
