"""reglet redact: texts from files and pipes with their secrets replaced, and the configuration that says which."""

import base64
import json
import os
import random
import signal
import subprocess
import unittest

from cli_test import REGLET, CliTest, guest

KEY = "AKIA" + "QYLPMN5HHHFPZAM2"
SECRET = "correct-horse/battery+staple="
SALT = "0123456789abcdef"


class RedactTest(CliTest):
    def redact(self, text, *arguments, code=0):
        data = text if isinstance(text, bytes) else text.encode()
        result = self.reglet("redact", *arguments, input=data)
        self.assert_code(code, result)
        return result


class Texts(RedactTest):
    def test_built_in_rules_hold_without_a_configuration(self):
        self.assertEqual(self.redact(f"id {KEY} end\n").out, "id [REDACTED] end\n")

    def test_files_are_copied_one_after_the_other(self):
        self.write("a", f"a {KEY}\n")
        self.write("b", "b, without a newline")
        result = self.redact("from the pipe\n", "a", "-", "b")
        self.assertEqual(result.out, "a [REDACTED]\nfrom the pipe\nb, without a newline")

    def test_a_secret_that_ends_one_file_and_begins_another_is_none(self):
        self.write("a", KEY[:10])
        self.write("b", KEY[10:] + "\n")
        self.assertEqual(self.redact("", "a", "b").out, KEY + "\n")

    def test_nothing_in_is_nothing_out(self):
        result = self.redact("")
        self.assertEqual((result.out, result.err), ("", ""))

    def test_any_bytes_pass(self):
        data = random.Random(1).randbytes(300_000).replace(b"AKIA", b"")
        self.assertEqual(self.redact(data, "--pattern", "never to be found").raw, data)

    def test_a_secret_is_found_however_the_pipe_splits_it(self):
        text = f"x {KEY} y\n".encode()
        for cut in range(len(text)):
            process = subprocess.Popen([REGLET, "redact"], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                       cwd=self.scratch, env=self.environment)
            process.stdin.write(text[:cut])
            process.stdin.flush()
            out, _ = process.communicate(text[cut:], timeout=100)
            self.assertEqual(out, b"x [REDACTED] y\n")

    def test_ten_megabytes_without_a_newline_need_little_memory(self):
        limit = 10_000_000
        data = (b"word " * 2000 + KEY.encode() + b" ") * 1000
        self.assertGreater(len(data), limit)
        self.assertEqual(self.redact(data).raw.count(b"[REDACTED]"), 1000)
        if not os.environ.get("ASAN_OPTIONS") and not os.environ.get("TSAN_OPTIONS"):
            process = subprocess.Popen([REGLET, "redact"], stdin=subprocess.PIPE, stdout=subprocess.DEVNULL,
                                       cwd=self.scratch, env=self.environment)
            for _ in range(10):
                process.stdin.write(data)
            process.stdin.close()
            _, status, usage = os.wait4(process.pid, 0)
            process.returncode = os.waitstatus_to_exitcode(status)
            self.assertEqual(process.returncode, 0)
            self.assertLess(usage.ru_maxrss * 1024, 8 * limit)  # 100 MB went through

    def test_the_last_bytes_are_held_back_and_no_more(self):
        process = subprocess.Popen([REGLET, "redact"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, bufsize=0,
                                   cwd=self.scratch, env=self.environment)
        self.addCleanup(process.stdout.close)
        process.stdin.write(b"word " * 4000)
        shown = 0
        while shown < 20000 - 2 * 8192:  # a read that waits for ever is ended by the test's own time limit
            shown += len(process.stdout.read(65536))
        process.stdin.close()
        while part := process.stdout.read(65536):
            shown += len(part)
        self.assertEqual(process.wait(timeout=100), 0)
        self.assertEqual(shown, 20000)


class Options(RedactTest):
    def test_a_pattern_replaces_its_first_group(self):
        self.assertEqual(self.redact("id=123 no=456\n", "--pattern", r"id=(\d+)", "--pattern", r"no=\d+").out,
                         "id=[REDACTED] [REDACTED]\n")

    def test_known_secrets_are_found_plain_and_encoded(self):
        self.environment["APP_TOKEN"] = SECRET
        file = self.write("secret", "another-secret\n", 0o600)
        encoded = base64.b64encode(b"user:" + SECRET.encode()).decode()
        result = self.redact(f"{SECRET} {encoded} another-secret.\n", "--secret-env", "APP_TOKEN", "--secret-file", file)
        self.assertNotIn(SECRET, result.out)
        self.assertNotIn("another", result.out)
        self.assertNotIn(base64.b64encode(b"horse/battery+")[:16].decode(), result.out)
        self.assertRegex(result.out, r"^\[REDACTED\] .*\[REDACTED\].* \[REDACTED\]\.\n$")

    def test_a_secret_that_is_not_there_is_an_error(self):
        self.write("short", "abc\n")
        self.environment["EMPTY"] = ""
        for arguments, expected in [
            (["--secret-env", "NOBODY"], "--secret-env: the variable NOBODY, which should hold a secret, is not set"),
            (["--secret-env", "EMPTY"], "--secret-env: a secret should have 4 to 8192 bytes; the variable EMPTY has 0"),
            (["--secret-file", "none"], "--secret-file: cannot open none, which should hold a secret: "
             "No such file or directory"),
            (["--secret-file", "short"], "--secret-file: a secret should have 4 to 8192 bytes; short has 3"),
            (["--secret-file", "/dev/zero"], "--secret-file: a secret should have 4 to 8192 bytes; /dev/zero has more"),
        ]:
            result = self.redact("x", *arguments, code=2)
            self.assertEqual((result.out, result.err), ("", f"reglet redact: {expected}\n"))

    def test_what_the_matcher_cannot_take_is_named(self):
        for option, value in [("--pattern", "(?=x)y"), ("--pattern", "a("), ("--rules-file", "none.toml")]:
            result = self.redact("x", option, value, code=2)
            self.assertEqual(result.out, "")
            self.assertTrue(result.err.startswith(f"reglet redact: {option}: "), result.err)
            self.assertIn(value, result.err)
            self.assert_one_line(result.err)

    def test_a_rule_file_adds_rules(self):
        self.write("rules.toml", "[[rules]]\nid = 'house-key'\nregex = '''house-[0-9]{6}'''\nkeywords = ['house']\n")
        result = self.redact(f"house-123456 {KEY}\n", "--rules-file", "rules.toml", "-v")
        self.assertEqual(result.out, "[REDACTED] [REDACTED]\n")
        self.assertEqual(result.err, "reglet redact: 2 replaced: aws-access-key-id 1, house-key 1\n")

    def test_verbose_says_what_was_replaced(self):
        self.assertEqual(self.redact("nothing\n", "-v").err, "reglet redact: 0 replaced\n")
        self.environment["APP_TOKEN"] = SECRET
        result = self.redact(f"{KEY} {SECRET} {KEY}\n", "--verbose", "--secret-env", "APP_TOKEN")
        self.assertEqual(result.err, "reglet redact: 3 replaced: aws-access-key-id 2, known secrets 1\n")

    def test_rules_are_listed(self):
        listed = self.reglet("redact", "--list-rules", "--pattern", "x+").json()
        identifiers = [rule["id"] for rule in listed]
        self.assertGreater(len(identifiers), 150)
        self.assertEqual(len(set(identifiers)), len(identifiers))
        self.assertIn("aws-access-key-id", identifiers)
        self.assertEqual(identifiers[-1], "pattern-1")
        table = self.reglet("redact", "--list-rules", "--pattern", "x+", "--format", "table")
        self.assertEqual(table.out.splitlines(), identifiers)
        self.write("none.yaml", "redaction: {disable_gitleaks: true}\n")
        self.assertEqual(self.reglet("redact", "--list-rules", "--config", "none.yaml").out, "[]\n")

    def test_what_does_not_go_together_is_usage(self):
        help_ = "; see 'reglet redact --help'"
        self.assert_usage("reglet redact: --path needs --json: only JSON has paths" + help_, "redact", "--path", "a")
        self.assert_usage("reglet redact: --format is for --list-rules" + help_, "redact", "--format", "json")
        for arguments in (["file"], ["--json"]):
            self.assert_usage("reglet redact: --list-rules reads nothing: neither files nor --json go with it" + help_,
                              "redact", "--list-rules", *arguments)
        self.assert_usage("reglet redact: unknown option --grant" + help_, "redact", "--grant", "fs:read:/etc/hosts")


class Json(RedactTest):
    def test_paths_texts_and_keys_are_replaced(self):
        value = {"user": {"password": 12345}, "items": [{"token": ["a"]}, {"other": KEY}], KEY: None}
        result = self.redact(json.dumps(value, indent=2), "--json", "--path", "password", "--path", "items[*].token", "-v")
        self.assertEqual(result.json(), {"user": {"password": "[REDACTED]"},
                                         "items": [{"token": "[REDACTED]"}, {"other": "[REDACTED]"}],
                                         "[REDACTED]": None})
        self.assertEqual(result.out.count("\n"), 1)
        self.assertEqual(result.err, "reglet redact: 4 replaced: aws-access-key-id 2, paths 2\n")

    def test_lines_are_values_of_their_own(self):
        result = self.redact('{"password": "x"}\n\n[1]\n2', "--json", "--path", "password")
        self.assertEqual(result.out, '{"password":"[REDACTED]"}\n[1]\n2\n')

    def test_what_is_none_is_told_by_line_and_place(self):
        result = self.redact('{"a": 1}\nnonsense\n{"b": 2}\n', "--json", code=3)
        self.assertEqual(result.out, '{"a":1}\n')
        self.assertRegex(result.err, r"^reglet redact: standard input: line 2: the text is not JSON: .* at byte \d+ of 8\n$")
        result = self.redact('{\n"a": x\n}\n', "--json", code=3)
        self.assertEqual(result.out, "")
        self.assertRegex(result.err, r"^reglet redact: standard input: the text is not JSON: .* at byte \d+ of 10\n$")

    def test_nothing_in_it_steers_a_terminal(self):
        self.assertEqual(self.redact('["\\u001b]52;c;x\\u0007"]', "--json").out, '["\\u001b]52;c;x\\u0007"]\n')

    def test_nothing_in_is_nothing_out(self):
        self.assertEqual(self.redact("\n\n", "--json").out, "")


class Endings(RedactTest):
    def test_what_cannot_be_read_does_not_keep_the_rest_from_being(self):
        self.write("a", "text\n")
        result = self.redact("", "none", self.scratch, "a", code=3)
        self.assertEqual(result.out, "text\n")
        self.assertEqual(result.err, "reglet redact: none: cannot open: No such file or directory\n"
                                     f"reglet redact: {self.scratch}: cannot read: Is a directory\n")

    def test_a_reader_that_goes_away_ends_it_without_a_word(self):
        for arguments in ([], ["--json"]):
            with subprocess.Popen([REGLET, "redact", *arguments], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                  stderr=subprocess.PIPE, cwd=self.scratch, env=self.environment) as process:
                process.stdout.close()
                try:
                    for _ in range(100):
                        process.stdin.write(b'"a line of text"\n' * 10000)
                    process.stdin.close()
                except BrokenPipeError:
                    pass
                self.assertEqual(process.wait(timeout=100), 3)
                self.assertEqual(process.stderr.read(), b"")

    def test_a_full_disk_is_said(self):
        with open("/dev/full", "wb") as full:
            result = self.reglet("redact", input=b"text\n", stdout=full)
        self.assert_code(3, result)
        self.assertEqual(result.err, "reglet redact: cannot write the output: No space left on device\n")

    def test_ctrl_c_ends_it_as_any_tool(self):
        process = subprocess.Popen([REGLET, "redact"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=self.scratch,
                                   env=self.environment)
        self.addCleanup(process.stdout.close)
        process.stdin.write(b"word " * 4000)
        process.stdin.flush()
        os.read(process.stdout.fileno(), 1)  # it runs
        process.send_signal(signal.SIGINT)
        self.assertEqual(process.wait(timeout=100), -signal.SIGINT)
        process.stdin.close()


class Configuration(RedactTest):
    def configured(self, text, lines, code=0, arguments=()):
        config = self.write("conf/config.yaml", lines, 0o600)
        return self.redact(text, "--config", config, *arguments, code=code)

    def test_patterns_paths_and_secrets_hold(self):
        self.environment["APP_TOKEN"] = "from-the-environment"
        self.write("conf/secret", "from-a-file\n")
        lines = ("redaction: {patterns: ['id=\\d+'], paths: [pin]}\n"
                 "sensitive_data:\n  secrets:\n    local: {one: from-the-text}\n    env: [APP_TOKEN]\n    files: [secret]\n")
        self.assertEqual(self.configured("from-the-environment from-a-file from-the-text id=7 x\n", lines).out,
                         "[REDACTED] [REDACTED] [REDACTED] [REDACTED] x\n")
        self.assertEqual(self.configured('{"pin": 1}', lines, arguments=["--json"]).out, '{"pin":"[REDACTED]"}\n')

    def test_hashes_keep_equal_secrets_equal(self):
        other = "AKIA" + "QYLPMN5HHHFPZAM3"
        result = self.configured(f"{KEY} {KEY} {other}\n", f"redaction: {{hash_mode: {{enabled: true, salt: {SALT}}}}}\n")
        first, second, third = result.out.split()
        self.assertRegex(first, r"^\[hmac:[0-9a-f]{32}\]$")
        self.assertEqual(first, second)
        self.assertNotEqual(first, third)

    def test_built_in_rules_can_be_left_out(self):
        self.assertEqual(self.configured(KEY + "\n", "redaction: {disable_gitleaks: true}\n").out, KEY + "\n")

    def test_what_is_wrong_has_its_line(self):
        config = os.path.join(self.scratch, "conf/config.yaml")
        for lines, expected in [
            ("redaction:\n  patterns: [ok, 'a(']\n", ":2:18: "),
            ("redaction:\n  paths: [ok, 'a..b']\n", ":2:15: "),
            ("redaction:\n  rules_file: none.toml\n", ":2:15: "),
            ("sensitive_data: {secrets: {env: [NOBODY]}}\n", ":1:34: the variable NOBODY, which should hold a secret, "
             "is not set\n"),
            ("sensitive_data: {secrets: {files: [none]}}\n", ":1:36: cannot open " + os.path.join(self.scratch, "conf/none") +
             ", which should hold a secret: No such file or directory\n"),
            ("redaction: {hash_mode: {enabled: true}}\n", ":1:13: \"hash_mode\" needs a \"salt\" of 16 bytes or more\n"),
        ]:
            result = self.configured("text", lines, code=2)
            self.assertEqual(result.out, "")
            self.assertTrue(result.err.startswith(f"reglet redact: {config}{expected}"), result.err)

    def test_a_plugin_does_not_reach_what_redaction_is_made_of(self):
        files = {name: self.write(f"conf/{name}", text, 0o600) for name, text in [
            ("base.toml", "[[rules]]\nid = 'x'\nregex = '''x-[0-9]{6}'''\n"), ("rules.toml", "[extend]\npath = 'base.toml'\n"),
            ("secret", "a-known-secret\n"), ("other", "as it was")]}
        files["rules.toml"] = self.write("conf/rules.toml", f"[extend]\npath = '{files['base.toml']}'\n", 0o600)
        config = self.write("conf/config.yaml", "redaction: {rules_file: rules.toml}\nsensitive_data: {secrets: {files: [secret]}}\n"
                            f"plugins: {{relay: {{capabilities: ['fs:write:{self.scratch}/**']}}}}\n", 0o600)
        for name, path in files.items():
            request = json.dumps({"path": path, "content": "", "mode": "truncate"})
            result = self.reglet("observe", guest("relay"), "function=fs_write", "request:=" + request, "--config", config, "-q")
            self.assertEqual("EACCES" in result.out, name != "other", result.out + result.err)
            self.assertEqual(os.path.getsize(path) > 0, name != "other")

    def test_a_rule_file_that_others_can_write_is_refused(self):
        self.write("conf/rules.toml", "", 0o666)
        result = self.configured("text", "redaction: {rules_file: rules.toml}\n", code=2)
        self.assertIn("can be written by others (mode 0666): run chmod go-w on it", result.err)

    def test_no_message_has_the_secret(self):
        for lines in ("sensitive_data: {secrets: {local: hunter2-hunter2}}\n",
                      "redaction: {hash_mode: {enabled: true, salt: hunter2}}\n",
                      "sensitive_data: {secrets: {local: [[hunter2-hunter2]]}}\n"):
            self.assertNotIn("hunter2", self.configured("text", lines, code=2).err)

    def test_secrets_that_others_can_read_are_warned_of(self):
        config = self.write("c.yaml", f"sensitive_data: {{secrets: {{local: [{SECRET}]}}}}\n", 0o644)
        result = self.redact(f"x {SECRET}\n", "--config", config)
        self.assertEqual(result.out, "x [REDACTED]\n")
        self.assertEqual(result.err, f"reglet: warn: {config} holds secrets and can be read by others (mode 0644): run "
                                     "chmod go-r on it\n")
        self.assertEqual(self.redact("x", "--config", config, "-q").err, "")

    def test_it_holds_for_what_plugins_give(self):
        config = self.write("c.yaml", "redaction: {paths: [path], patterns: ['never seen']}\n")
        hosts = self.write("hosts", f"{SECRET}\n")
        plugin = os.path.join(os.environ["REGLET_PLUGINS"], "file.wasm")
        result = self.reglet("observe", plugin, f"path={hosts}", "--grant", f"fs:read:{hosts}", "--config", config)
        self.assert_code(0, result)
        self.assertEqual(result.json()["evidence"]["data"]["path"], "[REDACTED]")

    def test_a_secret_that_is_missing_keeps_plugins_from_running(self):
        config = self.write("c.yaml", "sensitive_data: {secrets: {env: [NOBODY]}}\n")
        for command in ("describe", "observe", "grants"):
            result = self.reglet(command, guest("counter"), "--config", config)
            self.assert_code(2, result)
            self.assertEqual(result.err, f"reglet {command}: {config}:1:34: the variable NOBODY, which should hold a secret, "
                                         "is not set\n")


class Exits(RedactTest):
    """One known secret in all that a plugin can say, and found at no exit of the command."""

    def setUp(self):
        super().setUp()
        self.environment["APP_TOKEN"] = SECRET
        self.config = self.write("conf/config.yaml", "sensitive_data: {secrets: {env: [APP_TOKEN]}}\n", 0o600)

    def exit(self, *arguments, **options):
        """Both streams."""
        result = self.reglet(*arguments, "--config", self.config, **options)
        return result.out + result.err

    def assert_gone(self, text, least=1):
        for form in (SECRET, SECRET.replace("/", "\\/"), SECRET[:10], SECRET[-10:]):
            self.assertNotIn(form, text)
        self.assertGreaterEqual(text.count("[REDACTED]"), least, text)

    def said(self):
        log = {"level": "INFO", "message": SECRET, "attrs": [{"key": SECRET, "type": "group", "value": [
            {"key": "k", "type": "string", "value": SECRET}]}], "context": {"request_id": SECRET}}
        return json.dumps([{"stdout": SECRET + "\n"}, {"stderr": SECRET + "\n"}, {"log": log}, {"open": "/" + SECRET},
                           {"http": {"method": "GET", "url": f"https://x.test/{SECRET}"}}])

    def test_events_of_a_call(self):
        for options in ([], ["--log-format", "json"], ["-v"]):
            self.assert_gone(self.exit("observe", guest("teller"), "steps:=" + self.said(), *options), 7)

    def test_records_tables_and_lessons(self):
        for options in (["--explain"], ["--learn"], ["--audit", "audit"]):
            self.assert_gone(self.exit("observe", guest("teller"), "steps:=" + self.said(), *options))
        with open(os.path.join(self.scratch, "audit"), encoding="utf-8") as file:
            self.assert_gone(file.read(), 2)

    def test_results_of_a_batch(self):
        values = {"status": True, "data": {SECRET: SECRET}, "raw": SECRET}
        request = json.dumps({"id": 1, "plugin": guest("result_is_config"), "values": values}) + "\n"
        self.assert_gone(self.exit("batch", input=request.encode()), 3)
        request = json.dumps({"id": 1, "plugin": guest("teller"), "values": {"steps": json.loads(self.said())}}) + "\n"
        self.assert_gone(self.exit("batch", "--log-format", "json", input=request.encode()), 3)

    def test_what_a_replay_says(self):
        self.exit("observe", guest("teller"), 'steps:=[{"open": "/x"}]', "--record", "r")
        self.assert_gone(self.exit("observe", guest("teller"), "steps:=" + json.dumps([{"open": "/" + SECRET}]), "--replay", "r"))

    def test_a_recording(self):
        self.exit("observe", guest("teller"), "steps:=" + self.said(), "--record", "r")
        with open(os.path.join(self.scratch, "r"), encoding="utf-8") as file:
            self.assert_gone(file.read(), 3)


if __name__ == "__main__":
    unittest.main()
