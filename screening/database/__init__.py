"""The database: engines, timeouts and circuit breaker, secure deletion, migrations."""
