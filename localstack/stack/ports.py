"""Free TCP ports on the loopback address, and a connection to one."""

import random
import socket

HOST = "127.0.0.1"


def free_ports(count):
    """Distinct ports nobody listens on.

    Chosen below the range from which Linux takes the ports of outgoing connections: between now and the moment the
    server listens, no client on this machine can be given one of them by chance.
    """
    ports = []
    for port in random.sample(range(20000, 32000), 500):
        with socket.socket() as probe:
            try:
                probe.bind((HOST, port))
            except OSError:
                continue
        ports.append(port)
        if len(ports) == count:
            return ports
    raise RuntimeError("no free TCP ports between 20000 and 32000")


def connect(port, timeout=2):
    return socket.create_connection((HOST, port), timeout)
