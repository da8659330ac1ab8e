"""The forms of the staff pages. CSRFProtect checks the token of every post before a form is made."""

from flask_babel import lazy_gettext
from flask_wtf import FlaskForm
from wtforms import DateField, EmailField, Form, PasswordField, SelectField, SelectMultipleField, StringField
from wtforms.validators import InputRequired, Length, Optional

from screening.staff import roles
from screening.web.form_fields import select_choices

FILL_IN = lazy_gettext("Fill in this field")
TOO_LONG = lazy_gettext("That is too long")


class StaffForm(FlaskForm):
    """What all forms here share."""

    class Meta:
        """Messages are our own, and the token is checked already."""

        csrf = False
        locales = False


class SignInForm(StaffForm):
    """E-mail and password."""

    email = EmailField(validators=[InputRequired(lazy_gettext("Enter your work e-mail"))])
    password = PasswordField(validators=[InputRequired(lazy_gettext("Enter your password"))])


class CodeForm(StaffForm):
    """A code of an app, or a recovery code."""

    code = StringField(validators=[InputRequired(lazy_gettext("Enter the code")), Length(max=40, message=TOO_LONG)])


class PasswordForm(StaffForm):
    """A new password, typed twice; the one in use before."""

    current = PasswordField(validators=[Optional()])
    password = PasswordField(validators=[InputRequired(lazy_gettext("Enter a new password"))])
    again = PasswordField(validators=[InputRequired(lazy_gettext("Enter the new password again"))])


class RolesForm(StaffForm):
    """What an account may do. Which roles there are, and go together, is checked where they are given."""

    roles = SelectMultipleField(choices=select_choices(roles.MEANINGS), validate_choice=False)


class AccountForm(RolesForm):
    """A new account."""

    name = StringField(validators=[InputRequired(FILL_IN), Length(max=100, message=TOO_LONG)])
    email = EmailField(validators=[InputRequired(FILL_IN), Length(max=254, message=TOO_LONG)])


class Day(DateField):
    """A day, with a message of our own for what is none."""

    def process_formdata(self, valuelist: list[str]) -> None:
        """Read the day. Raises ValueError."""
        try:
            super().process_formdata(valuelist)
        except ValueError:
            raise ValueError(lazy_gettext("Give a day such as 2026-11-23")) from None


class AuditForm(Form):
    """Which events to show. Read from the address, so it can be kept and shared."""

    class Meta:
        """Messages are our own."""

        locales = False

    who = SelectField(default="", validate_choice=False)
    action = SelectField(default="", validate_choice=False)
    subject = StringField(default="", validators=[Length(max=64, message=TOO_LONG)])
    since = Day(validators=[Optional()])
    until = Day(validators=[Optional()])
