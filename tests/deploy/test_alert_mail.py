"""A server that is stopped, seen by Prometheus, told to Alertmanager, mailed: all of it real, with a mail server that
wants TLS and a password.

Run with: .venv-reference/bin/python -m pytest tests/deploy/test_alert_mail.py
"""

import contextlib
import email
import email.policy
import re
import shutil
import ssl
import subprocess

import yaml
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import AuthResult

from mlflow_server import free_port
from monitoring_programs import ROOT, answers, installed, running, wait_until
from monitoring_prometheus import prometheus
from monitoring_server import Server

pytest_plugins = ["monitoring_fixtures"]

USER, PASSWORD = "hounsfield@example.org", "a password"


class Mailbox:
    """Keeps the mails that a mail server got."""

    def __init__(self):
        self.mails = []

    async def handle_DATA(self, _server, _session, envelope):  # noqa: N802 # aiosmtpd calls it so
        self.mails.append((envelope.rcpt_tos, email.message_from_bytes(envelope.content, policy=email.policy.default)))
        return "250 kept"

    def first(self, recipient, subject):
        """The first mail to a recipient whose subject begins so; its subject and its text."""
        for recipients, mail in self.mails:
            if recipient in recipients and mail["subject"].startswith(subject):
                return mail["subject"], mail.get_body().get_content().replace("\r\n", "\n")
        return None


def signs_in(_server, _session, _envelope, _mechanism, data):
    is_user = (data.login, data.password) == (USER.encode(), PASSWORD.encode())
    return AuthResult(success=is_user, handled=is_user)


@contextlib.contextmanager
def mail_server(folder):
    """A mail server that takes mail only with TLS and the password; its mailbox, its address and its certificate."""
    certificate, key = folder / "certificate.pem", folder / "key.pem"
    subprocess.run(
        [
            "openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes",
            "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost", "-days", "2",
            "-keyout", key, "-out", certificate,
        ],
        check=True,
        capture_output=True,
    )  # fmt: skip
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    mailbox = Mailbox()
    controller = Controller(
        mailbox,
        hostname="127.0.0.1",
        port=free_port(),
        tls_context=context,
        require_starttls=True,
        authenticator=signs_in,
        auth_required=True,
        # aiosmtpd asks for the user of LOGIN in other words than all others.
        auth_exclude_mechanism=["LOGIN"],
    )
    controller.start()
    try:
        yield mailbox, f"localhost:{controller.port}", certificate
    finally:
        controller.stop()


@contextlib.contextmanager
def alertmanager(folder, mail_address, certificate):
    """Alertmanager with the project's configuration, but with this mail server, and without waiting; its address."""
    program = installed("prometheus-alertmanager", "prometheus-alertmanager", "HOUNSFIELD_REQUIRE_PROMETHEUS")
    shutil.copy(ROOT / "deploy/monitoring/alertmanager/mail.tmpl", folder)
    (folder / "password").write_text(PASSWORD, encoding="utf-8")
    text = (ROOT / "deploy/monitoring/alertmanager/alertmanager.yml").read_text(encoding="utf-8")
    config = yaml.safe_load(re.sub(r"group_(wait|interval): \w+", r"group_\1: 1s", text))
    config["global"] |= {"smtp_smarthost": mail_address, "smtp_auth_password_file": str(folder / "password")}
    for receiver in config["receivers"]:
        for mails in receiver["email_configs"]:
            mails["tls_config"] = {"ca_file": str(certificate)}
    (folder / "alertmanager.yml").write_text(yaml.safe_dump(config), encoding="utf-8")
    address = f"127.0.0.1:{free_port()}"
    command = [
        program, f"--config.file={folder}/alertmanager.yml", f"--storage.path={folder}/data",
        f"--web.listen-address={address}", "--cluster.listen-address=",
    ]  # fmt: skip
    with running(command, folder / "log", lambda: answers(f"http://{address}/-/ready")):
        yield address


def test_a_server_that_is_down_or_drifts_is_mailed_to_those_who_can_help(small_model, tmp_path):
    folders = {name: tmp_path / name for name in ["mail", "alertmanager", "prometheus"]}
    for folder in folders.values():
        folder.mkdir()
    log = folders["alertmanager"] / "log"
    server = Server(small_model, tmp_path / "served")
    try:
        server.make_yesterday_drift()
        with (
            mail_server(folders["mail"]) as (mailbox, mail_address, certificate),
            alertmanager(folders["alertmanager"], mail_address, certificate) as alerts_to,
            prometheus(folders["prometheus"], server.address, alerts_to=alerts_to, at_once=True) as watching,
        ):

            def mailed(recipient, subject):
                return wait_until(lambda: mailbox.first(recipient, subject), lambda: f"no mail:\n{log.read_text()}")

            drifted = "The scans in production have drifted: "
            subject, text = mailed("trainers@example.org", f"[warning] {drifted}")
            assert "What to do: Look at GET /v1/drift" in text
            assert f"{drifted}class_shares, since 20" in text
            assert "more)" in subject, "one mail for all signals"

            assert watching.ask('up{job="hounsfield"} == 1')
            server.stop()
            down = f"The prediction server {server.address} does not answer"
            subject, text = mailed("operators@example.org", f"[critical] {down}")
            assert subject == f"[critical] {down}"
            assert text.startswith(f"{down}, since 20")
            assert "What to do: Look at its log and at /healthz." in text
            assert "Severity: critical" in text
            assert "<html" not in text

            server.start()
            subject, text = mailed("operators@example.org", f"[over] {down}")
            assert text.startswith("Over since 20")
            assert "What to do" not in text
    finally:
        server.stop()
