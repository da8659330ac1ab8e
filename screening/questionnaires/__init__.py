"""The questionnaire: its definition, branching and scoring. Pure: no web, database or clock."""
