"""`kokubus hub metrics init`: where points are kept, and for how long.

Facts and estimates by the minute go to ``kokubus`` and are dropped after ``influx_keep_days``;
the condensed series (`occupancy_15m`, `doors_1h`) go to ``kokubus/long`` and stay. InfluxQL
knows these two as the retention policies ``autogen`` and ``long`` of the database ``kokubus``,
in InfluxDB 1 as such, in 2 by its virtual DBRP mapping, in 3 as databases of these names.
"""

from __future__ import annotations

from typing import Any
from urllib.parse import urlencode

from influxdb_client.client.influxdb_client import InfluxDBClient
from influxdb_client.domain.bucket_retention_rules import BucketRetentionRules
from influxdb_client.rest import ApiException
from urllib3.exceptions import HTTPError

from kokubus.errors import SettingsError
from kokubus_hub.metrics.influx import Keep, client
from kokubus_hub.settings import Settings

DAY_S = 86_400
FOREVER = 0


def prepare(settings: Settings) -> list[str]:
    """Make or correct both buckets; a sentence for each. SettingsError says what to do."""
    kept = {Keep.SHORT: settings.influx_keep_days, Keep.LONG: FOREVER}
    with client(settings) as made:
        try:
            return [_prepare(made, settings, keep, days) for keep, days in kept.items()]
        except ApiException as error:
            raise SettingsError(f"{settings.influx_url}: {_advice(error)}") from error
        except HTTPError as error:
            raise SettingsError(f"{settings.influx_url}: no InfluxDB answers: {error}") from error


def _prepare(made: InfluxDBClient, settings: Settings, keep: Keep, days: int) -> str:
    version = (made.version() or "").removeprefix("v")
    name = keep.bucket(settings)
    if version.startswith("1."):
        _policy(made, settings.influx_bucket, keep, days)
    elif version.startswith("3."):
        _database(made, name, days)
    else:
        _bucket(made, settings.influx_org, name, days)
    return f"{name}: points stay {f'{days} days' if days else 'for ever'}"


def _bucket(made: InfluxDBClient, org: str, name: str, days: int) -> None:
    rules = BucketRetentionRules(type="expire", every_seconds=days * DAY_S)
    buckets = made.buckets_api()
    found = buckets.find_bucket_by_name(name)
    if found is None:
        buckets.create_bucket(bucket_name=name, retention_rules=rules, org=org)
    else:
        found.retention_rules = [rules]
        buckets.update_bucket(bucket=found)


def _policy(made: InfluxDBClient, database: str, keep: Keep, days: int) -> None:
    name = "autogen" if keep is Keep.SHORT else "long"
    lasting = f"{days}d" if days else "INF"
    _ask(made, f'CREATE DATABASE "{database}"')
    if name == "long":
        _ask(made, f'CREATE RETENTION POLICY long ON "{database}" DURATION INF REPLICATION 1')
    _ask(made, f'ALTER RETENTION POLICY {name} ON "{database}" DURATION {lasting}')


def _ask(made: InfluxDBClient, query: str) -> None:
    _call(made, "POST", f"/query?{urlencode({'q': query})}")


def _database(made: InfluxDBClient, name: str, days: int) -> None:
    body = {"db": name} | ({"retention_period": f"{days}d"} if days else {})
    try:
        _call(made, "POST", "/api/v3/configure/database", body)
    except ApiException as error:
        if error.status != 409:  # it is there
            raise
        if days:
            _call(made, "PUT", "/api/v3/configure/database", body)


def _call(made: InfluxDBClient, method: str, path: str, body: Any = None) -> None:
    made.api_client.call_api(path, method, body=body, header_params={"Accept": "application/json"})


def _advice(error: ApiException) -> str:
    if error.status in {401, 403}:
        return (
            f"{error.status} {error.reason}; KOKUBUS_HUB_INFLUX_TOKEN_FILE must hold a token that"
            " may write buckets of the organisation (`influx auth create --all-access`)"
        )
    return f"{error.status} {error.message or error.reason}"
