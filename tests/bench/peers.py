"""The peers of the benchmarks: the least that a server can do, and the simplest app with the same function.

``bare`` answers every request with a prepared page. ``minimal`` is a simple app with Flask and Flask-WTF: a form per
question, answers in the signed cookie, one template, one insert; and a contact form that is validated, shown for
review, and stored. ``empty`` is an empty Flask route.
"""

from __future__ import annotations

import os
import sqlite3
from typing import Any

from flask import Flask, redirect, render_template, session
from flask_wtf import CSRFProtect, FlaskForm
from jinja2 import DictLoader
from wtforms import EmailField, RadioField, StringField, TextAreaField
from wtforms.validators import Email, InputRequired, Length, Optional

PREPARED_PAGE = b"<!doctype html><title>Ready</title>" + b"<p>A page of the size of ours.</p>" * 170
"""About 6 kB, the size of a question page."""


def bare(environ: dict[str, Any], start_response: Any) -> list[bytes]:
    """A WSGI callable that returns the prepared page."""
    environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
    start_response("200 OK", [("Content-Type", "text/html"), ("Content-Length", str(len(PREPARED_PAGE)))])
    return [PREPARED_PAGE]


empty = Flask("empty")
empty.add_url_rule("/<path:anything>", "route", lambda anything: "", methods=["GET", "POST"])
empty.add_url_rule("/", "start", lambda: "")

QUESTIONS = [
    *("sadness", "sleep", "hopelessness", "interest", "appetite", "motivation", "pain"),
    *("pain_duration", "pain_average", "stress"),
]
CHOICES = ["0", "1", "2", "3", "declined"]

PAGE = """<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{{ title }}</title>
<link rel="stylesheet" href="/static/style.css"></head><body><header><a href="/">Clinic</a></header><main>
<h1>{{ title }}</h1>
{% if form %}<form method="post">{{ form.csrf_token }}
<fieldset><legend>How often?</legend>{% for choice in choices %}
<div class="item"><input type="radio" id="answer-{{ choice }}" name="answer" value="{{ choice }}"{% if choice == form.answer.data %} checked{% endif %}>
<label for="answer-{{ choice }}">{{ choice }}</label></div>{% endfor %}</fieldset>
{% for error in form.answer.errors %}<p class="error">{{ error }}</p>{% endfor %}
<button type="submit">Continue</button></form>{% endif %}
{% if contact %}<form method="post" action="/contact/{{ action }}">{{ contact.csrf_token }}{% for field in contact %}
{% if field.name != "csrf_token" %}<p>{{ field.label }} {{ field }}{% for error in field.errors %}<b>{{ error }}</b>{% endfor %}</p>
{% endif %}{% endfor %}<button type="submit">Send</button></form>{% endif %}
{% if answers %}<dl>{% for question, answer in answers.items() %}<dt>{{ question }}</dt><dd>{{ answer }}</dd>
{% endfor %}</dl>{% endif %}</main><footer>Call 988</footer></body></html>"""


class Form(FlaskForm):
    """One question. The template renders it by hand: WTForms' widgets would take a fifth of the page's time."""

    answer = RadioField("How often?", choices=CHOICES, validators=[InputRequired()])


minimal = Flask("minimal")
minimal.jinja_loader = DictLoader({"page.html": PAGE})
minimal.jinja_env.globals["choices"] = CHOICES
minimal.config["SECRET_KEY"] = "a key for measuring only"
CSRFProtect(minimal)


def connect() -> sqlite3.Connection:
    """Connect to the SQLite file that the benchmark names, and create its one table."""
    connection = sqlite3.connect(os.environ["BENCH_DATABASE"], timeout=10)
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("CREATE TABLE IF NOT EXISTS answers (id INTEGER PRIMARY KEY, text TEXT)")
    connection.execute("CREATE TABLE IF NOT EXISTS contact (id INTEGER PRIMARY KEY, text TEXT)")
    return connection


@minimal.get("/")
def start() -> str:
    """The start page."""
    return render_template("page.html", title="Start", form=None, answers=None, contact=None)


@minimal.route("/check/<name>", methods=["GET", "POST"])
def question(name: str) -> Any:
    """One question; the last one leads to the review."""
    form = Form()
    names = [*QUESTIONS, "review"]
    if form.validate_on_submit():
        session[name] = form.answer.data
        if name == "review":
            with connect() as connection:
                connection.execute("INSERT INTO answers (text) VALUES (?)", (repr(dict(session)),))
            connection.close()
            return redirect("/summary", 303)
        return redirect(f"/check/{names[names.index(name) + 1]}", 303)
    return render_template(
        "page.html", title=name, form=form, answers=dict(session) if name == "review" else None, contact=None
    )


@minimal.get("/summary")
def summary() -> str:
    """The summary of the answers."""
    return render_template("page.html", title="Summary", form=None, answers=dict(session), contact=None)


class Contact(FlaskForm):
    """A simple contact form."""

    name = StringField("Name", validators=[InputRequired(), Length(max=100)])
    phone = StringField("Phone", validators=[Length(max=40)])
    email = EmailField("E-mail", validators=[Optional(), Email()])
    message = TextAreaField("Message", validators=[Length(max=1000)])


@minimal.get("/contact")
def contact() -> str:
    """The contact form."""
    return render_template("page.html", title="Contact", form=None, answers=None, contact=Contact(), action="review")


@minimal.post("/contact/review")
def review() -> str:
    """The review of the contact form, with its Send button."""
    form = Contact()
    form.validate()
    return render_template("page.html", title="Review", form=None, answers=None, contact=form, action="sent")


@minimal.route("/contact/sent", methods=["GET", "POST"])
def sent() -> Any:
    """Store the contact form, and confirm it."""
    form = Contact()
    if form.validate_on_submit():
        with connect() as connection:
            connection.execute("INSERT INTO contact (text) VALUES (?)", (repr(form.data),))
        connection.close()
        return redirect("/contact/sent", 303)
    return render_template("page.html", title="Sent", form=None, answers=None, contact=None)
