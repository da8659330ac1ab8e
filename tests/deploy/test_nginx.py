"""The shipped nginx configuration, in front of nodes that are down, silent, or record their requests."""

from __future__ import annotations

import http.client
import socket
import ssl
from contextlib import ExitStack
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

import brotli
import pytest
from bs4 import BeautifulSoup

from screening.cli.commands_app import create_commands_app
from screening.config import ROOT
from screening.web import crisis
from screening.web.client_network import client_network, client_site
from tests.support.nginx import Nginx
from tests.support.ports import HeldPort

FORM = {"Content-Type": "application/x-www-form-urlencoded"}
LARGE_FORM = b"hopelessness=3&filler=" + b"x" * 70_000


class Node(ThreadingHTTPServer):
    """A node that records its requests, and answers with ``status``, or not at all."""

    daemon_threads = True

    def __init__(self, status: int | None = 200) -> None:
        self.status, self.got = status, []
        super().__init__(("127.0.0.1", 0), Handler)
        self.thread = Thread(target=self.serve_forever, args=(0.01,))
        self.thread.start()

    def __exit__(self, *error: object) -> None:
        self.shutdown()
        self.thread.join()
        super().__exit__(*error)


class Handler(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self.server.got.append((self.command, self.path, dict(self.headers), body))
        if self.server.status is None:
            return
        self.send_response(self.server.status)
        self.send_header("Content-Security-Policy", "default-src 'self'")
        self.send_header("Set-Cookie", "draft=sealed")
        self.end_headers()
        self.wfile.write(b"the node's own page")

    def do_POST(self) -> None:
        self.do_GET()

    def log_message(self, *anything: object) -> None:
        return


@pytest.fixture
def start_nginx(tmp_path):
    """Return a function that starts nginx and nodes: a status, None to close connections, "away" for a closed port."""
    with ExitStack() as running:

        def start(*kinds):
            nodes = [None if kind == "away" else running.enter_context(Node(kind)) for kind in kinds]
            ports = [node.server_port if node else running.enter_context(HeldPort()).number for node in nodes]
            return running.enter_context(Nginx(tmp_path / "nginx", ports, ports)), [node for node in nodes if node]

        yield start


PROBE = """
server {{
    listen 127.0.0.1:{port};
    set_real_ip_from 127.0.0.1;
    real_ip_header X-Forged;
    location / {{ return 200 "$screening_network $screening_site"; }}
}}
"""
"""A server that takes the client's address from a header, and answers with what the shipped maps make of it."""


def addresses_around_zeros():
    """Yield addresses with a zero or not in each of the eight groups, and neighbors of theirs."""
    for bits in range(256):
        groups = [0xAB0 + n if bits >> n & 1 else 0 for n in range(8)]
        yield ":".join(f"{group:x}" for group in groups)
    yield from ("::ffff:192.0.2.1", "::ffff:192.0.2.2", "192.0.2.1", "192.0.2.2", "::ffff:0:1", "2001:db8::1", "::1")
    yield from (f"2001:db8:{n}:{m}::{k}" for n in (1, 2) for m in (0, 1) for k in (0, 1))


def test_nginx_counts_the_same_networks_as_the_site(tmp_path):
    """An address for an address: the maps and the module tell the same ones apart."""
    with ExitStack() as running:
        probe, nodes = (running.enter_context(HeldPort()).number for _ in range(2))
        nginx = Nginx(tmp_path / "nginx", [nodes], [nodes])
        (nginx.folder / "conf.d" / "probe.conf").write_text(PROBE.format(port=probe))
        running.enter_context(nginx)
        connection = http.client.HTTPConnection("127.0.0.1", probe, timeout=60)
        found = {}
        for address in addresses_around_zeros():
            connection.request("GET", "/", headers={"X-Forged": address})
            found[address] = connection.getresponse().read().decode().split(" ")
        connection.close()
    for of_nginx, of_site in ((0, client_network), (1, client_site)):
        pairs = {(seen[of_nginx], of_site(address)) for address, seen in found.items()}
        assert len(pairs) == len({key for key, _ in pairs}) == len({network for _, network in pairs}) > 10


def is_help_page(answer):
    """Return whether an answer is nginx's own page: the help of every locale, the clinic, and no external resource."""
    soup = BeautifulSoup(answer.body, "html.parser")
    links = {str(link["href"]) for link in soup.find_all("a")}
    words = " ".join(soup.get_text(" ").split())
    return (
        "Demo Spine and Pain Clinic" in words
        and {"tel:988", "sms:988", "tel:911", "tel:+18004224453", "/worried"} <= links
        and all(
            " ".join(line.split()) in words
            for each in crisis.load(("en", "es")).values()
            for line in (each.in_short, each.worried, each.minors)
        )
        and not soup.find(["script", "style", "img"])
        and not soup.find(attrs={"style": True})
    )


def test_nginx_without_nodes_serves_help_with_site_headers(start_nginx, make_site):
    nginx, _ = start_nginx("away", "away")
    site = make_site(HTTPS=True).extensions["headers"]
    for method, path, body, status in (
        ("GET", "/", None, 502),
        ("GET", "/help-now", None, 502),
        ("POST", "/check/hopelessness", b"hopelessness=3", 502),
        ("GET", "/staff/sign-in", None, 502),
        ("POST", "/check/hopelessness", LARGE_FORM, 413),
        ("GET", "/" + "x" * 20_000, None, 414),
        ("GET", "/away.html", None, 404),
    ):
        answer = nginx.request(method, path, body, FORM if body else None)
        assert (answer.status, is_help_page(answer)) == (status, True), (path[:30], answer.status, answer.body)
        assert {name: answer.headers[name] for name in site} == dict(site)
        assert answer.headers["Cache-Control"] == "no-store" and answer.headers["Server"] == "nginx"


def test_operator_paths_never_reach_a_node(start_nginx):
    nginx, (node,) = start_nginx(200)
    for path in ("/metrics", "/metrics/", "/readyz", "/static/manifest.json"):
        assert nginx.request("GET", path).status == 404
    assert node.got == []
    assert nginx.request("GET", "/healthz").status == 200


def test_node_response_passes_through_unchanged(start_nginx):
    nginx, _ = start_nginx(503)
    answer = nginx.request("GET", "/summary")
    assert (answer.status, answer.body) == (503, b"the node's own page")
    assert answer.headers.get_all("Content-Security-Policy") == ["default-src 'self'"]
    assert answer.headers["Set-Cookie"] == "draft=sealed" and "Content-Encoding" not in answer.headers


def test_node_receives_real_client_address_not_forged_headers(start_nginx):
    nginx, (node,) = start_nginx(200)
    forged = {"X-Forwarded-For": "192.0.2.66", "X-Forwarded-Proto": "gopher", "X-Forwarded-Host": "evil.example"}
    nginx.request("GET", "/", headers=forged | {"Accept-Encoding": "gzip"})
    ((_, _, headers, _),) = node.got
    assert headers["X-Forwarded-For"] == "127.0.0.1"
    assert headers["X-Forwarded-Proto"] == "https"
    assert headers["X-Forwarded-Host"] == headers["Host"] == "localhost"


def test_post_is_never_retried_and_get_is_retried(start_nginx):
    nginx, nodes = start_nginx(None, None)
    assert nginx.request("POST", "/consultation/sent", b"name=Rosa", FORM).status == 502
    assert sum(len(node.got) for node in nodes) == 1, "the form is sent to one node only"
    assert nginx.request("GET", "/consultation").status == 502
    assert sum(method == "GET" for node in nodes for method, *_ in node.got) == 2, "the request is sent to both nodes"


def test_interrupted_get_is_served_by_the_other_node(start_nginx):
    nginx, _ = start_nginx(None, 200)
    assert [nginx.request("GET", "/").status for _ in range(4)] == [200] * 4


def test_post_goes_to_the_available_node(start_nginx):
    nginx, (node,) = start_nginx("away", 200)
    assert [nginx.request("POST", "/leave", b"a=b", FORM).status for _ in range(4)] == [200] * 4
    assert len(node.got) == 4


def test_slow_client_occupies_nginx_and_no_node(start_nginx):
    nginx, (node,) = start_nginx(200)
    connection = nginx.connect()
    connection.putrequest("POST", "/check/sadness", skip_host=True)
    for name, value in {"Host": "localhost", "Content-Length": "9", **FORM}.items():
        connection.putheader(name, value)
    connection.endheaders(b"sadness")
    assert nginx.request("GET", "/healthz").status == 200
    assert [method for method, *_ in node.got] == ["GET"], "an incomplete form is not forwarded"
    connection.send(b"=1")
    assert connection.getresponse().status == 200
    assert node.got[-1][3] == b"sadness=1"
    connection.close()


def run_out_of_rotation(nginx, port, *command):
    """Run a command with a node out of rotation; return the exit code and stderr."""
    running = nginx.out_of_rotation(port, *command)
    _, stderr = running.communicate(timeout=120)
    return running.returncode, stderr


def test_node_is_out_of_rotation_while_a_command_runs(start_nginx, tmp_path):
    nginx, (first, second) = start_nginx(200, 200)
    file = nginx.folder / "conf.d" / "screening.conf"
    shipped = file.read_text()
    copy_config = f"cp {file} {tmp_path}/meanwhile"
    assert run_out_of_rotation(nginx, first.server_port, "sh", "-c", copy_config) == (0, "")
    assert (tmp_path / "meanwhile").read_text().count(" down;") == 2, "for visitors and for staff"
    assert file.read_text() == shipped
    assert run_out_of_rotation(nginx, first.server_port, "false")[0] == 1
    first.got.clear()
    assert [nginx.request("POST", "/leave", b"a=b", FORM).status for _ in range(6)] == [200] * 6
    assert first.got == [] and len(second.got) == 6, "the node stays out after a failed command"
    assert run_out_of_rotation(nginx, first.server_port, "true")[0] == 0
    assert [nginx.request("POST", "/leave", b"a=b", FORM).status for _ in range(6)] == [200] * 6
    assert "/leave" in [path for _, path, *_ in first.got] and len(second.got) < 12
    code, stderr = run_out_of_rotation(nginx, 1, "touch", str(tmp_path / "done"))
    assert code == 1 and stderr.endswith("has no line: server 127.0.0.1:1 ...\n")
    assert not (tmp_path / "done").exists()


@pytest.mark.parametrize("name", ["visitor.css", "visitor.js", "icon.svg"])
def test_static_files_are_compressed_with_the_node_headers(start_nginx, make_site, name):
    nginx, _ = start_nginx("away")
    site = make_site(HTTPS=True)
    path = site.jinja_env.globals["asset"](name)
    plain = nginx.request("GET", path)
    assert plain.status == 200
    compressed = nginx.request("GET", path, headers={"Accept-Encoding": "gzip, br"})
    assert compressed.headers["Content-Encoding"] == "br" and brotli.decompress(compressed.body) == plain.body
    assert nginx.request("GET", path, headers={"Accept-Encoding": "gzip"}).headers["Content-Encoding"] == "gzip"
    with site.test_client().get(path, headers={"Accept-Encoding": "br"}) as own:
        assert own.data == compressed.body
        same = {*site.extensions["headers"], "Vary", "Content-Length"}
        assert {name: compressed.headers[name] for name in same} == {name: own.headers[name] for name in same}
        kind = compressed.headers["Content-Type"].replace("application/javascript", "text/javascript")
        assert kind == own.headers["Content-Type"].replace('"', "")
        assert "immutable" in compressed.headers["Cache-Control"] and "immutable" in own.headers["Cache-Control"]


def test_missing_static_file_is_fetched_from_a_node(start_nginx):
    nginx, _ = start_nginx(200)
    assert nginx.request("GET", "/static/visitor.0000000000.css").body == b"the node's own page"
    assert nginx.request("GET", "/static/%2e%2e/%2e%2e/%2e%2e/setup.cfg").status == 400
    assert b"install_requires" not in nginx.request("GET", "/static/../../setup.cfg").body


def test_http_redirects_to_https_and_unknown_host_is_refused(start_nginx):
    nginx, (node,) = start_nginx(200)
    connection = http.client.HTTPConnection("127.0.0.1", nginx.open_port, timeout=30)
    connection.request("GET", "/about?lang=es", headers={"Host": "localhost"})
    answer = connection.getresponse()
    assert (answer.status, answer.headers["Location"]) == (301, "https://localhost/about?lang=es")
    connection.close()
    other_host = nginx.connect("elsewhere.example")
    with pytest.raises(ssl.SSLError):
        other_host.request("GET", "/")
    assert node.got == []


def test_nginx_logs_and_stores_nothing_about_requests(start_nginx):
    """The main configuration logs everything it can. Every kind of nginx error occurs, and a handshake is aborted."""
    nginx, _ = start_nginx("away", None)
    for path in ("/check/hopelessness", "/static/nothing", "/%zz", "/" + "x" * 20_000):
        nginx.request("GET", path)
    for path in ("/check/hopelessness", "/static/nothing"):
        nginx.request("POST", path, LARGE_FORM[:60_000], FORM)
    nginx.request("POST", "/summary", LARGE_FORM, FORM)
    with socket.create_connection(("127.0.0.1", nginx.port)) as broken:
        broken.sendall(b"GET /summary HTTP/1.1\r\n\r\n")
        assert b"400" in broken.recv(4096)
    with socket.create_connection(("127.0.0.1", nginx.port)) as broken:
        broken.sendall(b"\x16\x03\x01\x00\x05hello")
        broken.recv(4096)
    nginx.__exit__()
    log = nginx.log_text()
    assert "signal" in log, "the control: nginx writes to its log"
    assert not [word for word in ("127.0.0.1", "client", "request", "check", "summary", "hello") if word in log], log
    assert not [file for file in (nginx.folder / "temp").rglob("*") if file.is_file()]


def test_header_value_with_unsafe_character_is_refused():
    app = create_commands_app({"FRAME_ANCESTORS": ('https://a.example"; root /etc',)})
    done = app.test_cli_runner().invoke(args=["nginx", "headers"])
    assert done.exit_code == 1 and done.stdout.count("Content-Security-Policy") == 0
    assert done.stderr.count("\n") == 1 and "Content-Security-Policy would hold a character" in done.stderr


def test_proxy_error_page_needs_no_keys_or_database(tmp_path):
    file = tmp_path / "clinic.toml"
    text = (ROOT / "screening" / "clinic-demo.toml").read_text(encoding="utf-8")
    file.write_text(text.replace("Demo Spine and Pain Clinic", "Clinic by the Weir"), encoding="utf-8")
    unreachable = "postgresql://nobody@127.0.0.1:1/none"
    app = create_commands_app({"CLINIC_FILE": file, "KEYS_DIR": tmp_path / "none", "DATABASE_URL": unreachable})
    done = app.test_cli_runner().invoke(args=["nginx", "error-page"])
    assert done.exit_code == 0 and '<h1 class="nhsuk-heading-l">Clinic by the Weir</h1>' in done.stdout
    file.write_text("name = 7", encoding="utf-8")
    done = app.test_cli_runner().invoke(args=["nginx", "error-page"])
    assert done.exit_code == 1 and done.stdout == "" and done.stderr.count("\n") == 1
