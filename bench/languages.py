"""The same plugin in each language: what `reglet new` writes, and the file plugin as a module and as a component."""

import os
import subprocess

OBSERVED = "/etc/hosts"
# In the order of the table. The first one of each pair is what the second one is measured against.
NAMES = {"file": "C, plugins/file, module", "file_component": "C, plugins/file, component", "c": "C, module", "c_component": "C, component",
         "rust": "Rust, component", "go": "Go, module", "js": "JavaScript, component", "python": "Python, component"}
AGAINST = {name: "file" if name.startswith("file") else "c" for name in NAMES}


def config(name):
    return {"path": OBSERVED} if AGAINST[name] == "file" else {"path": OBSERVED, "line": "127.0.0.1 localhost"}


def make(folder, language, targets, reglet, say):
    """The folder of a new plugin, built; or None."""
    place = folder / language
    environment = {**os.environ, "GOPROXY": "off", "GOTOOLCHAIN": "local", "npm_config_prefer_offline": "true"}
    commands = [[reglet, "new", "--lang", language, language]] if not place.exists() else []
    commands.append(["make", "--no-print-directory", "-C", place, *targets])
    for command in commands:
        done = subprocess.run([str(word) for word in command], cwd=folder, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                              text=True, check=False)
        if done.returncode:
            say(f"bench: the plugin in {language} is left out: {(done.stdout.strip().splitlines() or ['no output'])[-1]}")
            return None
    return place


def plugins(build, reglet, component_tool, quick, say):
    """Where each is. Python and Rust are those that `make check-languages` has built, if it has."""
    folder = build / "bench" / "languages"
    folder.mkdir(parents=True, exist_ok=True)
    found = {"file": build / "plugins" / "file.wasm", "file_component": build / "plugins" / "file.component.wasm"}
    place = make(folder, "c", ["all", "component", f"REGLET_COMPONENT={component_tool}"], reglet, say)
    if place:
        found.update(c=place / "c.wasm", c_component=place / "c.component.wasm")
    if not quick:
        for language in ("go", "js"):
            place = make(folder, language, ["all"], reglet, say)
            if place:
                found[language] = place / f"{language}.wasm"
        found["python"] = build / "languages" / "new-python" / "new-python.wasm"
        found["rust"] = build / "languages" / "rust" / "has_line.wasm"
    return {name: found[name] for name in NAMES if name in found and found[name].exists()}
