#!/usr/bin/env python3
"""Plugins in other languages than C: what `reglet new` writes is built and observes, and a component says all that it can.

languages_test.py go|js|python|rust. CTest sets REGLET, REGLET_SOURCE, REGLET_COMPONENT (the tool that makes components) and
REGLET_LANGUAGES (a folder for what is built). The exit code is 77 where a language's tool is not to be had.
"""

import json
import os
import pathlib
import re
import shutil
import subprocess
import sys
import unittest

REGLET = os.environ["REGLET"]
SOURCE = pathlib.Path(os.environ["REGLET_SOURCE"])
FOLDER = pathlib.Path(os.environ["REGLET_LANGUAGES"])
# What a package client says where there is no network, or nobody who has the package.
UNREACHABLE = re.compile(r"ENOTFOUND|EAI_AGAIN|ECONNREFUSED|ECONNRESET|ETIMEDOUT|ENETUNREACH|ENOTCACHED|\bE40[134]\b|"
                         r"No matching distribution|Failed to establish|spurious network error|Could not resolve|"
                         r"download of .* failed|failed to download")


def skip(reason):
    raise unittest.SkipTest(reason)


def run(*command, folder=None, environment=None):
    """Its output; ends the test where it fails."""
    words = [str(word) for word in command]
    done = subprocess.run(words, cwd=folder, env={**os.environ, **(environment or {})}, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, text=True, check=False)
    if done.returncode == 0:
        return done.stdout
    if UNREACHABLE.search(done.stdout):
        skip(f"{' '.join(words)}: {done.stdout.strip().splitlines()[-1]}")
    raise AssertionError(f"{' '.join(words)}: exit code {done.returncode}\n{done.stdout}")


def new(language, name=None):
    """The folder of a new plugin."""
    name = name or f"new-{language}"
    shutil.rmtree(FOLDER / name, ignore_errors=True)
    FOLDER.mkdir(parents=True, exist_ok=True)
    run(REGLET, "new", "--lang", language, name, folder=FOLDER)
    return FOLDER / name


def observe(plugin, *arguments):
    """The result, and what was said on standard error."""
    done = subprocess.run([REGLET, "observe", plugin, "--format", "json", *arguments], stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, text=True, check=False)
    return json.loads(done.stdout), done.stderr


class Go(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.go = os.environ.get("REGLET_GO") or skip("there is no Go 1.24 or newer")
        cls.folder = new("go")
        # Tests have a cache of their own, and Go's has what the guests were built with already.
        cache = run("env", "-u", "XDG_CACHE_HOME", cls.go, "env", "GOCACHE").strip()
        cls.offline = {"GOCACHE": cache, "GOPROXY": "off", "GOTOOLCHAIN": "local", "GOWORK": "off", "GOFLAGS": "-buildvcs=false"}
        cls.said = run("make", f"GO={cls.go}", f"REGLET={REGLET}", "test", folder=cls.folder, environment=cls.offline)

    def test_the_new_plugin_is_well(self):
        self.assertIn("new-go.wasm is well", self.said)

    def test_a_name_that_means_something_to_go_is_as_good_as_any(self):
        folder = new("go", "go")
        run("make", f"GO={self.go}", folder=folder, environment=self.offline)
        self.assertTrue((folder / "go.wasm").exists())

    def test_what_is_wrong_with_a_config_is_said(self):
        result, _ = observe(self.folder / "new-go.wasm", "path=/etc/hosts")
        self.assertEqual(result["evidence"]["error"], {"message": "line is needed", "type": "config", "code": "INVALID_CONFIG"})

    def test_a_file_that_is_not_there_is_not_found(self):
        path = self.folder / "nothing"
        result, _ = observe(self.folder / "new-go.wasm", f"path={path}", "line=x", "--grant", f"fs:read:{path}")
        self.assertTrue(result["evidence"]["error"]["is_not_found"])


class JavaScript(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        if not shutil.which("npm") or not shutil.which("node"):
            skip("there is no npm, which builds plugins in JavaScript")
        cls.new = new("js")
        run("make", "node_modules/.bin/componentize-qjs", folder=cls.new, environment={"npm_config_prefer_offline": "true"})
        cls.said = run("make", f"REGLET={REGLET}", "test", folder=cls.new)
        cls.plugin = FOLDER / "js.wasm"
        run(cls.new / "node_modules/.bin/componentize-qjs", "--wit", "wit", "--world", "reglet-plugin", "--js",
            SOURCE / "tests/guests/js/plugin.mjs", "--sync", "--output", cls.plugin, folder=cls.new)

    def say(self, what, *arguments):
        result, self.err = observe(self.plugin, f"what={what}", *arguments)
        return result

    def evidence(self, what, *arguments):
        result = self.say(what, *arguments)
        self.assertIsNone(result["error"])
        return result["evidence"]

    def test_the_new_plugin_is_well(self):
        self.assertIn("new-js.wasm is well", self.said)

    def test_it_describes_itself(self):
        done = subprocess.run([REGLET, "describe", self.plugin, "--format", "json"], stdout=subprocess.PIPE, text=True, check=True)
        described = json.loads(done.stdout)
        self.assertEqual((described["name"], described["version"]), ("js", "1.0.0"))
        self.assertEqual(described["capabilities"], [{"kind": "fs", "pattern": "read:/etc/hosts"}])

    def test_values_of_every_kind_arrive(self):
        evidence = self.evidence("values")
        self.assertEqual(evidence["data"], {"text": "g\u00fcnstig \U0001f980", "int": -9007199254740991, "float": 0.1, "bool": False,
                                            "list": [1, ["a", True]], "json": {"deep": [[[[1]]]], "null": None}})
        self.assertEqual((evidence["timestamp"], evidence["raw"]), ("2026-01-31T12:00:00Z", "raw"))

    def test_config_values_that_are_no_strings_are_their_json(self):
        data = self.evidence("config", "s=x", "n:=1.50", "b:=true", "l:=[1,null]", "o:={}", "gone:=null")["data"]
        self.assertEqual(data, {"what": "config", "s": "x", "n": "1.50", "b": "true", "l": "[1,null]", "o": "{}"})

    def test_a_thrown_record_is_the_error_of_the_evidence(self):
        evidence = self.evidence("thrown")
        self.assertIs(evidence["status"], False)
        self.assertEqual(evidence["error"], {"message": "this one was thrown", "type": "execution", "code": "E1", "is_timeout": True})

    def test_anything_else_that_is_thrown_is_a_trap_and_says_where_on_standard_error(self):
        self.assertEqual(self.say("trap")["error"]["code"], "trap")
        self.assertIn("no record of the interface", self.err)

    def test_a_number_that_json_has_not_is_refused_by_name(self):
        error = self.say("nan")["error"]
        self.assertEqual(error["code"], "bad_output")
        self.assertIn('data "nan"', error["message"])

    def test_an_integer_must_be_a_number_and_no_bigint(self):
        self.assertEqual(self.say("bigint")["error"]["code"], "trap")

    def test_a_loop_ends_with_the_deadline(self):
        self.assertEqual(self.say("forever", "--timeout", "200ms")["error"]["code"], "timeout")

    def test_clock_and_log_are_those_of_the_host(self):
        self.assertGreater(self.evidence("clock")["data"]["now"], 1_700_000_000_000)
        self.evidence("log")
        self.assertIn("a line", self.err)

    def test_a_file_is_granted_or_denied_with_what_is_missing(self):
        data = self.evidence("stat", "path=/etc/hosts", "--grant", "fs:read:/etc/hosts")["data"]
        self.assertEqual(data, {"size": os.stat("/etc/hosts").st_size, "type": "file"})
        data = self.evidence("stat", "path=/etc/hosts")["data"]
        self.assertEqual((data["variant"], data["kind"], data["missing"]), ("denied", "capability", "fs:read:/etc/hosts"))


class Python(unittest.TestCase):
    def test_the_new_plugin_is_well(self):
        if sys.version_info < (3, 10):
            skip("there is no Python 3.10 or newer, which builds plugins in Python")
        folder = new("python")
        run("make", f"PYTHON={sys.executable}", ".venv/bin/componentize-py", folder=folder)
        self.assertIn("new-python.wasm is well", run("make", f"REGLET={REGLET}", "test", folder=folder))


class Rust(unittest.TestCase):
    TARGET = "wasm32-unknown-unknown"

    def block(self, language):
        """The code that docs/writing-plugins.md shows."""
        text = (SOURCE / "docs/writing-plugins.md").read_text(encoding="utf-8")
        return re.search(rf"(?ms)^```{language}\n(.*?)^```\n", text.split("\n## In Rust\n")[1]).group(1)

    def test_the_plugin_of_the_documentation_is_well(self):
        rustc, cargo = os.environ.get("RUSTC", "rustc"), os.environ.get("CARGO", "cargo")
        if not shutil.which(cargo) or not shutil.which(rustc):
            skip("there is no cargo")
        library = pathlib.Path(run(rustc, "--print", "target-libdir", "--target", self.TARGET).strip())
        if not list(library.glob("libstd-*")) and "CARGO_UNSTABLE_BUILD_STD" not in os.environ:
            skip(f"{rustc} has no standard library for {self.TARGET}: rustup target add {self.TARGET}")
        folder, target = new("c").parent / "rust", FOLDER / "rust-target"  # a plugin in C has the test and the WIT that any other one has
        shutil.rmtree(folder, ignore_errors=True)
        (folder / "src").mkdir(parents=True)
        shutil.copytree(FOLDER / "new-c" / "wit", folder / "wit")
        shutil.copytree(FOLDER / "new-c" / "test", folder / "test")
        (folder / "src/lib.rs").write_text(self.block("rust"), encoding="utf-8")
        (folder / "Cargo.toml").write_text(self.block("toml"), encoding="utf-8")
        shutil.copy(SOURCE / "tests/guests/rust/Cargo.lock", folder)
        run(cargo, "build", "--release", "--locked", "--target", self.TARGET, folder=folder,
            environment={"CARGO_TARGET_DIR": str(target)})
        run(os.environ["REGLET_COMPONENT"], "new", target / f"{self.TARGET}/release/has_line.wasm", folder / "has_line.wasm")
        said = run("sh", FOLDER / "new-c/test.sh", "has_line.wasm", folder=folder, environment={"REGLET": REGLET})
        self.assertIn("has_line.wasm is well", said)


if __name__ == "__main__":
    LANGUAGES = {"go": Go, "js": JavaScript, "python": Python, "rust": Rust}
    done = unittest.main(argv=[sys.argv[0], *sys.argv[2:]], defaultTest=LANGUAGES[sys.argv[1]].__name__, exit=False).result
    for _, why in done.skipped:
        print(f"skipped: {why}")
    sys.exit(77 if done.skipped and done.wasSuccessful() else not done.wasSuccessful())
