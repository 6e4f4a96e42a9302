"""Drives a running server past its limits and says what became of it. Standard library only.

    lorica key --tenant soak 2>> KEYS         (then admin: true beneath its entry, see docs/security.md)
    lorica serve --model M --adapters DIR --keys KEYS --first-token-aim 6 --port 8000
    python bench/soak.py cycles   --url http://127.0.0.1:8000 --key KEY --pid PID --adapter NAME --count 10000
    python bench/soak.py overload --url http://127.0.0.1:8000 --key KEY --pid PID --adapter NAME --rate 50 --seconds 300

cycles: adds and removes one adapter again and again, each time read and checked by the server, with an answer of it now
and then. overload: sends streamed requests at a fixed rate whatever comes back (an open loop), and reports how many were
admitted, how many of these had their first token in time, and how the rest were refused. Both print the server's
resident memory (Linux, by --pid) over time.
"""

import argparse
import collections
import http.client
import json
import threading
import time
import urllib.parse


def resident(pid):
    """Resident memory of a process in MiB."""
    with open(f"/proc/{pid}/status") as status:
        return next(int(line.split()[1]) / 1024 for line in status if line.startswith("VmRSS"))


class Client:
    def __init__(self, args):
        self.address = urllib.parse.urlsplit(args.url).netloc
        self.headers = {"Content-Type": "application/json"}
        if args.key:
            self.headers["Authorization"] = "Bearer " + args.key

    def post(self, path, body):
        connection = http.client.HTTPConnection(self.address, timeout=120)
        connection.request("POST", path, json.dumps(body), self.headers)
        return connection, connection.getresponse()

    def status(self, path, body):
        connection, response = self.post(path, body)
        text = response.read().decode()
        connection.close()
        if response.status != 200:
            raise SystemExit(f"{path}: {response.status} {text}")


def cycles(args, client):
    for i in range(args.count + 1):
        if i % max(1, args.count // 10) == 0:
            print(f"{i:>6} cycles  {resident(args.pid):8.1f} MiB  {time.monotonic() - args.began:7.1f} s", flush=True)
        client.status("/v1/load_lora_adapter", {"lora_name": "soak", "lora_path": args.adapter})
        if i % 50 == 0:
            client.status("/v1/completions", {"model": "soak", "prompt": "Once", "max_tokens": 4})
        client.status("/v1/unload_lora_adapter", {"lora_name": "soak"})


def one(args, client, ends, firsts):
    began = time.monotonic()
    body = {"model": args.adapter, "prompt": "Once upon a time", "max_tokens": args.tokens, "stream": True}
    try:
        connection, response = client.post("/v1/completions", body)
        if response.status == 200:
            response.readline()
            firsts.append(time.monotonic() - began)
        else:
            ends["no Retry-After"] += response.status == 429 and not response.getheader("Retry-After")
        response.read()
        connection.close()
        ends[str(response.status)] += 1
    except OSError as error:
        ends[type(error).__name__] += 1


def overload(args, client):
    ends, firsts, threads = collections.Counter(), [], []
    total = int(args.rate * args.seconds)
    for i in range(total):
        if i % max(1, total // 10) == 0:
            print(f"{i / args.rate:7.1f} s  {resident(args.pid):8.1f} MiB  {dict(ends)}", flush=True)
        time.sleep(max(0.0, args.began + i / args.rate - time.monotonic()))
        thread = threading.Thread(target=one, args=(args, client, ends, firsts))
        thread.start()
        threads.append(thread)
    for thread in threads:
        thread.join()
    firsts.sort()
    kept = sum(first < args.aim for first in firsts)
    print(f"after all  {resident(args.pid):8.1f} MiB  {dict(ends)}")
    if firsts:
        print(f"admitted {len(firsts)} of {total}; first token within {args.aim} s: {kept / len(firsts):.1%}; "
              f"median {firsts[len(firsts) // 2]:.2f} s, 99th percentile {firsts[int(0.99 * (len(firsts) - 1))]:.2f} s")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=["cycles", "overload"])
    parser.add_argument("--url", required=True)
    parser.add_argument("--key", help="an administrator's, for cycles")
    parser.add_argument("--pid", type=int, required=True, help="of the server")
    parser.add_argument("--adapter", required=True, help="an adapter's folder, which is its name")
    parser.add_argument("--count", type=int, default=10_000)
    parser.add_argument("--rate", type=float, default=50.0, help="requests a second")
    parser.add_argument("--seconds", type=float, default=300.0)
    parser.add_argument("--tokens", type=int, default=32, help="of each answer")
    parser.add_argument("--aim", type=float, default=6.0, help="seconds to the first token")
    args = parser.parse_args()
    args.began = time.monotonic()
    {"cycles": cycles, "overload": overload}[args.what](args, Client(args))


if __name__ == "__main__":
    main()
