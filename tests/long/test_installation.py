"""One server is installed, upgraded, reverted and restored by the commands of the handbook, in order and as written.

Only the names in the first box of a page are replaced. There are stand-ins for certbot (it writes a self-signed
certificate), the editor and systemctl.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import time
from collections.abc import Iterator

import pytest
from bs4 import BeautifulSoup

from screening.config import ROOT
from tests.support.certificates import web_server_certificate
from tests.support.handbook import AS_ROOT, DOCS, blocks, check_output
from tests.support.processes import TEST_TIMEOUT
from tests.support.server import Server
from tests.support.staff_client import totp

NAME, ADMIN = "check.weir.test", "first@clinic.example.org"

NEEDS_NETWORK = ("apt-get install", "git clone")
"""Commands in the boxes that fetch packages from other machines."""

START_PACKAGES = """
version=$(pg_lsclusters --no-header | cut --delimiter=" " --fields=1)
rm --recursive --force "/etc/postgresql/$version/main" "/var/lib/postgresql/$version/main"
pg_createcluster "$version" main
pg_ctlcluster "$version" main start
systemctl start nginx redis-server
install /mnt/fullchain.pem /usr/local/share/ca-certificates/stand-in.crt
update-ca-certificates
"""
"""Debian's packages do this when they are installed: create a database server, start the services. The last two lines
make curl trust the certificate of the certbot stand-in."""

RENEWAL = """
certbot certonly --webroot --webroot-path /var/www/html --domain "$site" --deploy-hook "systemctl reload nginx"
"""
"""The same challenge as for the first certificate, now served by the site's own nginx configuration."""

CONTROL = "[Service]\\nType=oneshot\\nExecStart=/usr/bin/touch %s\\n"
"""A unit that writes a file, to check that the systemctl stand-in applies the drop-in."""

BACKUPS, NEW_PASSWORD, NEXT = "/var/lib/screening-backups", "a long way down the weir", "The next version"

ALL, UNTIL_THE_LAST, THE_LAST = slice(None), slice(-1), slice(-1, None)


class Repository:
    """The repository that is cloned on the server: the files of this checkout in one commit."""

    def __init__(self, server: Server) -> None:
        self.folder = server.share / "repository"
        listed = self.git("ls-files", "-z", "--cached", "--others", "--exclude-standard", at=ROOT)
        for name in filter(None, listed.split("\0")):
            if (ROOT / name).exists():
                (self.folder / name).parent.mkdir(parents=True, exist_ok=True)
                shutil.copy2(ROOT / name, self.folder / name)
        self.git("init", "--quiet", "--initial-branch=main")
        self.commit("one version")

    def git(self, *words: str, at: object = None) -> str:
        identity = ["-c", "user.name=test", "-c", "user.email=test@weir.test"]
        done = subprocess.run(["git", *identity, *words], cwd=at or self.folder, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def commit(self, what: str) -> None:
        self.git("add", "--all")
        self.git("commit", "--quiet", f"--message={what}")

    def add_version(self) -> None:
        """Commit a version with another text on the start page and in the change log."""
        page, changes = self.folder / "templates" / "screener" / "start.html", self.folder / "CHANGELOG.md"
        page.write_text(page.read_text().replace("{% block main %}", f"{{% block main %}}<p>{NEXT}</p>"))
        changes.write_text(f"{changes.read_text()}- {NEXT}.\n")
        self.commit("the next version")


@pytest.fixture
def server(tmp_path) -> Iterator[Server]:
    made = Server(tmp_path, NAME)
    web_server_certificate(NAME, made.share / "fullchain.pem", made.share / "privkey.pem")
    with made:
        yield made


def follow(server: Server, page: str, part: slice = ALL, **names: str) -> str:
    """Run the root boxes of a page in order, or a part of them; return their output."""
    file, printed = DOCS / f"{page}.md", [""]
    for block in [block for block in blocks(file) if block.fence in (AS_ROOT, "text")][part]:
        text = block.text
        for name, value in names.items():
            text = re.sub(rf"^{name}=.*$", f"{name}={value}", text, flags=re.MULTILINE)
        if block.fence == AS_ROOT:
            if "flask doctor" in text:
                wait_for_worker(server)
            printed.append(server.run(text, network=any(words in text for words in NEEDS_NETWORK)))
            if "apt-get install" in text:
                server.run(START_PACKAGES)
        elif block.fence == "text":
            check_output(file, text, printed[-1])
    return "".join(printed)


def wait_for_worker(server: Server) -> None:
    """Wait until a worker has taken its lease, which the doctor checks."""
    leases = "sudo -u postgres psql -tA --command 'SELECT count(*) FROM worker_lease' screening"
    deadline = time.monotonic() + TEST_TIMEOUT
    while server.attempt(leases).stdout.strip() in ("", "0"):
        assert time.monotonic() < deadline, server.logs()


def submit(server: Server, page: str, address: str, **fields: str) -> str:
    """Submit the form of a staff page with this action; return the next page."""
    form = BeautifulSoup(page, "html.parser").find("form", action=address)
    assert form is not None, page
    hidden = {str(field["name"]): str(field["value"]) for field in form.select("input[type=hidden]")}
    return server.browse(address, **hidden, **fields)


def sign_in(server: Server, temporary: str) -> str:
    """Sign in for the first time: password, new password, app. Return the accounts page."""
    page = submit(server, server.browse("/staff"), "/staff/sign-in", email=ADMIN, password=temporary)
    page = submit(server, page, "/staff/password", password=NEW_PASSWORD, again=NEW_PASSWORD)
    key = BeautifulSoup(page, "html.parser").find(class_="app-key")
    assert key is not None, page
    submit(server, page, "/staff/set-up", code=totp(key.get_text().replace(" ", ""), time.time()))
    return server.browse("/staff/accounts")


def backups(server: Server) -> list[str]:
    """Owner, mode and name of the backup folder and its files, with DAY for the date."""
    listed = server.run(f"stat --format='%U %a %n' {BACKUPS} {BACKUPS}/*").splitlines()
    return [re.sub(r"\d{4}-\d\d-\d\d", "DAY", line) for line in listed]


def test_handbook_installs_upgrades_and_restores_a_server(server, report):
    repository = Repository(server)
    printed = follow(server, "install", site=NAME, admin=ADMIN, repository="/mnt/repository")
    report("installed")
    start = server.browse("/")
    assert "Clinic by the Weir" in start and "tel:988" in start
    password = re.search(r"Hand over this password:\n(\S+)\n", printed)
    assert password is not None
    assert ADMIN in sign_in(server, password[1])
    assert backups(server) == [f"screening 700 {BACKUPS}", f"screening 600 {BACKUPS}/DAY.backup"]
    server.run(RENEWAL)
    assert server.run("find /srv/screening ! -user screening") == "", "everything belongs to the site's user"
    assert "dubious ownership" in server.attempt("git -C /srv/screening pull").stdout, "git refuses root"
    for place, allowed in (("/srv/screening/instance/written", True), ("/srv/screening/written", False)):
        server.run(f"printf '{CONTROL}' {place} >/etc/systemd/system/screening-control.service")
        assert (server.attempt("systemctl start screening-control").returncode == 0) == allowed, place
    report("the first account signed in; a backup was made; the certificate was renewed")

    repository.add_version()
    assert "+- The next version." in follow(server, "upgrade", UNTIL_THE_LAST, site=NAME)
    assert NEXT in server.browse("/") and ADMIN in server.browse("/staff/accounts")
    report("upgraded")
    follow(server, "upgrade", THE_LAST)
    assert NEXT not in server.browse("/") and ADMIN in server.browse("/staff/accounts")
    report("reverted")

    follow(server, "backup")
    assert "Clinic by the Weir" in server.browse("/")
    signed_out = server.browse("/staff/accounts")
    assert "/staff/sign-in" in signed_out, "sessions are in no backup"
    report("restored")
