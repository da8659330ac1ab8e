"""``flask nginx``: files for the responses that a reverse proxy generates itself."""

import click

from screening import current
from screening.cli.base import Group
from screening.config import SettingsError

nginx = Group("nginx", help="Print files that a reverse proxy in front of the nodes needs; see docs/install.md.")


@nginx.command("error-page")
def error_page() -> None:
    """Print the error page shown when no node answers, with this clinic's crisis help."""
    from screening.app import proxy_fallback

    click.echo(proxy_fallback(current.settings())[0])


@nginx.command("headers")
def headers() -> None:
    """Print the site's response headers as nginx directives, for responses that nginx generates itself."""
    from screening.app import proxy_fallback

    for name, value in proxy_fallback(current.settings())[1].items():
        if set(value) & set('"\\$'):
            raise SettingsError(f"{name} would hold a character with a meaning in nginx's configuration: {value}")
        click.echo(f'add_header {name} "{value}" always;')
