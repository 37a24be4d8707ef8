"""The ledger of exposures and outcomes: durable ingest, attribution, sufficient statistics.

The way of a batch: `app` (role, bounded `body`) -> `reading` (typed records, by `wire`) -> `writer`
(group commit) -> `ledger` (attribution, one transaction) -> `store` (SQLite or PostgreSQL) -> answer.
What is left behind, the sums of (experiment, arm, metric), the operator reads, and waits for `changes`.
"""
