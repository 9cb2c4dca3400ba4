"""`--audit`, `observe --explain` and `observe --learn`.

CTest sets the same variables as for cli_test.py.
"""

import json
import os
import re
import stat
import subprocess
import unittest

from cli_test import FILE_PLUGIN, REGLET, CliTest, guest

RELAY = guest("relay")
FIELDS = ["time", "plugin", "request_id", "call", "number", "function", "kind", "asked", "decision", "rule", "reason",
          "grant", "duration_ns", "bytes_in", "bytes_out"]


class AuditTest(CliTest):
    def path(self, name):
        return os.path.join(self.scratch, name)

    def relay(self, function, request, *options):
        return self.reglet("observe", RELAY, f"function={function}", "request:=" + json.dumps(request), "-q", *options)

    def lines(self, name="audit"):
        with open(self.path(name), encoding="utf-8") as file:
            return [json.loads(line) for line in file]


class Files(AuditTest):
    def test_a_decision_is_a_line_with_every_field(self):
        path = self.write("file", "0123456789")
        self.relay("fs_read", {"path": path}, "--grant", f"fs:read:{self.scratch}/*", "--audit", "audit")
        self.relay("fs_read", {"path": "/etc/shadow"}, "--audit", "audit")
        allowed, denied = self.lines()
        self.assertEqual([list(allowed), list(denied)], [FIELDS, FIELDS])
        self.assertRegex(allowed["time"], r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z$")
        self.assertGreater(allowed["duration_ns"], 0)
        for one, expected in ((allowed, ["relay", None, 1, "fs_read", "fs:read", path, "allowed",
                                         f"fs:read:{self.scratch}/*", None, None, 10, 0]),
                              (denied, ["relay", None, 1, "fs_read", "fs:read", "/etc/shadow", "denied", None,
                                        "no grant covers it", "fs:read:/etc/shadow", 0, 0])):
            self.assertEqual([value for key, value in one.items() if key not in ("time", "call", "duration_ns")], expected)

    def test_the_file_is_the_users_alone_and_grows(self):
        for _ in range(2):
            self.relay("env_get", {"name": "HOME"}, "--audit", "audit")
        self.assertEqual(stat.S_IMODE(os.stat(self.path("audit")).st_mode), 0o600)
        self.assertEqual(len(self.lines()), 2)

    def test_a_symbolic_link_a_fifo_a_device_and_standard_output_are_refused(self):
        self.write("target", "as it was")
        os.symlink("target", self.path("link"))
        os.mkfifo(self.path("fifo"))
        for name, why in (("link", "it is a symbolic link"), ("fifo", "it is no regular file"),
                          ("/dev/null", "it is no regular file"), ("-", "standard output has the results"),
                          (".", "Is a directory"), ("none/audit", "No such file or directory")):
            result = self.relay("env_get", {"name": "HOME"}, "--audit", name)
            self.assert_code(2, result)
            self.assertEqual(result.out, "")
            self.assertIn(f"reglet observe: --audit: cannot write {name}: {why}", result.err)
        with open(self.path("target"), encoding="utf-8") as file:
            self.assertEqual(file.read(), "as it was")

    def test_lines_of_processes_at_once_are_whole(self):
        arguments = [REGLET, "observe", RELAY, "function=env_get", "times:=500", "-q", "--audit", "audit",
                     "request:=" + json.dumps({"name": "X" * 3000})]
        processes = [subprocess.Popen(arguments, cwd=self.scratch, env=self.environment, stdin=subprocess.DEVNULL,
                                      stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) for _ in range(8)]
        for process in processes:
            process.wait(100)
        lines = self.lines()
        self.assertEqual(len(lines), 8 * 500)
        self.assertEqual({line["asked"] for line in lines}, {"X" * 3000})

    def test_lines_of_batch_are_whole(self):
        requests = "".join(json.dumps({"id": i, "plugin": RELAY, "values": {"function": "env_get", "times": 20,
                                                                            "request": {"name": "HOME"}}}) + "\n"
                           for i in range(100))
        self.assert_code(0, self.reglet("batch", "--jobs", "8", "-q", "--audit", "audit", input=requests.encode()))
        calls = {}
        for line in self.lines():
            calls.setdefault(line["call"], []).append(line["number"])
        self.assertEqual(list(calls.values()), [list(range(1, 21))] * 100)

    def test_when_a_line_cannot_be_written_that_is_said_once_and_no_call_goes_on(self):
        limit = "ulimit -f 1; trap '' XFSZ; exec \"$@\""  # blocks of 1024 bytes, or of 512
        result = subprocess.run(["sh", "-c", limit, "sh", REGLET, "observe", RELAY, "function=env_get", "times:=100",
                                 "request:=" + json.dumps({"name": "HOME"}), "-q", "--no-cache", "--audit", "audit"],
                                cwd=self.scratch, env=self.environment, stdin=subprocess.DEVNULL, capture_output=True,
                                timeout=100, check=False)
        self.assertEqual(result.returncode, 3, result.stderr)
        err = result.stderr.decode()
        self.assertEqual(err.count("--audit: cannot write audit"), 1, err)
        # The next run begins a line of its own.
        self.relay("env_get", {"name": "HOME"}, "--audit", "audit")
        with open(self.path("audit"), encoding="utf-8") as file:
            text = file.read()
        self.assertTrue(text.endswith("\n"))
        self.assertEqual(json.loads(text.splitlines()[-1])["asked"], "HOME")

    def test_a_plugin_can_neither_read_nor_write_the_audit(self):
        for function, request in (("fs_read", {"path": self.path("audit")}),
                                  ("fs_write", {"path": self.path("audit"), "content": "", "mode": "truncate"})):
            result = self.relay(function, request, "--grant", "fs:read:/**", "--grant", "fs:write:/**", "--audit", "audit")
            self.assertIn("permission denied", result.out)
        self.assertEqual([line["decision"] for line in self.lines()], ["denied", "denied"])
        self.assertEqual([line["grant"] for line in self.lines()], [None, None])

    def test_names_that_steer_a_terminal_and_secrets_are_not_in_it(self):
        secret = "ghp_" + "A1b2C3d4E5f6G7h8I9j0K1l2M3n4O5p6Q7r8"[:36]
        self.relay("fs_read", {"path": "/x/\x1b[31m\u202e\n{}"}, "--audit", "audit")
        self.relay("fs_read", {"path": f"/x/token={secret}"}, "--audit", "audit")
        first, second = self.lines()
        self.assertEqual(first["asked"], "/x/\\x1b[31m\\u202e\\n{}")
        self.assertIn("[REDACTED]", second["asked"])
        self.assertNotIn(secret, json.dumps(second))

    def test_run_is_audited_too(self):
        self.write("dir/file", "text")
        self.reglet("run", "--dir", f"{self.path('dir')}:/work", "--audit", "audit", guest("cat"), "/work/file")
        line = [line for line in self.lines() if line["kind"] == "fs:read"][-1]
        self.assertEqual((line["asked"], line["decision"], line["rule"], line["bytes_in"]),
                         (self.path("dir/file"), "allowed", "a preopened directory", 4))


class Explaining(AuditTest):
    def test_the_table_is_on_standard_error_and_the_result_stays_json(self):
        result = self.reglet("observe", FILE_PLUGIN, "path=/etc/hosts", "--grant", "fs:read:/etc/hosts", "--explain")
        self.assert_code(0, result)
        self.assertTrue(result.json()["evidence"]["status"])
        head, *rows = result.err.splitlines()
        self.assertEqual(head.split(), ["DECISION", "TIME", "IN", "OUT", "FUNCTION", "ASKED", "BY"])
        self.assertRegex(rows[0], r"^granted +\S+ [um]s +- +- +fs_stat +fs:look:/etc/hosts +fs:read:/etc/hosts$")
        self.assertEqual(len({row.index("fs_stat") for row in rows} | {head.index("FUNCTION")}), 1)

    def test_a_refusal_says_why(self):
        result = self.relay("tcp_connect", {"host": "10.0.0.1", "port": 443}, "--grant", "network:outbound:443", "--explain")
        self.assertRegex(result.err, r"denied +\S+ us +- +- +tcp_connect +network:outbound:10\.0\.0\.1:443 +\S.*10\.0\.0\.0/8|"
                                     r"denied .*network:outbound:10\.0\.0\.1:443 +\w+")

    def test_names_are_safe_to_show(self):
        result = self.relay("fs_read", {"path": "/x/\x1b]52;c;eA==\x07\u202e"}, "--explain")
        self.assertNotRegex(result.err, "[\x00-\x09\x0b-\x1f\u202e]")

    def test_a_table_does_not_go_where_all_lines_are_objects(self):
        self.assert_code(2, self.relay("env_get", {"name": "HOME"}, "--explain", "--log-format", "json"))

    def test_nothing_asked_is_said(self):
        self.assertEqual(self.reglet("observe", guest("counter"), "--explain", "-q").err, "It asked for nothing outside.\n")

    def test_what_was_asked_before_the_observation_is_not_shown(self):
        config = self.write("config.yaml", "capabilities: ['env:HOME']\n")
        for options in (["--check"], ["--config", config]):
            result = self.reglet("observe", guest("asks_before"), "--explain", "-q", "--audit", "audit", *options)
            self.assertEqual(result.err, "It asked for nothing outside.\n")
            self.assertEqual({line["asked"] for line in self.lines()}, {"HOME"})
            os.remove(self.path("audit"))


class Learning(AuditTest):
    def learn(self, function, request, *options):
        return self.relay(function, request, "--learn", *options)

    def grants(self, result):
        return re.findall(r"^      - (.*)$", result.out, re.M)

    def test_the_narrowest_grant_is_printed(self):
        for function, request, grant in (
                ("fs_read", {"path": "/etc/shadow"}, "fs:read:/etc/shadow"),
                ("fs_write", {"path": "/x", "content": "", "mode": "create"}, "fs:write:/x"),
                ("tcp_connect", {"host": "a.example", "port": 443}, "network:outbound:a.example:443"),
                ("http_request", {"url": "https://a.example/v1?x=y"}, "network:outbound:a.example:443"),
                ("env_get", {"name": "HOME"}, "env:HOME"),
                ("exec_command", {"command": "/usr/bin/git"}, "exec:/usr/bin/git")):
            result = self.learn(function, request)
            self.assert_code(0, result)
            self.assertEqual(self.grants(result), [grant])
            self.assertIn(f"      # {function}", result.out)
            self.assertRegex(result.out, r"(?m)^plugins:\n  relay:\n    sha256: [0-9a-f]{64}\n    capabilities:\n")

    def test_adding_the_lines_and_running_again_comes_to_an_end(self):
        directory = self.path("dir")
        for name in ("*", "a: b #c", "- x", "{y}", "'", "é"):
            self.write(f"dir/{name}", "text")
            path = os.path.join(directory, name)
            result = self.learn("fs_read", {"path": path})
            self.assertEqual(len(self.grants(result)), 1, result.out)
            config = self.write("config.yaml", result.out)
            again = self.learn("fs_read", {"path": path}, "--config", config)
            self.assert_code(0, again)
            self.assertEqual(again.out, "# Nothing was refused that a line here would allow.\n")
            # And nothing else is allowed by it.
            other = self.learn("fs_read", {"path": os.path.join(directory, "other")}, "--config", config)
            self.assertEqual(len(self.grants(other)), 1)

    def test_several_steps_converge(self):
        script = self.write("bin/script", "#!/bin/sh\necho hello\n", 0o755)
        grants, rounds = [], 0
        while True:
            options = [word for grant in grants for word in ("--grant", grant)]
            more = self.grants(self.learn("exec_command", {"command": script}, *options))
            if not more:
                break
            grants += more
            rounds += 1
            self.assertLess(rounds, 5)
        self.assertEqual(grants, [f"exec:{script}", "exec:/bin/sh"])

    def test_what_no_grant_allows_is_a_comment(self):
        result = self.learn("fs_read", {"path": "/proc/self/environ"}, "--grant", "fs:read:/**")
        self.assertEqual(self.grants(result), [])
        self.assertRegex(result.out, r"(?m)^# No grant allows fs_read: fs:read:/proc/")

    def test_what_was_redacted_or_cannot_be_shown_is_a_comment(self):
        secret = "ghp_" + "A1b2C3d4E5f6G7h8I9j0K1l2M3n4O5p6Q7r8"[:36]
        for path, why in ((f"/x/token={secret}", "a part of it was redacted"),
                          ("/x/\x01", "it has characters that a grant cannot have"),
                          ("/x/\u202e", "it has characters that cannot be shown")):
            result = self.learn("fs_read", {"path": path})
            self.assertEqual(self.grants(result), [], result.out)
            self.assertIn(f"# Cannot be written ({why})", result.out)
            self.assertNotIn(secret, result.out)
            self.assertNotRegex(result.out, "[\x01\u202e]")

    def test_a_line_break_in_a_name_is_no_line_of_yaml(self):
        result = self.learn("fs_read", {"path": "/x\n      - fs:read:/**"})
        self.assertEqual([line for line in result.out.splitlines() if line.strip().startswith("-")], [])

    def test_a_shell_says_that_its_risk_is_high(self):
        self.assertIn("risk high", self.learn("exec_command", {"command": "/bin/sh"}).out)

    def test_it_does_not_go_with_a_format(self):
        self.assert_code(2, self.learn("env_get", {"name": "HOME"}, "--format", "json"))


if __name__ == "__main__":
    unittest.main()
