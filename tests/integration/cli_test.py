"""The command `reglet` as its users meet it: arguments, exit codes, both output formats, signals, terminals.

CTest sets REGLET (the command), REGLET_GUESTS and REGLET_PLUGINS (folders of modules), REGLET_SOURCE (the sources).
Only the standard library of Python is needed.
"""

import fcntl
import hashlib
import json
import os
import pty
import re
import shlex
import shutil
import signal
import struct
import subprocess
import tempfile
import time
import unittest

REGLET = os.environ["REGLET"]
GUESTS = os.environ["REGLET_GUESTS"]
SOURCE = os.environ["REGLET_SOURCE"]
PLUGINS = os.environ["REGLET_PLUGINS"]
FILE_PLUGIN = os.path.join(PLUGINS, "file.wasm")
COMMANDS = ["describe", "schema", "inspect", "grants", "observe", "batch", "run", "redact", "cache", "new", "wit", "version", "help"]


def kernel_scans_memory():
    """PAGEMAP_SCAN of no memory at all."""
    try:
        with open("/proc/self/pagemap", "rb") as pagemap:
            fcntl.ioctl(pagemap, 0xC0606610, struct.pack("12Q", 96, *[0] * 11))
        return True
    except OSError:
        return False


def guest(name):
    return os.path.join(GUESTS, name + ".wasm")


class Result:
    def __init__(self, code, out, err):
        self.code, self.raw, self.out, self.err = code, out, out.decode("utf-8", "replace"), err.decode()

    def json(self):
        return json.loads(self.out)


class CliTest(unittest.TestCase):
    """A scratch directory that is also HOME, and ways to run the command in it."""

    def setUp(self):
        self.scratch = os.path.realpath(tempfile.mkdtemp(prefix="reglet-cli-"))
        self.addCleanup(shutil.rmtree, self.scratch)
        # Sanitizers read their options from the environment; apart from them it is this and nothing else.
        self.environment = {name: value for name, value in os.environ.items() if name.endswith("SAN_OPTIONS")}
        self.environment.update(HOME=self.scratch, PATH=os.environ["PATH"], XDG_CACHE_HOME=os.environ["XDG_CACHE_HOME"])

    def reglet(self, *arguments, **options):
        options.setdefault("stdin", subprocess.DEVNULL if "input" not in options else None)
        if options["stdin"] is None:
            del options["stdin"]
        options.setdefault("stdout", subprocess.PIPE)
        done = subprocess.run([REGLET, *arguments], stderr=subprocess.PIPE, cwd=self.scratch, timeout=100,
                              env=self.environment, check=False, **options)
        return Result(done.returncode, done.stdout or b"", done.stderr)

    def on_terminal(self, *arguments):
        """The same with standard output on a terminal."""
        master, slave = pty.openpty()
        process = subprocess.Popen([REGLET, *arguments], stdin=subprocess.DEVNULL, stdout=slave, stderr=subprocess.PIPE,
                                   cwd=self.scratch, env=self.environment)
        os.close(slave)
        out = b""
        while True:
            try:
                chunk = os.read(master, 65536)
            except OSError:  # EIO: the other end is closed
                break
            if not chunk:
                break
            out += chunk
        os.close(master)
        _, err = process.communicate(timeout=100)
        return Result(process.returncode, out.replace(b"\r\n", b"\n"), err)

    def start(self, *arguments, **options):
        process = subprocess.Popen([REGLET, *arguments], stdin=options.pop("stdin", subprocess.DEVNULL), stdout=subprocess.PIPE,
                                   stderr=subprocess.PIPE, cwd=self.scratch, env=self.environment, **options)
        self.addCleanup(process.kill)
        # Handlers are in place once the signal shows up as caught.
        for _ in range(1000):
            with open(f"/proc/{process.pid}/status", encoding="ascii") as status:
                caught = int(re.search(r"SigCgt:\s*(\w+)", status.read()).group(1), 16)
            if caught & (1 << (signal.SIGTERM - 1)):
                return process
            time.sleep(0.01)
        self.fail("the signal handlers never appeared")

    def write(self, name, text, mode=0o644):
        path = os.path.join(self.scratch, name)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "w", encoding="utf-8") as file:
            file.write(text)
        os.chmod(path, mode)
        return path

    def assert_code(self, expected, result):
        self.assertEqual(result.code, expected, f"\nstdout: {result.out}\nstderr: {result.err}")

    def assert_one_line(self, text):
        self.assertRegex(text, r"\A[^\n]+\n\Z")

    def assert_usage(self, expected, *arguments):
        result = self.reglet(*arguments)
        self.assert_code(2, result)
        self.assertEqual(result.err, expected + "\n")
        self.assertEqual(result.out, "")


class ServersTest(CliTest):
    """The servers of tests/servers, for all tests of a class."""

    @classmethod
    def setUpClass(cls):
        cls.servers = subprocess.Popen(["/usr/bin/python3", "-B", os.path.join(SOURCE, "tests/servers/servers.py")],
                                       stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        ready = json.loads(cls.servers.stdout.readline())
        cls.ports, cls.paths = ready["ports"], ready["paths"]

    @classmethod
    def tearDownClass(cls):
        cls.servers.communicate()


class Usage(CliTest):
    def test_wrong_arguments_are_one_line_and_exit_code_2(self):
        plugin = FILE_PLUGIN
        self.assert_usage("reglet: a command is missing; see 'reglet --help'")
        self.assert_usage("reglet: unknown command \"obsrve\", did you mean \"observe\"?; see 'reglet --help'", "obsrve")
        self.assert_usage("reglet: unknown command \"zzz\"; see 'reglet --help'", "zzz")
        self.assert_usage("reglet observe: unknown option --foo; see 'reglet observe --help'", "observe", "--foo=1", plugin)
        self.assert_usage("reglet observe: unknown option -x; see 'reglet observe --help'", "observe", "-x", plugin)
        self.assert_usage("reglet describe: unknown option --values; see 'reglet describe --help'",
                          "describe", plugin, "--values", "f")
        self.assert_usage("reglet observe: PLUGIN.wasm is missing; see 'reglet observe --help'", "observe")
        self.assert_usage("reglet run: MODULE.wasm is missing; see 'reglet run --help'", "run", "--quiet")
        self.assert_usage("reglet describe: \"two\" is one argument too many; see 'reglet describe --help'",
                          "describe", plugin, "two")
        self.assert_usage("reglet observe: --name needs a value: --name NAME; see 'reglet observe --help'",
                          "observe", plugin, "--name")
        self.assert_usage("reglet observe: --quiet takes no value; see 'reglet observe --help'",
                          "observe", plugin, "--quiet=1")
        self.assert_usage("reglet observe: \"path\" should be KEY=VALUE or KEY:=JSON; see 'reglet observe --help'",
                          "observe", plugin, "path")
        self.assert_usage("reglet observe: \":=1\" should be KEY=VALUE or KEY:=JSON; see 'reglet observe --help'",
                          "observe", plugin, ":=1")
        self.assert_usage("reglet observe: --format should be json or table, not \"xml\"; see 'reglet observe --help'",
                          "observe", plugin, "--format", "xml")
        self.assert_usage("reglet run: --env should be NAME=VALUE, not \"=x\"; see 'reglet run --help'",
                          "run", "--env", "=x", plugin)
        self.assert_usage("reglet run: --dir should be HOST or HOST:GUEST, not \":/\"; see 'reglet run --help'",
                          "run", "--dir", ":/", plugin)

    def test_numbers_are_not_guessed(self):
        for value in ["5", "5 s", "0s", "-1s", "1.5s", "0x5s", "", "99999999999h"]:
            result = self.reglet("observe", FILE_PLUGIN, "--timeout", value)
            self.assert_code(2, result)
            self.assertIn("--timeout should be a positive number and one of ms, s, m, h", result.err)
        for value in ["x", "64MiB", "-2", "4097", "064", ""]:
            result = self.reglet("observe", FILE_PLUGIN, "--memory-limit", value)
            self.assert_code(2, result)
            self.assertIn("--memory-limit should be 1 to 4096 (MiB)", result.err)

    def test_malformed_grant_is_refused_before_anything_runs(self):
        for grant in ["fs:read:", "fs:raed:/etc/hosts", "fs:read:/a/../b", "network:outbound:10.0.0.0/x", "what", ""]:
            result = self.reglet("observe", FILE_PLUGIN, "path=/etc/hosts", "--grant", grant)
            self.assert_code(2, result)
            self.assert_one_line(result.err)
            self.assertTrue(result.err.startswith(f"reglet observe: --grant {grant}: "), result.err)

    def test_bad_config_values_are_refused_before_anything_runs(self):
        for word in ["n:=", "n:={", "n:=nope", "n:=1 2"]:
            result = self.reglet("observe", FILE_PLUGIN, word)
            self.assert_code(2, result)
            self.assert_one_line(result.err)
            self.assertTrue(result.err.startswith(f"reglet observe: {word}: "), result.err)
        result = self.reglet("observe", FILE_PLUGIN, b"n=\xff\xfe")
        self.assert_code(2, result)

    def test_options_may_stand_anywhere(self):
        hosts = ["path=/etc/hosts", "--grant", "fs:read:/etc/hosts"]
        for arguments in [["observe", *hosts[1:], FILE_PLUGIN, hosts[0]],
                          ["observe", FILE_PLUGIN, *hosts],
                          ["--grant=fs:read:/etc/hosts", "--format", "json", "observe", FILE_PLUGIN, hosts[0]],
                          ["observe", *hosts[1:], "--", FILE_PLUGIN, hosts[0]]]:
            self.assert_code(0, self.reglet(*arguments))
        self.environment["POSIXLY_CORRECT"] = "1"
        self.assert_code(0, self.reglet("observe", FILE_PLUGIN, *hosts))

    def test_after_two_dashes_a_dash_is_no_option(self):
        result = self.reglet("observe", "--", guest("result_is_config"), "--x=1", "status:=true")
        self.assert_code(0, result)

    def test_a_missing_module_is_one_line_and_exit_code_3(self):
        for command in ["describe", "schema", "inspect", "grants", "observe", "run"]:
            result = self.reglet(command, "no/such.wasm")
            self.assert_code(3, result)
            self.assert_one_line(result.err)
            self.assertIn("no/such.wasm", result.err)

    def test_files_that_are_no_modules_are_refused(self):
        for name, content in [("empty.wasm", ""), ("text.wasm", "hello\n"), ("elf.wasm", "\x7fELF"), ("cut.wasm", "\0asm\1")]:
            result = self.reglet("describe", self.write(name, content))
            self.assert_code(3, result)
            self.assert_one_line(result.err)
            self.assertIn("[invalid_module]", result.err)
        result = self.reglet("describe", self.scratch)
        self.assert_code(3, result)
        self.assert_one_line(result.err)


class Help(CliTest):
    def test_every_command_explains_itself_with_an_example(self):
        for arguments in [[], *[[command] for command in COMMANDS]]:
            result = self.reglet(*arguments, "--help")
            self.assert_code(0, result)
            self.assertEqual(result.err, "")
            self.assertTrue(result.out.startswith("Usage: reglet "), result.out)
            self.assertIn("Example:", result.out)
            for line in result.out.splitlines():
                self.assertLessEqual(len(line), 80, line)
        self.assertEqual(self.reglet("help", "run").out, self.reglet("run", "--help").out)
        self.assertEqual(self.reglet("help").out, self.reglet("-h").out)
        self.assert_code(2, self.reglet("help", "nothing"))

    def options_of(self, command):
        return set(re.findall(r"--[a-z-]+(?=[ \n])", self.reglet(command, "--help").out.split("Options:")[1].split("Example:")[0]))

    def test_manual_and_completions_know_every_option_and_command(self):
        with open(os.path.join(SOURCE, "cli/reglet.1"), encoding="utf-8") as file:
            manual = file.read()
        with open(os.path.join(SOURCE, "cli/completions/_reglet"), encoding="utf-8") as file:
            zsh = file.read()
        for command in COMMANDS[:11]:
            self.assertTrue(f".Cm {command}" in manual, f"{command} is not in the manual")
            offered = self.complete_bash("reglet", command, "--")
            self.assertEqual(offered, self.options_of(command), command)
            for option in self.options_of(command):
                self.assertTrue(re.search(rf"\.It Fl (\w , )?{option[1:]}\b", manual), f"{option} is not in the manual")
                self.assertTrue(option in zsh, f"zsh does not complete {option}")

    def complete_bash(self, *words):
        script = ('source "$1"; shift; COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _reglet 2>/dev/null; '
                  'printf "%s\\n" "${COMPREPLY[@]}"')
        done = subprocess.run(["bash", "-c", script, "bash", os.path.join(SOURCE, "cli/completions/reglet.bash"), *words],
                              stdout=subprocess.PIPE, check=True, cwd=self.scratch)
        return set(done.stdout.decode().split())

    def test_bash_completes_commands_formats_and_modules(self):
        self.write("plugin.wasm", "")
        self.write("plugin.txt", "")
        os.mkdir(os.path.join(self.scratch, "plugins"))
        self.assertEqual(self.complete_bash("reglet", ""), set(COMMANDS))
        self.assertEqual(self.complete_bash("reglet", "ob"), {"observe"})
        self.assertEqual(self.complete_bash("reglet", "observe", "--format", ""), {"json", "table"})
        self.assertEqual(self.complete_bash("reglet", "observe", "pl"), {"plugin.wasm", "plugins"})
        self.assertEqual(self.complete_bash("reglet", "run", "a.wasm", "pl"), {"plugin.wasm", "plugin.txt", "plugins"})
        self.assertEqual(self.complete_bash("reglet", "cache", ""), {"list", "prune", "clear", "path"})
        self.assertEqual(self.complete_bash("reglet", "cache", "prune", ""), set())
        self.assertEqual(self.complete_bash("reglet", "new", "--lang", ""), {"c", "go", "js", "python"})
        self.assertEqual(self.complete_bash("reglet", "new", "pl"), set())
        self.assertEqual(self.complete_bash("reglet", "wit", ""), {"1.1.0", "1.0.0"})

    def test_version_says_whether_this_system_is_enough(self):
        result = self.reglet("version", "--format", "json")
        self.assert_code(0, result)
        version = result.json()
        self.assertIs(version["supported"], True)
        self.assertIsNone(version["problem"])
        self.assertRegex(version["engine"], r"^wasmtime \d+\.\d+\.\d+$")
        self.assertEqual(self.reglet("--version").out, self.reglet("version").out)
        self.assertIn(version["version"], self.reglet("version").out)

    def test_version_says_whether_the_kernel_tells_which_pages_were_written(self):
        scans = "no-scan" not in os.environ["REGLET_VARIANT"].split(",") and kernel_scans_memory()
        self.assertIs(self.reglet("version", "--format", "json").json()["scans_memory"], scans)
        self.assertRegex(self.reglet("version").out,
                         "images +restored page by page" if scans else "images +restored the slower way: .*6[.]7")


    def test_docs_show_a_denial_as_it_is_printed(self):
        denied = self.reglet("observe", FILE_PLUGIN, "path=/etc/shadow", "--grant", "fs:read:/etc/hosts")
        self.assert_code(1, denied)
        for name in ["README.md", "docs/cli.md", "docs/policy.md"]:
            with open(os.path.join(SOURCE, name), encoding="utf-8") as file:
                self.assertIn(denied.err, file.read(), name)

    def test_manual_and_completions_are_well_formed(self):
        for command in [["mandoc", "-Tlint", "-Wwarning", "cli/reglet.1"], ["zsh", "-n", "cli/completions/_reglet"],
                        ["bash", "-n", "cli/completions/reglet.bash"]]:
            if not shutil.which(command[0]):
                continue
            done = subprocess.run(command, cwd=SOURCE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False)
            self.assertEqual((done.returncode, done.stdout), (0, b""), command)


class Describe(CliTest):
    def test_json_has_what_the_plugin_says(self):
        result = self.reglet("describe", FILE_PLUGIN, "--format", "json")
        self.assert_code(0, result)
        description = result.json()
        self.assertEqual(description["name"], "file")
        self.assertEqual(description["capabilities"], [{"kind": "fs", "pattern": "read:**"}])
        self.assertGreaterEqual(set(description), {"name", "version", "description", "capabilities"})
        self.assertEqual(result.out.count("\n"), 1)

    def test_table_is_for_terminals_and_json_for_the_rest(self):
        self.assertIn("capabilities  fs:read:**", self.on_terminal("describe", FILE_PLUGIN).out)
        self.assertIn('"capabilities"', self.reglet("describe", FILE_PLUGIN).out)
        self.assertIn("capabilities  fs:read:**", self.reglet("describe", FILE_PLUGIN, "--format", "table").out)
        self.assertIn('"capabilities"', self.on_terminal("describe", FILE_PLUGIN, "--format=json").out)

    def test_schema_is_printed_byte_for_byte(self):
        result = self.reglet("schema", FILE_PLUGIN)
        self.assert_code(0, result)
        self.assertEqual(result.json()["required"], ["path"])
        with open(os.path.join(GUESTS, "wat/answer_duplicate_keys.wat"), encoding="utf-8") as file:
            text = re.search(r'\(data [^"]*"(.*)"\)', file.read()).group(1).replace("\\22", '"')
        self.assertEqual(self.reglet("schema", guest("answer_duplicate_keys")).out, text)
        self.assertEqual(self.on_terminal("schema", FILE_PLUGIN).out, result.out + "\n")

    def test_schema_as_a_table_lists_the_fields(self):
        result = self.reglet("schema", FILE_PLUGIN, "--format", "table")
        self.assertRegex(result.out, r"(?m)^path +string +yes ")
        self.assertRegex(result.out, r"(?m)^hash +boolean +no ")

    def test_a_plugin_that_does_not_answer_is_exit_code_3(self):
        for command in ["describe", "schema", "grants"]:
            result = self.reglet(command, guest("trap"))
            self.assert_code(3, result)
            self.assert_one_line(result.err)
            self.assertIn("[trap]", result.err)
            self.assertEqual(result.out, "")


class Observe(CliTest):
    def test_status_true_is_0_and_one_object_on_one_line(self):
        path = self.write("f", "content\n")
        result = self.reglet("observe", FILE_PLUGIN, f"path={path}", "hash:=true", "--grant", f"fs:read:{path}")
        self.assert_code(0, result)
        self.assertEqual(result.out.count("\n"), 1)
        self.assertEqual(result.err, "")
        answer = result.json()
        self.assertEqual(set(answer), {"evidence", "error"})
        self.assertEqual(set(answer["evidence"]), {"status", "error", "timestamp", "data", "raw"})
        self.assertIsNone(answer["error"])
        self.assertEqual(answer["evidence"]["data"]["sha256"], hashlib.sha256(b"content\n").hexdigest())

    def test_a_sparse_file_of_a_terabyte_is_read_up_to_a_limit(self):
        path = self.write("sparse", "")
        os.truncate(path, 1 << 40)
        result = self.reglet("observe", FILE_PLUGIN, f"path={path}", "read_content:=true", "--grant", f"fs:read:{path}")
        self.assert_code(0, result)
        self.assertEqual(result.json()["evidence"]["data"]["size"], 1 << 40)
        self.assertIs(result.json()["evidence"]["data"]["content_truncated"], True)

    def test_a_denial_is_1_and_names_the_grant_that_would_allow_it(self):
        path = self.write("f", "content\n")
        for grants in [[], ["--grant", "fs:read:/etc/hosts"], ["--grant", "env:HOME"]]:
            result = self.reglet("observe", FILE_PLUGIN, f"path={path}", *grants)
            self.assert_code(1, result)
            self.assertIs(result.json()["evidence"]["status"], False)
            self.assertRegex(result.err, rf"\Areglet: denied: file: .*{path} \(grant it with --grant fs:read:{path}\)\n")

    def test_the_grant_in_a_denial_is_one_word_for_a_shell(self):
        path = self.write("a b;'c", "")
        result = self.reglet("observe", FILE_PLUGIN, f"path={path}")
        word = re.search(r"--grant (.*)\)\n", result.err).group(1)
        shell = subprocess.run(["sh", "-c", f"printf %s {word}"], stdout=subprocess.PIPE, check=True)
        self.assertEqual(shell.stdout.decode(), f"fs:read:{path}")
        self.assert_code(0, self.reglet("observe", FILE_PLUGIN, f"path={path}", "--grant", shell.stdout))

    def test_relative_grants_start_here(self):
        path = self.write("d/f", "x")
        self.assert_code(0, self.reglet("observe", FILE_PLUGIN, f"path={path}", "--grant", "fs:read:d/*"))
        self.assert_code(1, self.reglet("observe", FILE_PLUGIN, f"path={path}", "--grant", "fs:read:e/*"))

    def test_values_are_strings_or_json_and_the_last_one_counts(self):
        values = self.write("values.json", '{"status":false,"data":{"from":"file"},"raw":"file"}')
        result = self.reglet("observe", guest("result_is_config"), "--values", values, "status:=true", "raw=a=b", "raw=12",
                             'data:={"n":12345678901234567890,"l":[1.10,null]}')
        self.assert_code(0, result)
        evidence = result.json()["evidence"]
        self.assertEqual(evidence["raw"], "12")
        self.assertEqual(evidence["data"]["n"], 12345678901234567890)
        self.assertIn("1.10", result.out)

    def test_values_come_from_standard_input(self):
        result = self.reglet("observe", guest("result_is_config"), "--values", "-", input=b'{"status":true,"data":{"a":1}}')
        self.assert_code(0, result)
        self.assertEqual(result.json()["evidence"]["data"], {"a": 1})

    def test_values_may_come_from_several_files(self):
        files = [self.write("1.json", '{"status":false,"raw":"one"}'), self.write("2.json", '{"status":true}')]
        result = self.reglet("observe", guest("result_is_config"), "--values", files[0], "--values", files[1])
        self.assert_code(0, result)
        self.assertEqual(result.json()["evidence"]["raw"], "one")

    def test_a_plugins_standard_input_is_empty(self):
        result = self.reglet("observe", guest("fsprobe"), "op=read", "fd:=0", "size:=10", input=b"the operator's")
        self.assert_code(0, result)
        self.assertEqual((result.json()["evidence"]["data"]["errno"], result.json()["evidence"]["data"]["bytes"]), ("OK", 0))

    def test_values_that_are_no_object_are_refused(self):
        for text in ["", "[]", "{", "1", "{} {}"]:
            path = self.write("values.json", text)
            result = self.reglet("observe", guest("result_is_config"), "--values", path)
            self.assert_code(2, result)
            self.assert_one_line(result.err)
            self.assertIn(path, result.err)
        result = self.reglet("observe", guest("result_is_config"), "--values", "no-such-file")
        self.assert_code(2, result)
        self.assertIn("cannot read no-such-file: No such file or directory", result.err)

    def test_check_names_the_field_and_is_exit_code_2(self):
        result = self.reglet("observe", FILE_PLUGIN, "--check")
        self.assert_code(2, result)
        self.assertIn("path", result.err)
        result = self.reglet("observe", FILE_PLUGIN, "--check", "path=/x", "hash=yes")
        self.assert_code(2, result)
        self.assertIn("hash", result.err)

    def test_table_shows_the_evidence(self):
        path = self.write("f", "content\n")
        result = self.on_terminal("observe", FILE_PLUGIN, f"path={path}", "--grant", f"fs:read:{path}")
        self.assert_code(0, result)
        self.assertRegex(result.out, r"(?m)^status +true$")
        self.assertRegex(result.out, r"(?m)^  size +8$")
        result = self.on_terminal("observe", FILE_PLUGIN, f"path={path}")
        self.assert_code(1, result)
        self.assertRegex(result.out, r"(?m)^error +capability: permission denied")

    def test_no_evidence_is_3_with_its_code_in_both_formats(self):
        cases = [("trap", "trap"), ("exit_3", "exit"), ("loop_observe", "timeout"), ("sleep_forever", "timeout"),
                 ("answer_not_json", "bad_output"), ("result_zero", "bad_output"), ("result_outside", "bad_output"),
                 ("recursion", "stack_limit"), ("memory_grow_forever", "memory_limit"), ("missing_observe", "missing_export"),
                 ("unknown_import", "unknown_import"), ("wrong_signature", "signature")]
        for name, code in cases:
            with self.subTest(guest=name):
                result = self.reglet("observe", guest(name), "--timeout", "1s" if code == "timeout" else "60s")
                self.assert_code(3, result)
                self.assertIsNone(result.json()["evidence"])
                self.assertEqual(result.json()["error"]["code"], code)
                self.assert_one_line(result.err)
                self.assertTrue(result.err.endswith(f" [{code}]\n"), result.err)
                table = self.reglet("observe", guest(name), "--timeout", "1s", "--format", "table")
                self.assert_code(3, table)
                self.assertEqual(table.out, "")

    def test_a_missing_plugin_is_the_same_object_for_readers_of_json(self):
        result = self.reglet("observe", "no-such.wasm")
        self.assert_code(3, result)
        self.assertIsNone(result.json()["evidence"])
        self.assertEqual(result.json()["error"]["code"], "io")

    def test_memory_limit_holds(self):
        grow = guest("memory_grow_forever")
        result = self.reglet("observe", grow, "--memory-limit", "64", "--timeout", "20s")
        self.assertEqual(result.json()["error"]["code"], "memory_limit")
        self.assertIn("64 MiB", result.err)
        low = self.reglet("observe", FILE_PLUGIN, "path=/", "--memory-limit", "8")
        self.assertIn("reglet: warn: memory_limit_mib is 8", low.err)

    def test_quiet_leaves_results_and_errors(self):
        result = self.reglet("observe", FILE_PLUGIN, "path=/etc/hosts", "--quiet", "--memory-limit", "8")
        self.assert_code(1, result)
        self.assertEqual(result.err, "")
        result = self.reglet("observe", "no-such.wasm", "-q")
        self.assert_one_line(result.err)

    def test_verbose_adds_debug_messages(self):
        if not os.path.exists(guest("go_v1")):
            self.skipTest("no Go")
        self.assertNotIn("DEBUG", self.reglet("observe", guest("go_v1"), "op=hello").err)
        self.assertIn("[go_v1] DEBUG initialising home_set=", self.reglet("observe", guest("go_v1"), "op=hello", "-v").err)

    def test_what_a_plugin_logs_has_its_name_before_it(self):
        if not os.path.exists(guest("go_v1")):
            self.skipTest("no Go")
        result = self.reglet("observe", guest("go_v1"), "--verbose", "--name", "chatty")
        self.assertRegex(result.err, r"(?m)^\[chatty\] (DEBUG|INFO|WARN|ERROR)")

    def test_name_decides_which_plugin_it_is(self):
        result = self.reglet("observe", FILE_PLUGIN, "path=/etc/hosts", "--name", "other")
        self.assertIn("reglet: denied: other: ", result.err)
        for name in ["", "a/b", "x" * 256, "a\nb"]:
            result = self.reglet("observe", FILE_PLUGIN, "--name", name)
            self.assert_code(2, result)
            self.assert_one_line(result.err)


class Plugins(ServersTest):
    """Each plugin that comes along, on servers of this machine."""

    def observe(self, plugin, *arguments):
        result = self.reglet("observe", os.path.join(PLUGINS, plugin + ".wasm"), *arguments)
        self.assert_code(0, result)
        self.assertEqual(result.err, "")
        return result.json()["evidence"]["data"]

    def target(self, server):
        port = self.ports[server]
        return [f"port={port}", "--grant", f"network:outbound:127.0.0.1:{port}"]

    def test_command(self):
        data = self.observe("command", "command=/bin/echo", 'args:=["a b"]', "--grant", "exec:/bin/echo")
        self.assertEqual((data["exit_code"], data["stdout"]), (0, "a b\n"))

    def test_dns(self):
        port = self.ports["dns"]
        data = self.observe("dns", "hostname=example.test", "record_type=MX", f"nameserver=127.0.0.1:{port}",
                            "--grant", f"network:outbound:127.0.0.1:{port}")
        self.assertEqual([record["pref"] for record in data["mx_records"]], [10, 10, 20, 30])

    def test_tcp(self):
        self.assertIs(self.observe("tcp", "host=127.0.0.1", *self.target("tcp"))["connected"], True)
        self.assertIs(self.observe("tcp", "host=127.0.0.1", *self.target("closed"))["connected"], False)

    def test_smtp(self):
        self.assertRegex(self.observe("smtp", "host=127.0.0.1", *self.target("smtp"))["banner"], "^220 ")

    def test_http_as_the_readme_shows_it(self):
        with open(os.path.join(SOURCE, "README.md"), encoding="utf-8") as file:
            readme = file.read()
        granted, denied = re.findall(r"(?m)^\$ (reglet observe http\.wasm .*(?:\\\n.*)?)$", readme)
        local = f"127.0.0.1:{self.ports['http']}"
        granted = granted.replace("https://example.org/", f"http://{local}/hello").replace("example.org:443", local)
        self.assertEqual(granted.count(local), 2, granted)
        words = shlex.split(granted.replace("\\\n", ""))
        data = self.observe("http", *words[3:])
        self.assertEqual((data["status_code"], data["expectation_failed"]), (200, False))
        result = self.reglet("observe", os.path.join(PLUGINS, "http.wasm"), *shlex.split(denied)[3:])
        self.assert_code(1, result)
        self.assertIn(f"$ {denied}\n{result.err}", readme)


class Terminal(CliTest):
    """Nothing that a plugin says steers the terminal of whoever reads it."""

    UNSAFE = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069]")

    def test_escapes_and_bidirectional_marks_never_reach_it(self):
        hostile = guest("answer_terminal_escapes")
        for arguments in [["describe", hostile], ["describe", hostile, "--format", "json"], ["schema", hostile],
                          ["schema", hostile, "--format", "table"], ["observe", hostile],
                          ["observe", hostile, "--format", "json"], ["observe", guest("answer_not_utf8")],
                          ["observe", guest("log_requests"), "--verbose"]]:
            with self.subTest(arguments=arguments):
                result = self.on_terminal(*arguments)
                self.assertIsNone(self.UNSAFE.search(result.out), ascii(result.out))
                self.assertIsNone(self.UNSAFE.search(result.err), ascii(result.err))

    def test_config_values_that_come_back_are_escaped(self):
        raw = json.dumps("\x1b]0;x\x07\n\x9b31m\u202eexe")
        table = self.on_terminal("observe", guest("result_is_config"), "status:=true", "raw:=" + raw, 'data:={"\\u001b":1}')
        self.assert_code(0, table)
        self.assertIsNone(self.UNSAFE.search(table.out), ascii(table.out))
        self.assertIn("\\x1b]0;x\\x07\n", table.out)
        shown = self.on_terminal("observe", guest("result_is_config"), "status:=true", "raw:=" + raw, "--format", "json")
        self.assertIsNone(self.UNSAFE.search(shown.out), ascii(shown.out))
        self.assertEqual(json.loads(shown.out)["evidence"]["raw"], json.loads(raw))

    def test_denials_are_escaped(self):
        hostile = "\x1b]52;c;aGk\x07\nreglet: denied: nobody\x9b31m\u202eexe"
        shown = r"\x1b]52;c;aGk\x07\nreglet: denied: nobody\x9b31m\u202eexe"
        for function, request in [("env_get", {"name": hostile}), ("fs_read", {"path": "/" + hostile}),
                                  ("exec_command", {"command": "/" + hostile})]:
            for output in ["table", "json"]:
                with self.subTest(function=function, output=output):
                    result = self.on_terminal("observe", guest("relay"), f"function={function}", "--format", output,
                                              "request:=" + json.dumps(request))
                    self.assertIsNone(self.UNSAFE.search(result.out), ascii(result.out))
                    self.assertIsNone(self.UNSAFE.search(result.err), ascii(result.err))
                    self.assert_one_line(result.err)
                    self.assertTrue(result.err.startswith("reglet: denied: relay: "), result.err)
                    self.assertIn(shown, result.err)

    def test_arguments_in_messages_are_escaped(self):
        for arguments in [["\x1b[2J"], ["observe", "\x1b[2J\n.wasm"], ["observe", FILE_PLUGIN, "--grant", "\x1b[2J"]]:
            result = self.reglet(*arguments)
            self.assert_one_line(result.err)
            self.assertNotIn("\x1b", result.err)


class Configuration(CliTest):
    def pinned(self, path):
        with open(FILE_PLUGIN, "rb") as file:
            sha256 = hashlib.sha256(file.read()).hexdigest()
        return f"plugins:\n  file:\n    sha256: {sha256}\n    capabilities: ['fs:read:{path}']\n"

    def test_it_is_found_in_its_places_and_grants(self):
        path = self.write("f", "")
        observe = ["observe", FILE_PLUGIN, f"path={path}"]
        self.assert_code(1, self.reglet(*observe))
        self.write(".reglet/config.yaml", self.pinned(path))
        result = self.reglet(*observe)
        self.assert_code(0, result)
        self.assertEqual(result.err, "")
        # $XDG_CONFIG_HOME goes before; an empty file there grants nothing.
        self.environment["XDG_CONFIG_HOME"] = os.path.join(self.scratch, "xdg")
        self.assert_code(0, self.reglet(*observe))
        self.write("xdg/reglet/config.yaml", "")
        self.assert_code(1, self.reglet(*observe))
        given = self.write("given.yaml", self.pinned(path))
        self.assert_code(0, self.reglet(*observe, "--config", given))

    def test_another_module_under_a_pinned_name_is_refused(self):
        self.write(".reglet/config.yaml", self.pinned("/etc/hosts"))
        result = self.reglet("observe", guest("result_is_config"), "--name", "file", "status:=true")
        self.assert_code(3, result)
        self.assertEqual(result.json()["error"]["code"], "pin_mismatch")

    def test_a_module_that_a_plugin_rewrote_is_refused_by_its_pin(self):
        module = os.path.join(self.scratch, "plugins/file.wasm")
        os.mkdir(os.path.dirname(module))
        shutil.copyfile(FILE_PLUGIN, module)
        self.write(".reglet/config.yaml", self.pinned("/etc/hosts"))
        observe = ["observe", module, "path=/etc/hosts"]
        self.assert_code(0, self.reglet(*observe))
        other = guest("counter")
        self.assert_code(0, self.reglet("run", "--grant", f"fs:write:{self.scratch}/**", "--grant", f"fs:read:{other}",
                                        guest("cp"), other, module))
        result = self.reglet(*observe)
        self.assert_code(3, result)
        self.assertEqual(result.json()["error"]["code"], "pin_mismatch")

    def test_the_example_of_the_docs_is_read(self):
        with open(os.path.join(SOURCE, "docs/configuration.md"), encoding="utf-8") as file:
            config = self.write("c.yaml", re.search(r"```yaml\n(.*?)```", file.read(), re.DOTALL).group(1))
        self.environment["APP_TOKEN"] = "a secret that the example names"
        result = self.reglet("describe", FILE_PLUGIN, "--name", "other", "--config", config)
        self.assert_code(0, result)
        self.assertEqual(result.err, "")

    def test_grants_by_name_alone_warn_once(self):
        config = self.write("c.yaml", "plugins:\n  file: {capabilities: ['fs:read:/etc/hosts']}\n  other: {capabilities: [env:A]}\n")
        result = self.reglet("observe", FILE_PLUGIN, "path=/etc/hosts", "--config", config)
        self.assert_code(0, result)
        self.assert_one_line(result.err)
        self.assertIn(f"{config}:2:3: plugin \"file\" has capabilities but no sha256", result.err)
        self.assertEqual(self.reglet("observe", FILE_PLUGIN, "path=/etc/hosts", "--config", config, "-q").err, "")

    def test_capabilities_for_all_apply_where_they_are_declared(self):
        path = self.write("f", "")
        config = self.write("c.yaml", f"capabilities:\n- {{kind: fs, pattern: 'read:{self.scratch}/**'}}\n")
        self.assert_code(0, self.reglet("observe", FILE_PLUGIN, f"path={path}", "--config", config))
        tool = self.reglet("run", "--config", config, guest("tool"), "cat", path)
        self.assert_code(1, tool)

    def test_mistakes_are_2_with_file_line_and_column(self):
        cases = [("timeout: 5s\ncapabilites: []\n",
                  '2:1: unknown key "capabilites" in the configuration; did you mean "capabilities"?'),
                 ("timeout: 5\n", "1:10: "), ("capabilities:\n  - fs:read:/a/../b\n", "2:16: "), ("a: [\n", "2:1: "),
                 ("timeout: 5s\ntimeout: 5s\n", "2:1: ")]
        for text, expected in cases:
            config = self.write("c.yaml", text)
            result = self.reglet("observe", FILE_PLUGIN, "path=/etc/hosts", "--config", config)
            self.assert_code(2, result)
            self.assert_one_line(result.err)
            self.assertTrue(result.err.startswith(f"reglet observe: {config}:{expected}"), result.err)
            self.assertEqual(result.out, "")

    def test_a_file_that_others_can_write_is_refused(self):
        config = self.write("c.yaml", "timeout: 5s\n", 0o666)
        result = self.reglet("observe", FILE_PLUGIN, "path=/etc/hosts", "--config", config)
        self.assert_code(2, result)
        self.assertIn("can be written by others", result.err)

    def test_limits_apply_and_arguments_win(self):
        config = self.write("c.yaml", "timeout: 200ms\nmax_evidence_size_bytes: 300\n")
        result = self.reglet("observe", guest("loop_observe"), "--config", config)
        self.assertEqual(result.json()["error"]["code"], "timeout")
        data = "data:=" + json.dumps({"a": "x" * 5000})
        result = self.reglet("observe", guest("result_is_config"), "status:=true", data, "--config", config, "--timeout", "20s")
        self.assertIs(result.json()["evidence"]["evidence_meta"]["truncated"], True)

    def test_no_grant_reaches_the_configuration(self):
        """A plugin that may write the home directory must not grant itself more for the next call."""
        config = self.write("c.yaml", "timeout: 5s\n")
        self.environment["XDG_CONFIG_HOME"] = os.path.join(self.scratch, "xdg")
        os.mkdir(self.environment["XDG_CONFIG_HOME"])
        self.write(".reglet/other", "")
        run = ["run", "--config", config, "--grant", f"fs:write:{self.scratch}/**", guest("tool"), "write"]
        self.assert_code(0, self.reglet(*run, f"{self.scratch}/allowed", "x"))
        os.symlink("c.yaml", os.path.join(self.scratch, "link.yaml"))
        for path in ["c.yaml", "link.yaml", ".reglet/config.yaml", ".reglet/other", "xdg/reglet"]:
            result = self.reglet(*run, os.path.join(self.scratch, path), "x")
            self.assert_code(1, result)
            self.assertIn("reglet: denied: tool: ", result.err)
            self.assertNotIn("--grant", result.err)  # none would help
        with open(config, encoding="utf-8") as file:
            self.assertEqual(file.read(), "timeout: 5s\n")


class Run(CliTest):
    def tool(self, *arguments, options=(), **more):
        return self.reglet("run", *options, guest("tool"), *arguments, **more)

    def test_arguments_after_the_module_are_its_own(self):
        result = self.tool("echo", "--grant", "x", "--", "--help", "-q", "")
        self.assert_code(0, result)
        self.assertEqual(result.out, "--grant\nx\n--\n--help\n-q\n\n")
        self.assertEqual(result.err, "")
        self.environment["POSIXLY_CORRECT"] = "1"
        self.assertEqual(self.tool("echo", "-q").out, "-q\n")
        self.assertEqual(self.reglet("run", "--", guest("tool"), "echo", "a").out, "a\n")

    def test_standard_input_output_and_error_pass_through(self):
        everything = bytes(range(256)) * 50
        self.assertEqual(self.tool("cat", input=everything).raw, everything)
        result = self.tool("complain", "\x1b[1mto stderr")
        self.assertEqual((result.out, result.err), ("", "\x1b[1mto stderr\n"))

    def test_the_exit_code_is_the_modules_own(self):
        for code, expected in [(0, 0), (1, 1), (3, 3), (125, 125)]:
            result = self.tool("exit", str(code))
            self.assert_code(expected, result)
            self.assertEqual(result.err, "")

    def test_not_ending_by_itself_is_3_with_a_message(self):
        trap = self.tool("trap")
        self.assert_code(3, trap)
        self.assertRegex(trap.err, r"\Areglet run: .*\[trap\]\n\Z")
        late = self.tool("spin", options=["--timeout", "200ms"])
        self.assert_code(3, late)
        self.assertRegex(late.err, r"\Areglet run: .*\[timeout\]\n\Z")

    def test_a_module_without_start_is_no_command(self):
        result = self.reglet("run", guest("result_is_config"))
        self.assert_code(3, result)
        self.assertIn("[missing_export]", result.err)

    def test_the_environment_is_what_was_given_and_granted(self):
        self.environment.update(SECRET="s", LANG="C")
        self.assertEqual(self.tool("env").out, "")
        result = self.tool("env", options=["--env", "A=1", "--env", "B=x=y", "--grant", "env:LANG"])
        self.assertEqual(set(result.out.split()), {"A=1", "B=x=y", "LANG=C"})

    def test_files_need_a_grant_and_a_grant_holds_them(self):
        path = self.write("d/f", "content\n")
        other = self.write("d/g", "other\n")
        self.assert_code(1, self.tool("cat", path))
        granted = ["--grant", f"fs:read:{path}"]
        self.assertEqual(self.tool("cat", path, options=granted).out, "content\n")
        denied = self.tool("cat", other, options=granted)
        self.assert_code(1, denied)
        self.assertIn(f"(grant it with --grant fs:read:{other})", denied.err)
        self.assert_code(1, self.tool("write", path, "new", options=granted))
        self.assertNotIn("denied", self.tool("cat", other, options=[*granted, "--quiet"]).err.replace("Permission denied", ""))

    def test_programs_of_others_are_held_by_grants_of_single_files(self):
        path = self.write("d/f", "content\n")
        self.write("d/g", "other\n")
        grant = ["run", "--grant", f"fs:read:{path}"]
        self.assertEqual(self.reglet(*grant, guest("cat"), path).out, "content\n")
        listed = self.reglet(*grant, guest("ls"), os.path.dirname(path))
        self.assert_code(0, listed)
        self.assertEqual([line.split()[-1] for line in listed.out.splitlines()], [".", "..", "f"])
        copied = self.reglet(*grant, guest("cp"), path, path + ".copy")
        self.assert_code(1, copied)
        self.assertIn(f"reglet: denied: cp: write {path}.copy (grant it with --grant fs:write:{path}.copy)", copied.err)
        self.assertEqual(sorted(os.listdir(os.path.dirname(path))), ["f", "g"])

    def test_two_directories_stand_beside_each_other(self):
        self.write("d/f", "content\n")
        os.mkdir(os.path.join(self.scratch, "e"))
        options = ["run", "--dir", "d:/one", "--dir", "e:/two"]
        self.assert_code(0, self.reglet(*options, guest("cp"), "/one/f", "/two/g"))
        self.assertEqual(self.reglet(*options, guest("cat"), "/two/g").out, "content\n")
        self.assert_code(1, self.reglet(*options, guest("cat"), "/one/../e/g"))
        self.assertEqual(self.reglet("run", "--dir", "d", guest("cat"), "d/f").out, "content\n")

    def test_a_directory_is_read_and_written_under_its_guest_name(self):
        self.write("d/f", "content\n")
        os.symlink("/etc", os.path.join(self.scratch, "d/out"))
        options = ["--dir", os.path.join(self.scratch, "d") + ":/"]
        self.assertEqual(self.tool("cat", "/f", options=options).out, "content\n")
        self.assert_code(0, self.tool("write", "/new", "text", options=options))
        with open(os.path.join(self.scratch, "d/new"), encoding="utf-8") as file:
            self.assertEqual(file.read(), "text")
        self.assertEqual(set(self.tool("ls", "/", options=options).out.split()) - {".", ".."}, {"f", "new", "out"})
        self.assert_code(1, self.tool("cat", "/out/passwd", options=options))
        self.assert_code(1, self.tool("cat", "/../secret", options=options))
        missing = self.tool("ls", "/", options=["--dir", "no-such-directory:/"])
        self.assert_code(3, missing)
        self.assertIn("no-such-directory", missing.err)


class Signals(CliTest):
    def test_interrupt_and_terminate_cancel_the_call(self):
        for number in [signal.SIGINT, signal.SIGTERM]:
            for name in ["loop_observe", "sleep_forever", "loop_initialize"]:
                with self.subTest(signal=number, guest=name):
                    process = self.start("observe", guest(name), "--timeout", "60s")
                    time.sleep(0.2)
                    process.send_signal(number)
                    out, err = process.communicate(timeout=20)
                    self.assertEqual((process.returncode, err), (3, b"reglet observe: cancelled\n"))
                    self.assertEqual(json.loads(out)["error"]["code"], "cancelled")

    def test_a_command_is_cancelled_while_it_runs_and_while_it_reads(self):
        for arguments, stdin in [(["spin"], subprocess.DEVNULL), (["cat"], subprocess.PIPE)]:
            process = self.start("run", guest("tool"), *arguments, stdin=stdin)
            time.sleep(0.3)
            process.send_signal(signal.SIGINT)
            process.wait(timeout=20)  # communicate() would close standard input
            with process.stderr as err:
                self.assertEqual((process.returncode, err.read()), (3, b"reglet run: cancelled\n"))
            process.stdout.close()
            if process.stdin:
                process.stdin.close()

    def test_a_second_signal_ends_the_process_at_once(self):
        process = self.start("observe", guest("loop_observe"), "--timeout", "60s")
        process.send_signal(signal.SIGSTOP)  # so that both are pending before either is handled
        process.send_signal(signal.SIGINT)
        process.send_signal(signal.SIGTERM)
        process.send_signal(signal.SIGCONT)
        process.communicate(timeout=20)
        self.assertIn(process.returncode, (-signal.SIGINT, -signal.SIGTERM))

    def test_loading_is_cancelled_too(self):
        if not os.path.exists(guest("go_big")):
            self.skipTest("no Go")
        process = self.start("describe", guest("go_big"))
        process.send_signal(signal.SIGINT)
        self.assertEqual(process.communicate(timeout=60), (b"", b"reglet describe: cancelled\n"))
        self.assertEqual(process.returncode, 3)

    def test_a_background_job_keeps_ignoring_interrupts(self):
        process = self.start("observe", guest("loop_observe"), "--timeout", "1s",
                             preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_IGN))
        process.send_signal(signal.SIGINT)
        out, _ = process.communicate(timeout=20)
        self.assertEqual(json.loads(out)["error"]["code"], "timeout")


class Output(CliTest):
    def test_a_reader_that_went_away_is_no_message(self):
        read, write = os.pipe()
        os.close(read)
        result = self.reglet("schema", FILE_PLUGIN, stdout=write)
        os.close(write)
        self.assert_code(3, result)
        self.assertEqual(result.err, "")

    def test_a_full_disk_is_an_error(self):
        with open("/dev/full", "wb") as full:
            for arguments in [["schema", FILE_PLUGIN], ["version"], ["--help"], ["observe", FILE_PLUGIN, "path=/", "--quiet"]]:
                result = self.reglet(*arguments, stdout=full)
                self.assert_code(3, result)
                self.assertEqual(result.err, "reglet: cannot write the output: No space left on device\n")

    def test_closed_descriptors_are_not_taken_by_files(self):
        command = 'exec "$0" schema "$1" >&-'
        done = subprocess.run(["sh", "-c", command, REGLET, FILE_PLUGIN], stderr=subprocess.PIPE, env=self.environment, check=False)
        self.assertEqual(done.returncode, 3)
        self.assertEqual(done.stderr, b"reglet: cannot write the output: Bad file descriptor\n")
        done = subprocess.run(["sh", "-c", 'exec "$0" schema "$1" <&- 2>&-', REGLET, FILE_PLUGIN], stdout=subprocess.PIPE,
                              env=self.environment, check=False)
        self.assertEqual(done.returncode, 0)
        json.loads(done.stdout)


if __name__ == "__main__":
    unittest.main(verbosity=2)
