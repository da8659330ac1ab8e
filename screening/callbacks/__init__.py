"""Patients asking for a call, and the team that calls."""
