"""The forms of the staff pages. CSRFProtect checks the token of every POST before a form is created."""

from flask_babel import lazy_gettext
from flask_wtf import FlaskForm
from wtforms import DateField, EmailField, Form, PasswordField, SelectField, SelectMultipleField, StringField
from wtforms.validators import DataRequired, InputRequired, Optional

from screening.staff import roles
from screening.web.form_fields import MaxLength, select_choices
from screening.web.typed_text import identifier, single_line

FILL_IN = lazy_gettext("Fill in this field")


class StaffForm(FlaskForm):
    """Base of the staff forms."""

    class Meta:
        """WTForms options: all messages are our own, and the token was checked before."""

        csrf = False
        locales = False


class SignInForm(StaffForm):
    """E-mail address and password."""

    email = EmailField(filters=[single_line], validators=[DataRequired(lazy_gettext("Enter your work email"))])
    password = PasswordField(validators=[InputRequired(lazy_gettext("Enter your password"))])


class CodeForm(StaffForm):
    """A code of the app, or a recovery code."""

    code = StringField(filters=[identifier], validators=[DataRequired(lazy_gettext("Enter the code")), MaxLength(40)])


class PasswordForm(StaffForm):
    """A new password, typed twice, and the current one unless that is temporary."""

    current = PasswordField(validators=[Optional()])
    password = PasswordField(validators=[InputRequired(lazy_gettext("Enter a new password"))])
    again = PasswordField(validators=[InputRequired(lazy_gettext("Enter the new password again"))])


class RolesForm(StaffForm):
    """The roles of an account. ``accounts`` validates them."""

    roles = SelectMultipleField(choices=select_choices(roles.MEANINGS), validate_choice=False)


class DetailsForm(StaffForm):
    """Name and e-mail address of an account."""

    name = StringField(filters=[single_line], validators=[DataRequired(FILL_IN), MaxLength(100)])
    email = EmailField(filters=[identifier], validators=[DataRequired(FILL_IN), MaxLength(254)])


class AccountForm(DetailsForm, RolesForm):
    """A new account."""


class Day(DateField):
    """A date field with an error message of our own."""

    def process_formdata(self, valuelist: list[str]) -> None:
        """Parse the date. Raises ValueError with our message."""
        try:
            super().process_formdata(valuelist)
        except ValueError:
            raise ValueError(lazy_gettext("Enter a day such as 2026-11-23")) from None


class AuditForm(Form):
    """The filter of the audit page. Read from the query string, so that a filtered page can be bookmarked."""

    class Meta:
        """WTForms options: all messages are our own."""

        locales = False

    who = SelectField(default="", validate_choice=False)
    action = SelectField(default="", validate_choice=False)
    subject = StringField(default="", filters=[identifier], validators=[MaxLength(64)])
    since = Day(validators=[Optional()])
    until = Day(validators=[Optional()])
