#!/bin/bash
# Runs once, when InfluxDB sets itself up: the bucket that stays, and Grafana may read both over
# InfluxQL, nothing else. `kokubus hub metrics init` corrects buckets later.
set -euo pipefail
influx bucket create --org "$DOCKER_INFLUXDB_INIT_ORG" --name kokubus/long --retention 0
long=$(influx bucket list --org "$DOCKER_INFLUXDB_INIT_ORG" --name kokubus/long --hide-headers \
  | cut -f 1)
influx v1 dbrp create --org "$DOCKER_INFLUXDB_INIT_ORG" \
  --bucket-id "$DOCKER_INFLUXDB_INIT_BUCKET_ID" --db kokubus --rp autogen --default
influx v1 dbrp create --org "$DOCKER_INFLUXDB_INIT_ORG" --bucket-id "$long" --db kokubus --rp long
influx v1 auth create --org "$DOCKER_INFLUXDB_INIT_ORG" \
  --read-bucket "$DOCKER_INFLUXDB_INIT_BUCKET_ID" --read-bucket "$long" \
  --username grafana --password "$(cat /run/secrets/grafana_influx_password)"
