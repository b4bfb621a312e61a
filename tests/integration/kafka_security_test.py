"""Goal: TLS and SASL/SCRAM work through librdkafka's own properties, and each mistake in them is said in time, on one
line, without a secret in it.

Method: the program runs against a broker of its own, whose only other listener wants TLS and a password. Debian's
librdkafka 2.0.2 does SCRAM in a way that Kafka 4 refuses, so SCRAM is tried with a newer one, PLAIN with the system's.
"""

import pathlib
import subprocess
import sys
import tempfile

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))
import servers.environment  # noqa: E402

servers.environment.enter()

from integration.program_case import ProgramCase, main  # noqa: E402
from servers.kafka import Kafka  # noqa: E402
from servers.process import free_port  # noqa: E402

USER = "shop"
PASSWORD = "correct-horse"


def openssl(*arguments):
    subprocess.run(["openssl", *map(str, arguments)], check=True, capture_output=True)


def make_authority(folder, name):
    """The certificate of an authority that signs others; its path."""
    openssl("req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", f"/CN={name}",
            "-keyout", folder / f"{name}.key", "-out", folder / f"{name}.crt")
    return folder / f"{name}.crt"


def make_keystore(folder, authority):
    """The broker's private key and certificate in one PEM file."""
    request, certificate, extension = folder / "broker.csr", folder / "broker.crt", folder / "broker.ext"
    extension.write_text("subjectAltName=IP:127.0.0.1\n")
    openssl("req", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=127.0.0.1", "-keyout", folder / "broker.key", "-out",
            request)
    openssl("x509", "-req", "-in", request, "-CA", authority, "-CAkey", authority.with_suffix(".key"),
            "-CAcreateserial", "-days", "2", "-extfile", extension, "-out", certificate)
    keystore = folder / "broker.pem"
    keystore.write_text((folder / "broker.key").read_text() + certificate.read_text() + authority.read_text())
    return keystore


def secured_broker(keystore, port):
    broker = Kafka(format_arguments=["--add-scram", f"SCRAM-SHA-256=[name={USER},password={PASSWORD}]"],
                   starts_quickly=True)
    plain = broker.brokers[0].properties()
    broker.settings.update({
        "listeners": f"{plain['listeners']},SECURE://127.0.0.1:{port}",
        "advertised.listeners": f"{plain['advertised.listeners']},SECURE://127.0.0.1:{port}",
        "listener.security.protocol.map": f"{plain['listener.security.protocol.map']},SECURE:SASL_SSL",
        "sasl.enabled.mechanisms": "SCRAM-SHA-256,PLAIN",
        "listener.name.secure.plain.sasl.jaas.config":
            f"org.apache.kafka.common.security.plain.PlainLoginModule required user_{USER}=\"{PASSWORD}\";",
        "listener.name.secure.scram-sha-256.sasl.jaas.config":
            "org.apache.kafka.common.security.scram.ScramLoginModule required;",
        "ssl.keystore.type": "PEM",
        "ssl.keystore.location": keystore,
    })
    return broker


class KafkaSecurity(ProgramCase):
    @classmethod
    def setUpClass(cls):
        cls.scratch = tempfile.TemporaryDirectory()
        folder = pathlib.Path(cls.scratch.name)
        cls.authority = make_authority(folder, "authority")
        cls.stranger = make_authority(folder, "stranger")
        port = free_port()
        cls.address = f"127.0.0.1:{port}"
        cls.broker = secured_broker(make_keystore(folder, cls.authority), port)
        try:
            cls.broker.start()
        except BaseException:
            cls.broker.stop()
            raise

    @classmethod
    def tearDownClass(cls):
        cls.broker.stop()
        cls.scratch.cleanup()

    def run_program(self, *arguments, preload=None, **changes):
        """The program with the right properties but for `changes`."""
        properties = {"security.protocol": "SASL_SSL", "ssl.ca.location": self.authority,
                      "sasl.mechanism": "PLAIN", "sasl.username": USER, "sasl.password": PASSWORD,
                      **{name.replace("_", "."): value for name, value in changes.items()}}
        return super().run_program(*arguments, properties=properties, preload=preload)

    def assert_refused(self, done, status, *words):
        super().assert_refused(done, status, *words)
        self.assertNotIn(PASSWORD, done.stderr + done.stdout)

    def assert_commits(self, topic, **how):
        self.must("init", "--lanes", "2", "--topic", f"{topic}:2", **how)
        (self.folder / "units.jsonl").write_text(
            '{"events":[{"topic":"%s","key":"17","type":"order.created","value":{"id":17}}]}\n' % topic)
        self.must("apply", "units.jsonl", **how)
        self.assertEqual(self.tailed(topic, **how), ["17"])

    def test_commits_over_tls_with_a_plain_password(self):
        self.assert_commits("plain")

    def test_commits_over_tls_with_scram(self):
        self.assert_commits("scram", preload=servers.environment.newer_librdkafka(), sasl_mechanism="SCRAM-SHA-256")

    def test_says_that_an_old_librdkafka_cannot_do_scram(self):
        done = self.run_program("init", sasl_mechanism="SCRAM-SHA-256")
        if done.returncode:  # else the system's librdkafka is not that old
            self.assert_refused(done, 4, "2.6.1")

    def test_says_that_the_password_is_wrong(self):
        for mechanism, preload in ("PLAIN", None), ("SCRAM-SHA-256", servers.environment.newer_librdkafka()):
            done = self.run_program("tail", "orders", preload=preload, sasl_password="wrong-horse",
                                    sasl_mechanism=mechanism)
            self.assert_refused(done, 4, "sasl.password")
            self.assertNotIn("wrong-horse", done.stderr)

    def test_says_that_the_broker_is_not_the_one_that_the_authority_knows(self):
        self.assert_refused(self.run_program("tail", "orders", ssl_ca_location=self.stranger), 4, "certificate",
                            "ssl.ca.location")

    def test_says_that_the_broker_wants_tls(self):
        self.assert_refused(self.run_program("tail", "orders", security_protocol="PLAINTEXT"), 4, "security.protocol")

    def test_refuses_a_secret_on_the_command_line(self):
        done = self.run_program("--stream-set", f"sasl.password={PASSWORD}", "tail", "orders")
        self.assert_refused(done, 2, "--stream-config")


if __name__ == "__main__":
    main(__doc__)
