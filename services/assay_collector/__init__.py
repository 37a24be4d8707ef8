"""The ledger of exposures and outcomes: durable ingest, attribution, sufficient statistics.

The way of a batch: `app` (role, bounded `body`) -> `reading` (typed records, by `wire`) -> `writer` (group
commit) -> `ledger` (attribution, in one transaction) -> `store` (SQLite or PostgreSQL) -> answer. The operator
reads what is left behind, the sums of (experiment, arm, metric), and waits for news on `changes`.
"""
