"""The projection to InfluxDB, and the hub's own health for Prometheus."""
