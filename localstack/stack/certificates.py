"""A certificate authority and a server certificate for Kafka's TLS listener, made anew for each run."""

import subprocess

from .common import Problem

DAYS = "30"

CA_CONFIG = """\
[req]
prompt = no
distinguished_name = name
x509_extensions = extensions
[name]
CN = okta-ocsf test authority
[extensions]
basicConstraints = critical, CA:TRUE
keyUsage = critical, keyCertSign, cRLSign
subjectKeyIdentifier = hash
"""

SERVER_CONFIG = """\
[req]
prompt = no
distinguished_name = name
x509_extensions = extensions
[name]
CN = localhost
[extensions]
basicConstraints = critical, CA:FALSE
keyUsage = critical, digitalSignature
extendedKeyUsage = serverAuth
subjectAltName = DNS:localhost, IP:127.0.0.1
"""


def make(folder):
    """Returns the authority's certificate and the broker's keystore, both PEM files in `folder`."""
    ca, ca_key = certificate(folder, "ca", CA_CONFIG)
    server, server_key = certificate(folder, "server", SERVER_CONFIG, ["-CA", ca, "-CAkey", ca_key])
    keystore = folder / "keystore.pem"
    keystore.touch(mode=0o600)
    keystore.write_text(server_key.read_text() + server.read_text() + ca.read_text())
    return ca, keystore


def certificate(folder, name, config, signer=()):
    """A new P-256 key (made at once, unlike an RSA key) and a certificate for it."""
    file, key, settings = (folder / f"{name}.{end}" for end in ("crt", "key", "cnf"))
    settings.write_text(config)
    command = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-noenc",
               "-sha256", "-days", DAYS, "-config", settings, "-keyout", key, "-out", file, *signer]
    result = subprocess.run(list(map(str, command)), stdin=subprocess.DEVNULL, capture_output=True, text=True)
    if result.returncode != 0:
        raise Problem(f"making the certificate '{name}' for Kafka failed (OpenSSL 3 is needed):\n{result.stderr.strip()}")
    return file, key
