"""Patients checking themselves: the walk through the questions, the review and the summary."""
