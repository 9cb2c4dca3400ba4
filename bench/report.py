"""What run.py measured, as a table in Markdown and as a picture."""

import html
import math
import statistics

import languages

MARKERS = ("<!-- measured: written by bench/run.py -->", "<!-- end of what was measured -->")
WAYS = {"wazero": "host on wazero", "plain": "libreglet, no image", "image": "libreglet", "primed": "libreglet, primed"}
PLUGINS = {"go": "Go plugin", "file": "C plugin"}
STARTS = {"wazero": "host on wazero, nothing cached", "wazero_cached": "host on wazero, its own cache", "ours": "libreglet, nothing cached",
          "ours_cached": "libreglet, cached", "ours_cached_optimized": "libreglet, optimised code cached"}


def present(results, among=("go", "file")):
    return [(plugin, name) for plugin, name in PLUGINS.items() if plugin in among and plugin in results["calls"]]


# --- Figures --------------------------------------------------------------------------------------------------------


class Calls:
    """The rounds of one plugin. A ratio is one of each round, so that both sides met the same phase of the machine; what
    is told is the median of the rounds."""

    def __init__(self, results, plugin):
        self.rounds = results["calls"][plugin]

    def value(self, way, threads, key):
        return statistics.median(one[key] for one in self.rounds[way][threads])

    def ratio(self, above, below):
        """Each side: way, threads, key."""
        above, below = ([one[key] for one in self.rounds[way][threads]] for way, threads, key in (above, below))
        return statistics.median(a / b for a, b in zip(above, below))

    def faster(self, way, key, threads="1"):
        """How many times better than the host on wazero."""
        pair = ("wazero", threads, key), (way, threads, key)
        return self.ratio(*pair) if key.endswith("_us") else self.ratio(*reversed(pair))


def figure(name, measured, target, at_least=True, peer="", ours="", bar=None):
    return {"name": name, "measured": measured, "target": target, "at_least": at_least, "peer": peer, "ours": ours,
            "bar": bar, "reached": measured >= target if at_least else measured <= target}


def call_figures(results):
    def faster(what, calls, way, key, target, threads="1"):
        show = duration if key.endswith("_us") else rate
        return figure(what, calls.faster(way, key, threads), target, bar=what, peer=show(calls.value("wazero", threads, key)),
                      ours=show(calls.value(way, threads, key)))

    def over(what, calls, above, below, target, at_least):
        ours, peer = (calls.ratio((way, *above), (way, *below)) for way in ("image", "wazero"))
        return figure(what, ours, target, at_least, peer=f"{peer:.2f}", ours=f"{ours:.2f}")

    for plugin, name in present(results):
        calls = Calls(results, plugin)
        median, rate_of_one = {"go": (30, 35), "file": (3, 8)}[plugin]
        yield faster(f"{name}, median", calls, "image", "median_us", median)
        yield faster(f"{name}, calls per second", calls, "image", "per_second", rate_of_one)
        if plugin == "go":
            yield faster(f"{name}, primed, median", calls, "primed", "median_us", 50)
            yield faster(f"{name}, primed, calls per second", calls, "primed", "per_second", 50)
            yield faster(f"{name}, two threads, calls per second", calls, "image", "per_second", 50, "2")
        yield over(f"{name}, p99 over median", calls, ("1", "p99_us"), ("1", "median_us"), 2, False)
        yield over(f"{name}, calls per second of two threads over one", calls, ("2", "per_second"), ("1", "per_second"), 1.7, True)


def start_figures(results):
    for plugin, name in present(results, ["go"]):
        times = {key: statistics.median(values) for key, values in results["starts"][plugin].items()}
        for what, key, target in (("nothing cached", "ours", 3), ("cached", "ours_cached", 100)):
            yield figure(f"{name}, first observation of a process, {what}", times["wazero"] / times[key], target,
                         peer=milliseconds(times["wazero"]), ours=milliseconds(times[key]), bar=f"{name}, first observation, {what}")


def memory_figures(results):
    if "instances" in results:
        ours, peer = results["instances"]["image"], results["instances"]["wazero"]
        yield figure("Go plugin, memory of one more instance, MB", ours * 1024 / 1e6, 1.5, False, peer=kib(peer), ours=kib(ours))
    if "loaded" in results:
        loaded = results["loaded"]
        most = max(size for modules in ("same", "different") for size in loaded[modules].values())
        yield figure("C plugin, memory of one more that idles, KB", most * 1.024, 150, False, peer=kib(loaded["wazero"]["loaded"]), ours=kib(most))


def redaction_figures(results):
    if "redaction" in results:
        speed = results["redaction"]["speed"]
        times = statistics.median(ours / go for ours, go in zip(speed["ours"], speed["go"]))
        yield figure("Redaction of logs, against Go's regexp", times, 20, peer=megabytes(speed["go"]), ours=megabytes(speed["ours"]),
                     bar="Redaction of logs, against Go's regexp")
    if "accounting" in results:
        rounds = results["accounting"]
        added = statistics.median(b["median_us"] - a["median_us"] for a, b in zip(rounds["bare"], rounds["accounted"]))
        yield figure("C plugin, what redaction and audit add to an observation, µs", added, 5, False,
                     ours=duration(statistics.median(one["median_us"] for one in rounds["accounted"])))


def language_figures(results):
    rounds = results.get("languages", {}).get("rounds", {})
    if "file_component" in rounds:
        module, component = (statistics.median(one["median_us"] for one in rounds[name]) for name in ("file", "file_component"))
        yield figure("C plugin, median as a component over median as a module", over_peer(rounds, "file_component"), 2, False,
                     peer="", ours=f"{duration(component)} over {duration(module)}")


def over_peer(rounds, name):
    """How many times the median of the plugin that it is measured against."""
    return statistics.median(one["median_us"] / peer["median_us"] for one, peer in zip(rounds[name], rounds[languages.AGAINST[name]]))


def figures(results):
    return [*call_figures(results), *start_figures(results), *memory_figures(results), *language_figures(results), *redaction_figures(results)]


# --- Table ----------------------------------------------------------------------------------------------------------


def duration(microseconds_):
    return milliseconds(microseconds_ / 1000) if microseconds_ >= 1000 else f"{microseconds_:.3g} µs"


def milliseconds(value):
    return f"{value / 1000:.2f} s" if value >= 1000 else f"{value:.3g} ms"


def rate(value):
    return f"{value:,.0f}/s"


def megabytes(values):
    return f"{statistics.median(values):.3g} MB/s"


def megabytes_of(size):
    return f"{size / 1000:,.0f} KB" if size < 1_000_000 else f"{size / 1e6:.3g} MB"


def kib(value):
    return f"{value:,.0f} KiB"


def row(*cells):
    return "| " + " | ".join(str(cell) for cell in cells) + " |\n"


def head(*cells):
    return row(*cells) + "|---" * len(cells) + "|\n"


def figures_table(results):
    text = head("figure", "host on wazero", "libreglet", "measured", "to reach", "reached")
    for one in figures(results):
        measured = f"{one['measured']:.3g}" + (" times" if one["bar"] else "")
        target = f"at {'least' if one['at_least'] else 'most'} {one['target']}"
        text += row(one["name"], one["peer"], one["ours"], f"**{measured}**", target, "yes" if one["reached"] else "no")
    return text


def calls_table(results):
    text = head("a fresh instance for each call", "median", "p99", "one thread", "two threads", "median, times faster than wazero")
    for plugin, name in present(results):
        calls = Calls(results, plugin)
        for way, host in WAYS.items():
            text += row(f"{name}, {host}", duration(calls.value(way, "1", "median_us")), duration(calls.value(way, "1", "p99_us")),
                        rate(calls.value(way, "1", "per_second")), rate(calls.value(way, "2", "per_second")),
                        f"{calls.faster(way, 'median_us'):.3g}")
    return text


def starts_table(results):
    text = head("first observation of a process", "median", "times faster than wazero with nothing cached")
    for plugin, name in present(results):
        times = results["starts"][plugin]
        medians = {key: statistics.median(times[key]) for key in STARTS}
        for key, host in STARTS.items():
            text += row(f"{name}, {host}", milliseconds(medians[key]), f"{medians['wazero'] / medians[key]:.3g}")
    return text


def memory_table(results):
    text = head("private memory of one more", *WAYS.values())
    if "instances" in results:
        text += row("Go plugin's instance that has observed", *(kib(results["instances"][way]) for way in WAYS))
    loaded = results.get("loaded", {})
    for modules, which in (("different", "other bytes than the rest"), ("same", "the same bytes under another name")):
        for state, size in loaded.get(modules, {}).items():
            peer = kib(loaded["wazero"]["loaded"]) if (modules, state) == ("different", "loaded") else ""
            text += row(f"idle C plugin, {which}, {'observed once' if state == 'observed' else state}", peer, "", kib(size), "")
    return text


def languages_table(results):
    one = results.get("languages")
    if not one:
        return ""
    text = head("the same plugin in each language", "size", "median", "p99", "one thread", "median, times that of the C module")
    for name, rounds in one["rounds"].items():
        median, p99, per_second = (statistics.median(each[key] for each in rounds) for key in ("median_us", "p99_us", "per_second"))
        text += row(languages.NAMES[name], megabytes_of(one["bytes"][name]), duration(median), duration(p99), rate(per_second),
                    f"{over_peer(one['rounds'], name):.3g}")
    return text


def redaction_table(results):
    one = results.get("redaction")
    if not one:
        return ""
    names = {"go": "Go's regexp, one rule after the other", "go_keywords": "the same, only rules with a keyword in the text",
             "ours": "libreglet"}
    text = head(f"{one['rules']} rules on {one['bytes'] / 1e6:.3g} MB of logs", "speed", "libreglet is faster, times")
    for name, what in names.items():
        faster = statistics.median(ours / peer for ours, peer in zip(one["speed"]["ours"], one["speed"][name]))
        text += row(what, megabytes(one["speed"][name]), f"{faster:.3g}")
    return text


def table(results):
    counts = results["counts"]
    sizes = ", ".join(f"{name} {results['plugin_bytes'][plugin] / 1e6:.2f} MB" for plugin, name in present(results))
    intro = (f"One run of `make bench`: {results['cpus']} CPUs, Linux {results['kernel']}; {sizes}; {counts['rounds']} rounds of "
             f"{counts['ms']} ms for each line and number of threads; {counts['loaded']:,} idle plugins."
             f" Load average {results['load'][0]:.1f} before it and {results['load'][1]:.1f} after it, of which the run itself makes 1 to 2.\n")
    return "\n".join((intro, figures_table(results), calls_table(results), starts_table(results), memory_table(results),
                      languages_table(results), redaction_table(results)))


# --- Picture --------------------------------------------------------------------------------------------------------

WIDTH, LEFT, RIGHT, STEP, TOP = 780, 320, 60, 26, 56

STYLE = """text{font:13px system-ui,sans-serif;fill:#1f2328}.dim{fill:#656d76}.grid{stroke:#d0d7de}
.bar{fill:#0969da}.goal{stroke:#bc4c00;stroke-width:2}
@media(prefers-color-scheme:dark){text{fill:#e6edf3}.dim{fill:#8d96a0}.grid{stroke:#30363d}.bar{fill:#4493f8}.goal{stroke:#f0883e}}"""


def picture(results):
    """How many times faster than the host on wazero, each as a bar from 1 on a logarithmic scale, with what was to be reached."""
    bars = [one for one in figures(results) if one["bar"]]
    decades = max(1, math.ceil(math.log10(max(max(one["measured"], one["target"]) for one in bars))))
    bottom = TOP + STEP * len(bars)

    def x(ratio):
        return LEFT + (WIDTH - LEFT - RIGHT) * max(0.0, math.log10(ratio)) / decades

    parts = [f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {bottom + 34}" role="img">',
             f"<title>Observations in fresh instances: how many times faster than a host on wazero</title><style>{STYLE}</style>",
             '<text x="12" y="22">How many times faster than a host on wazero: the same plugins, a fresh instance for each call</text>']
    for power in range(decades + 1):
        place = x(10**power)
        parts.append(f'<line class="grid" x1="{place:.0f}" y1="{TOP - 8}" x2="{place:.0f}" y2="{bottom}"/>'
                     f'<text class="dim" x="{place:.0f}" y="{TOP - 14}" text-anchor="middle">{10**power}×</text>')
    for number, one in enumerate(bars):
        top, end = TOP + STEP * number, x(one["measured"])
        goal = x(one["target"])
        parts.append(f'<text x="{LEFT - 10}" y="{top + 14}" text-anchor="end">{html.escape(one["bar"])}</text>'
                     f'<rect class="bar" x="{LEFT}" y="{top + 2}" width="{max(1, end - LEFT):.0f}" height="{STEP - 10}" rx="2"/>'
                     f'<line class="goal" x1="{goal:.0f}" y1="{top}" x2="{goal:.0f}" y2="{top + STEP - 6}"/>'
                     f'<text x="{max(end, goal) + 6:.0f}" y="{top + 14}">{one["measured"]:.3g}×</text>')
    parts.append(f'<text class="dim" x="12" y="{bottom + 22}">The upright lines are what was to be reached. Logarithmic scale; '
                 "1× is the host on wazero.</text></svg>\n")
    return "\n".join(parts)


# --- Documentation --------------------------------------------------------------------------------------------------


def put_into_docs(folder, new_table, new_picture):
    """The table goes between two markers of performance.md."""
    page = folder / "performance.md"
    text = page.read_text(encoding="utf-8")
    before, _, rest = text.partition(MARKERS[0])
    _, marker, after = rest.partition(MARKERS[1])
    if not marker:
        raise SystemExit(f"bench: {page} lacks the lines {MARKERS[0]!r} and {MARKERS[1]!r}")
    page.write_text(f"{before}{MARKERS[0]}\n\n{new_table}\n{MARKERS[1]}{after}", encoding="utf-8")
    (folder / "performance.svg").write_text(new_picture, encoding="utf-8")
