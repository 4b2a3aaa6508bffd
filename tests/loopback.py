"""Workers of one strategy, all on this machine."""

import json
import socket


def environments(count=2):
    """Environment variables of each worker, the chief first."""
    cluster = {"worker": free_addresses(count)}
    return [
        {
            "TF_CONFIG": json.dumps(
                {
                    "cluster": cluster,
                    "task": {"type": "worker", "index": index},
                }
            ),
            # Sandboxes may name a proxy; this traffic stays on loopback.
            "no_proxy": "127.0.0.1,localhost",
            "grpc_proxy": "",
        }
        for index in range(count)
    ]


def free_addresses(count):
    sockets = [socket.socket() for _ in range(count)]
    for one in sockets:
        one.bind(("127.0.0.1", 0))
    ports = [one.getsockname()[1] for one in sockets]
    for one in sockets:
        one.close()
    return [f"127.0.0.1:{port}" for port in ports]
