"""``flask nginx``: what a reverse proxy in front of the nodes answers by itself."""

import click

from screening import current
from screening.cli.base import Group
from screening.config import SettingsError

nginx = Group("nginx", help="What a reverse proxy in front of the nodes needs; see deploy/README.md.")


@nginx.command("error-page")
def error_page() -> None:
    """Print the page it shows when no node answers, with crisis help of this clinic's files."""
    from screening.app import proxy_fallback

    click.echo(proxy_fallback(current.settings())[0])


@nginx.command("headers")
def headers() -> None:
    """Print, for nginx, the headers of what it answers by itself: the same as those of the site."""
    from screening.app import proxy_fallback

    for name, value in proxy_fallback(current.settings())[1].items():
        if set(value) & set('"\\$'):
            raise SettingsError(f"{name} would hold a character that nginx reads as its own: {value}")
        click.echo(f'add_header {name} "{value}" always;')
