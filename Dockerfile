# beak without PyTorch: trains, predicts, serves. Two stages, so that no compiler is left in it.
#   docker build -t beak .
#   docker run -p 127.0.0.1:8000:8000 -e BEAK_TOKEN=… -v ./runs:/runs:ro beak serve /runs/digits
FROM python:3.11-slim AS build
RUN apt-get update && apt-get install -y --no-install-recommends g++ && rm -rf /var/lib/apt/lists/*
WORKDIR /source
COPY . .
RUN pip wheel --no-cache-dir --no-deps --wheel-dir /wheels .
RUN python -m venv /beak \
    && /beak/bin/pip install --no-cache-dir --constraint constraints.txt \
        "$(ls /wheels/beak-*.whl)[serve,sound]" regex \
    && find /beak -name '__pycache__' -prune -exec rm -rf {} +

FROM python:3.11-slim
COPY --from=build /beak /beak
RUN useradd --system --create-home --home-dir /home/beak beak
USER beak
ENV PATH=/beak/bin:$PATH PYTHONDONTWRITEBYTECODE=1
EXPOSE 8000
# Beyond its container nobody reaches a service that listens on 127.0.0.1 alone.
HEALTHCHECK --interval=10s --timeout=3s CMD ["python", "-c", "import urllib.request as u; u.urlopen('http://127.0.0.1:8000/readyz', timeout=2)"]
ENTRYPOINT ["beak"]
CMD ["--help"]
