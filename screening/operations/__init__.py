"""Operation of a site: worker, purge, health checks, metrics, doctor, backup and demo."""
