#!/usr/bin/env python3
"""Measures observations in fresh instances: a host on wazero, this library without images, with them, and primed.

All take turns in one run, so that a machine that is slower for a while is slower for all of them. Results go to bench/ of
the build folder: results.json, results.md, performance.svg. README.md says what each figure is.
"""

import argparse
import contextlib
import json
import os
import pathlib
import shutil
import statistics
import subprocess
import sys
import tempfile
import time

sys.dont_write_bytecode = True  # the source folder stays as it is
import languages  # noqa: E402
import redact  # noqa: E402
import report  # noqa: E402

HERE = pathlib.Path(__file__).resolve().parent
SKIPPED = 77
OBSERVED = "/etc/hosts"
CONFIG = json.dumps({"path": OBSERVED})
CAPABILITY = "fs:read:" + OBSERVED
LIBRARY_WAYS = ("plain", "image", "primed")
INSTANCES = 33
LANGUAGE = "language "  # before the names of plugins that are compared with each other
WAZERO_LOADED = 50  # it compiles each of them for some 50 ms; what counts is the figure for one

FULL = {"rounds": 12, "ms": 500, "starts": 3, "warm_starts": 15, "loaded": 1000, "plugins": ["go", "file"],
        "log_bytes": 10_000_000, "redactions": 2}
# Without the Go plugin, which takes both engines seconds to compile.
QUICK = {"rounds": 2, "ms": 20, "starts": 1, "warm_starts": 1, "loaded": 20, "plugins": ["file"], "log_bytes": 50_000, "redactions": 1}


def say(text):
    print(text, file=sys.stderr, flush=True)


# --- The programs ---------------------------------------------------------------------------------------------------


class Programs:
    def __init__(self, build, go, offline, component_tool, quick, languages_only=False):
        self.reglet, self.observe, self.redact = build / "reglet", build / "observe_bench", build / "redact_bench"
        self.out = build / "bench"
        self.host, self.go_redact, go_plugin = self.out / "wazero", self.out / "redact", self.out / "plugin.wasm"
        self.plugins = {"go": go_plugin, "file": build / "plugins" / "file.wasm"}
        self.out.mkdir(exist_ok=True)
        self.languages = languages.plugins(build, self.reglet, component_tool, quick, say)
        self.plugins.update({f"{LANGUAGE}{name}": path for name, path in self.languages.items()})
        if languages_only:
            return
        native = {"CGO_ENABLED": "0"}
        wasm = {"CGO_ENABLED": "0", "GOOS": "wasip1", "GOARCH": "wasm"}
        self.built = (go_build(go, offline, "./wazero", self.host, native) and
                      go_build(go, offline, "./redact", self.go_redact, native) and
                      go_build(go, offline, "./plugin", go_plugin, wasm, "-buildmode=c-shared"))


def go_build(go, offline, package, output, environment, *flags):
    """Nothing but the modules of go.sum is fetched, and nothing at all offline."""
    environment = {**os.environ, **environment, "GOTOOLCHAIN": "local", "GOWORK": "off", "GOFLAGS": "-mod=readonly"}
    if offline:
        environment["GOPROXY"] = "off"
    command = [go, "build", "-buildvcs=false", "-trimpath", "-ldflags=-s -w", *flags, "-o", str(output), package]
    done = subprocess.run(command, cwd=HERE, env=environment, stderr=subprocess.PIPE, text=True, check=False)
    if done.returncode:
        say(f"bench: {package} does not build: {done.stderr.strip().splitlines()[-1]}")
    return done.returncode == 0


class Environment:
    """Directories of a user who has run nothing yet."""

    def __init__(self, parent):
        self.home = pathlib.Path(tempfile.mkdtemp(dir=parent))
        self.variables = {"HOME": str(self.home), "XDG_CACHE_HOME": str(self.home / "cache"),
                          "XDG_CONFIG_HOME": str(self.home / "config"), "PATH": os.environ.get("PATH", "")}
        self.wazero_cache = self.home / "wazero"


class Worker:
    """A process that observes, and takes commands; observe.c has them."""

    def __init__(self, command, environment):
        self.process = subprocess.Popen([str(part) for part in command], env=environment.variables, text=True,
                                        stdin=subprocess.PIPE, stdout=subprocess.PIPE)

    def ask(self, line):
        self.process.stdin.write(line + "\n")
        self.process.stdin.flush()
        answer = self.process.stdout.readline()
        if not answer:
            raise SystemExit(f"bench: {self.process.args[0]} ended at {line!r}")
        return answer.strip()

    def run(self, threads, milliseconds):
        seconds, *nanoseconds = self.ask(f"run {threads} {milliseconds}").split()
        times = sorted(int(each) / 1000 for each in nanoseconds)
        return {"median_us": statistics.median(times), "p99_us": times[len(times) * 99 // 100],
                "per_second": len(times) / float(seconds)}

    def close(self):
        self.process.stdin.close()
        self.process.wait()


@contextlib.contextmanager
def worker(programs, way, plugin, environment, config=CONFIG):
    path = programs.plugins[plugin]
    if way == "wazero":
        command = [programs.host, "-cache", environment.wazero_cache, "serve", path, config]
    else:
        command = [programs.observe, way, path, config, CAPABILITY]
    started = Worker(command, environment)
    try:
        yield started
    finally:
        started.close()


# --- What is measured -----------------------------------------------------------------------------------------------


def check_evidence(programs, plugin, environment):
    """The hosts must have done the same work."""
    found = {}
    for way in ("wazero", *LIBRARY_WAYS):
        with worker(programs, way, plugin, environment) as each:
            answer = json.loads(each.ask("print"))
        found[way] = answer.get("evidence", answer)["data"]
        if found[way] != found["wazero"]:
            raise SystemExit(f"bench: {plugin}: {way} answers {found[way]}, wazero {found['wazero']}")


def measure_calls(programs, plugin, environment, counts):
    """Per way and number of threads, one value a round. Every round is a run of each way, one after the other."""
    results = {way: {"1": [], "2": []} for way in ("wazero", *LIBRARY_WAYS)}
    with contextlib.ExitStack() as stack:
        workers = {way: stack.enter_context(worker(programs, way, plugin, environment)) for way in results}
        for each in workers.values():
            each.run(2, counts["ms"])  # makes images and slots; not counted
        for _ in range(counts["rounds"]):
            for threads in ("1", "2"):
                for way, each in workers.items():
                    results[way][threads].append(each.run(int(threads), counts["ms"]))
    return results


def measure_accounting(programs, plugin, environment, counts):
    """What redaction and audit add to an observation: the same calls with a redactor that has nothing to look for and no audit,
    and with the built-in rules and a record of every decision."""
    results = {"bare": [], "accounted": []}
    with contextlib.ExitStack() as stack:
        workers = {way: stack.enter_context(worker(programs, way, plugin, environment)) for way in results}
        for each in workers.values():
            each.run(1, counts["ms"])  # not counted
        for _ in range(counts["rounds"]):
            for way, each in workers.items():
                results[way].append(each.run(1, counts["ms"]))
    return results


def measure_languages(programs, environment, counts):
    """The same plugin in each language, all of which must find the same."""
    results = {name: [] for name in programs.languages}
    found = {}
    with contextlib.ExitStack() as stack:
        workers = {}
        for name in results:
            told = json.dumps(languages.config(name))
            workers[name] = stack.enter_context(worker(programs, "image", f"{LANGUAGE}{name}", environment, told))
            data = json.loads(workers[name].ask("print"))["evidence"]["data"]
            if data != found.setdefault(languages.AGAINST[name], data):
                raise SystemExit(f"bench: {name} answers {data}, {languages.AGAINST[name]} {found[languages.AGAINST[name]]}")
            workers[name].run(1, counts["ms"])  # not counted
        for _ in range(counts["rounds"]):
            for name, each in workers.items():
                results[name].append(each.run(1, counts["ms"]))
    return {"rounds": results, "bytes": {name: path.stat().st_size for name, path in programs.languages.items()}}


def process_ms(command, environment):
    """The whole process, from before it is made until it is gone."""
    command = [str(part) for part in command]
    quiet = [(os.POSIX_SPAWN_OPEN, fd, os.devnull, os.O_RDWR, 0) for fd in (0, 1, 2)]
    begin = time.monotonic()
    pid = os.posix_spawn(command[0], command, environment.variables, file_actions=quiet)
    _, status = os.waitpid(pid, 0)
    took = (time.monotonic() - begin) * 1000
    if status:
        raise SystemExit(f"bench: {' '.join(command)}: exit code {os.waitstatus_to_exitcode(status)}")
    return took


def measure_starts(programs, plugin, parent, counts):
    """The first observation of a process: with nothing cached, and again with what the last one left behind; that is the
    environment which is answered as well."""
    path = programs.plugins[plugin]
    ours = [programs.reglet, "observe", path, "--name", "measured", f"path={OBSERVED}", "--grant", CAPABILITY]
    wazero = ["once", path, CONFIG]
    results = {name: [] for name in ("wazero", "wazero_cached", "ours", "ours_cached", "ours_cached_optimized")}
    for _ in range(counts["starts"]):
        environment = Environment(parent)
        results["wazero"].append(process_ms([programs.host, *wazero], environment))
        results["ours"].append(process_ms(ours, environment))
    cached = [programs.host, "-cache", environment.wazero_cache, *wazero]
    process_ms(cached, environment)
    for _ in range(counts["warm_starts"]):
        results["wazero_cached"].append(process_ms(cached, environment))
        results["ours_cached"].append(process_ms(ours, environment))
    with worker(programs, "image", plugin, environment) as optimizing:
        optimizing.ask("print")
    for _ in range(counts["warm_starts"]):
        results["ours_cached_optimized"].append(process_ms(ours, environment))
    return results, environment


def private_kib(pid, with_code):
    """Memory that would be free without this process. Of a file that is mapped for writing (what an instance starts from),
    what was written over: its other pages are the file's. Code is what cannot be written; what only the kernel maps is not
    counted."""
    total, mapping = 0, []
    for line in pathlib.Path(f"/proc/{pid}/smaps").read_text(encoding="utf-8").splitlines():
        words = line.split()
        if not words[0].endswith(":"):
            mapping = words
            of_file = mapping[-1].startswith("/memfd:") or ("w" in mapping[1] and mapping[4] != "0")
        elif words[0] == "Anonymous:" and of_file:
            total += int(words[1])
        elif words[0] in ("Private_Clean:", "Private_Dirty:") and not of_file:
            total += int(words[1]) if with_code or "w" in mapping[1] else 0
    return total


def measure_instances(programs, environment):
    """Instances of the Go plugin that have all observed and not ended yet; what one more takes. The process has observed
    before: instances that begin before there is an image initialise themselves, and are those of the first column."""
    config = json.dumps({"path": OBSERVED, "verbose": True})
    results = {}
    for way in ("wazero", *LIBRARY_WAYS):
        held = {}
        for count in (1, INSTANCES):
            with worker(programs, way, "go", environment, config) as each:
                each.ask("print")
                each.ask(f"hold {count}")
                held[count] = private_kib(each.process.pid, with_code=True)
                each.ask("")
        results[way] = (held[INSTANCES] - held[1]) / (INSTANCES - 1)
    return results


def measure_loaded(programs, environment, counts):
    """Many plugins in one process that idle; what one takes beyond its code and image."""
    results = {}
    for way, modules, count in (("wazero", "different", min(WAZERO_LOADED, counts["loaded"])),
                                ("fast", "different", counts["loaded"]), ("fast", "same", counts["loaded"])):
        with worker(programs, way, "file", environment) as each:
            each.ask("print")
            before = private_kib(each.process.pid, with_code=False)
            each.ask(f"load {count} {modules}")
            name = "wazero" if way == "wazero" else modules
            results[name] = {"loaded": (private_kib(each.process.pid, with_code=False) - before) / count}
            if way != "wazero":
                each.ask("each")
                results[name]["observed"] = (private_kib(each.process.pid, with_code=False) - before) / count
    return results


def measure(programs, counts):
    results = {"counts": counts, "kernel": os.uname().release, "cpus": os.cpu_count(), "load": [os.getloadavg()[0]], "calls": {}, "starts": {}}
    results["plugin_bytes"] = {name: programs.plugins[name].stat().st_size for name in counts["plugins"]}
    with tempfile.TemporaryDirectory(prefix="reglet-bench-") as parent:
        for plugin in counts["plugins"]:
            say(f"bench: first observations of new processes, {plugin} plugin")
            results["starts"][plugin], environment = measure_starts(programs, plugin, parent, counts)
            say(f"bench: observations, {plugin} plugin")
            check_evidence(programs, plugin, environment)
            results["calls"][plugin] = measure_calls(programs, plugin, environment, counts)
            say(f"bench: memory, {plugin} plugin")
            if plugin == "go":
                results["instances"] = measure_instances(programs, environment)
            else:
                results["loaded"] = measure_loaded(programs, environment, counts)
                say("bench: redaction and audit")
                results["accounting"] = measure_accounting(programs, plugin, environment, counts)
        say("bench: languages")
        results["languages"] = measure_languages(programs, Environment(parent), counts)
        results["redaction"] = redact.measure(programs.redact, programs.go_redact, pathlib.Path(parent), counts)
    results["load"].append(os.getloadavg()[0])
    return results


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--build", type=pathlib.Path, required=True, help="build folder")
    parser.add_argument("--go", default=shutil.which("go"), help="Go 1.24 or newer")
    parser.add_argument("--component-tool", help="what makes components (sdk/component)")
    parser.add_argument("--quick", action="store_true", help="a few calls of the C plugin, to see that it works")
    parser.add_argument("--offline", action="store_true", help="fetch nothing; exit code 77 where modules are missing")
    parser.add_argument("--languages", action="store_true", help="only the table of languages, which nothing is kept of")
    parser.add_argument("--docs", type=pathlib.Path, metavar="DIR", help="put table and picture into this folder too")
    parser.add_argument("--from", dest="source", type=pathlib.Path, metavar="FILE", help="report on these results again")
    options = parser.parse_args()
    if options.languages:
        programs = Programs(options.build.resolve(), None, True, options.component_tool, options.quick, languages_only=True)
        with tempfile.TemporaryDirectory(prefix="reglet-bench-") as parent:
            print(report.languages_table({"languages": measure_languages(programs, Environment(parent), QUICK if options.quick else FULL)}))
        return 0
    if not options.go:
        say("bench: skipped: there is no Go, which the host on wazero and the Go plugin are built with")
        return SKIPPED if options.offline else 0
    begin = time.monotonic()
    out = options.build.resolve() / "bench" / ("quick" if options.quick else "")
    if options.source:
        results = json.loads(options.source.read_text(encoding="utf-8"))
    else:
        programs = Programs(options.build.resolve(), options.go, options.offline, options.component_tool, options.quick)
        if not programs.built:
            return SKIPPED if options.offline else 1
        results = measure(programs, QUICK if options.quick else FULL)
        out.mkdir(exist_ok=True)
        (out / "results.json").write_text(json.dumps(results), encoding="utf-8")
    table, picture = report.table(results), report.picture(results)
    print(table)
    (out / "results.md").write_text(table, encoding="utf-8")
    (out / "performance.svg").write_text(picture, encoding="utf-8")
    if options.docs:
        report.put_into_docs(options.docs, table, picture)
    say(f"bench: took {time.monotonic() - begin:.0f} s; results are in {out}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
