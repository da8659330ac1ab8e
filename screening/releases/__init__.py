"""Releases of anonymized responses: computed, verified, stored, shown and downloaded."""
