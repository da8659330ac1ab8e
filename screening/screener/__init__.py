"""The questionnaire's pages for visitors: questions, review, summary, urgent help, and information pages."""
