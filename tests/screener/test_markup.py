"""The components have the markup of the design system, with its own templates as the oracle."""

from __future__ import annotations

import re

import pytest
from bs4 import BeautifulSoup, Tag
from jinja2 import ChainableUndefined, Environment, PackageLoader

OWN_CLASS = re.compile("^app-")
ADDED = ("aria-invalid", "autofocus", "role")
"""Attributes that our markup adds for assistive technology: the state of a group, and where the page begins."""

IGNORED = {"data-alone", "data-module", "tabindex"}


def skeleton(tag: Tag) -> list:
    """Return a tag as nested lists: name, attributes without the project's classes, children, normalized texts."""
    attributes = {}
    for name, value in tag.attrs.items():
        if name in IGNORED or name in ADDED:
            continue
        words = (
            [word for word in value if not OWN_CLASS.match(word)]
            if isinstance(value, list)
            else " ".join(value.split())
        )
        attributes[name] = words
    children = []
    for child in tag.children:
        if isinstance(child, Tag):
            children.append(skeleton(child))
        elif child.strip():
            children.append(" ".join(child.split()))
    return [tag.name, attributes, children]


@pytest.fixture(scope="module")
def oracle():
    environment = Environment(
        loader=PackageLoader("nhsuk_frontend_jinja"), undefined=ChainableUndefined, autoescape=True
    )

    def render(component: str, macro: str, **parameters):
        source = (
            "{% from 'nhsuk/components/" + component + "/macro.jinja' import " + macro + " %}{{ " + macro + "(p) }}"
        )
        return BeautifulSoup(environment.from_string(source).render(p=parameters), "html.parser").find(True)

    return render


def items(question, chosen=()):
    return [
        {"value": choice.code, "text": choice.text["en"], "checked": choice.code in chosen}
        for choice in question.choices
    ]


@pytest.mark.parametrize("wrong", [False, True])
def test_radios_match_design_system_markup(visitor, oracle, questionnaire, wrong):
    question = questionnaire.by_id["sleep"]
    visitor.answer("sadness", "0")
    page = visitor.get("/check/sleep")
    parameters = {}
    if wrong:
        page = visitor.send(page, "/check/sleep")
        parameters["errorMessage"] = {"text": "Pick the answer that fits best, or “Prefer not to say”"}
    heading = "<span class='nhsuk-caption-m'>Over the last 2 weeks:</span> " + question.text["en"]
    expected = oracle(
        "radios",
        "radios",
        idPrefix="sleep",
        name="sleep",
        fieldset={
            "legend": {
                "html": f"<h1 class='nhsuk-fieldset__heading'>{heading}</h1>",
                "classes": "nhsuk-fieldset__legend--l",
            }
        },
        items=items(question),
        **parameters,
    )
    assert skeleton(page.soup.select_one(".nhsuk-form-group")) == skeleton(expected)


def test_checkboxes_match_design_system_markup(visitor, oracle, questionnaire):
    question = questionnaire.by_id["stress"]
    visitor.walk(stress=("work",))
    page = visitor.get("/check/stress")
    expected = oracle(
        "checkboxes",
        "checkboxes",
        idPrefix="stress",
        name="stress",
        hint={"text": question.hint["en"]},
        fieldset={
            "legend": {"text": question.text["en"], "isPageHeading": True, "classes": "nhsuk-fieldset__legend--l"}
        },
        items=items(question, ("work",)),
    )
    assert skeleton(page.soup.select_one(".nhsuk-form-group")) == skeleton(expected)


def test_error_summary_matches_design_system_markup(visitor, oracle):
    page = visitor.send(visitor.get("/check/sadness"), "/check/sadness")
    words = "Pick the answer that fits best, or “Prefer not to say”"
    expected = oracle(
        "error-summary",
        "errorSummary",
        titleText="There is one thing to do here",
        errorList=[{"text": words, "href": "#sadness"}],
    )
    assert skeleton(page.soup.select_one(".nhsuk-error-summary")) == skeleton(expected)
