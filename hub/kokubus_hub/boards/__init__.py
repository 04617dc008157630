"""Grafana's dashboards and alerts, from one source in two languages."""
