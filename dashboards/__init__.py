"""Grafana's dashboards as code: `make dashboards` writes helm/invoke-connector/files/dashboards.

Metrics are named as in the connector's own table, so that a dashboard cannot name one that does not exist.
docs/decisions/0002-dashboards-by-grafanas-sdk.md argues the choice.
"""
