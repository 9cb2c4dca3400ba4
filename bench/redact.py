"""Measures redaction: the built-in rules on logs, beside a Go program that runs the same rules one by one."""

import random
import subprocess

# Shapes of credentials, made up; written in parts, so that nobody takes this file for a leak.
ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"


def secret(draw):
    def some(count, alphabet=ALPHABET):
        return "".join(draw.choices(alphabet, k=count))

    return draw.choice((lambda: "AK" + "IA" + some(16, ALPHABET[:26] + "234567"), lambda: "gh" + "p_" + some(36),
                        lambda: "postgres://app:" + some(20) + "@db.internal/app", lambda: "gl" + "pat-" + some(20)))()


def write_logs(path, size, seed=1):
    """Lines as services write them; one in a thousand says too much."""
    draw, written = random.Random(seed), 0
    shapes = (
        lambda: f"level=info service=api-{draw.randrange(50)} request_id={draw.getrandbits(64):016x} method=GET "
                f"path=/v1/items/{draw.randrange(100000)} status=200 duration={draw.randrange(900)}ms user=user{draw.randrange(999)}@example.com",
        lambda: f'{{"level":"warn","component":"scheduler","pod":"worker-{draw.getrandbits(40):010x}","message":"retrying job",'
                f'"attempt":{draw.randrange(5)},"trace_id":"{draw.getrandbits(128):032x}"}}',
        lambda: f'10.0.{draw.randrange(256)}.{draw.randrange(256)} - - "POST /login HTTP/1.1" 302 {draw.randrange(9999)} "-" "Mozilla/5.0 (X11; Linux x86_64)"',
        lambda: f"goroutine {draw.randrange(9999)} [select]: net/http.(*persistConn).writeLoop(0xc000{draw.getrandbits(24):06x})",
    )
    with open(path, "w", encoding="utf-8") as out:
        for number in range(1 << 30):
            line = draw.choice(shapes)() if number % 1000 else f"level=debug msg=\"connecting\" credential={secret(draw)}"
            written += out.write(f"2026-01-02T03:04:{number % 60:02d}Z {line}\n")
            if written >= size:
                return written


def run_once(command):
    done = subprocess.run([str(part) for part in command], stdout=subprocess.PIPE, text=True, check=True)
    seconds, size = done.stdout.splitlines()[-1].split()
    return float(seconds), int(size)


def measure(ours, go, folder, counts):
    """Each round has each program once, after a time that is not counted. Megabytes a second."""
    logs, rules = folder / "logs.txt", folder / "rules.jsonl"
    written = write_logs(logs, counts["log_bytes"])
    rules.write_bytes(subprocess.run([str(ours), "rules"], stdout=subprocess.PIPE, check=True).stdout)
    commands = {"ours": [ours, logs, 2], "go": [go, rules, logs, 1], "go_keywords": [go, "-keywords", rules, logs, 1]}
    results = {"bytes": written, "rules": len(rules.read_text().splitlines()), "speed": {name: [] for name in commands}}
    for _ in range(counts["redactions"]):
        for name, command in commands.items():
            seconds, _ = run_once(command)
            results["speed"][name].append(written / 1e6 / seconds)
    return results
