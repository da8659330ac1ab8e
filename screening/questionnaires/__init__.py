"""The questionnaire itself: what is asked, in which order, and what the answers add up to.

Pure Python. Nothing in this folder knows of the web, the database or the clock.
"""
