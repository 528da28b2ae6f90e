FROM python:3.11.13-slim-bookworm AS build
WORKDIR /src
COPY pyproject.toml README.md LICENSE ./
COPY catalog catalog
COPY identity identity
COPY federation federation
COPY graphql graphql
COPY sql sql
COPY desktop desktop
COPY roundview roundview
RUN python -m venv /opt/roundview \
    && /opt/roundview/bin/pip install --no-cache-dir '.[fast,trino]'

FROM python:3.11.13-slim-bookworm
# The volume takes owner and mode of this folder.
RUN useradd --uid 10001 --no-create-home --shell /usr/sbin/nologin roundview \
    && install -d -o 10001 -g 10001 -m 0700 /estate
COPY --from=build /opt/roundview /opt/roundview
ENV PATH=/opt/roundview/bin:$PATH PYTHONDONTWRITEBYTECODE=1 PYTHONUNBUFFERED=1
WORKDIR /estate
USER 10001:10001
CMD ["roundview", "--help"]
