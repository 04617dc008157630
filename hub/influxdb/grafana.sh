#!/bin/bash
# Runs once, when InfluxDB sets itself up: Grafana may read the bucket over InfluxQL, nothing else.
set -euo pipefail
influx v1 dbrp create --org "$DOCKER_INFLUXDB_INIT_ORG" \
  --bucket-id "$DOCKER_INFLUXDB_INIT_BUCKET_ID" --db kokubus --rp autogen --default
influx v1 auth create --org "$DOCKER_INFLUXDB_INIT_ORG" \
  --read-bucket "$DOCKER_INFLUXDB_INIT_BUCKET_ID" \
  --username grafana --password "$(cat /run/secrets/grafana_influx_password)"
