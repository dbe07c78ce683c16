"""Turns the result lines of gpu:verify or gpu:bench into a table and gpu-<name>-<command>-<date>.json.

    python3 report.py LINES --name NAME --command verify|bench [--folder bench/results] [--logs FOLDER]

Every bar is printed with what was measured, or that it was not; of a stage that did not pass, what its log says, so
that it can be understood without the machine. Needs the standard library only. Exit status 1 when a check among the
lines failed.
"""

import argparse
import datetime
import json
import pathlib
import subprocess
import sys

# Bytes a second that a pass can hope for, measured by device-to-device copies (bytes read and written).
BANDWIDTH = {"H200": 4.3e12, "H100": 3.0e12}
PEAK_TERAFLOPS = 989  # dense bf16, H100 and H200, by the datasheet


FAILURES_SHOWN = 25  # lines of a log that tell of failures, in the table
LAST_LINES_KEPT = 150  # of the log of a stage that did not pass, in the JSON


def read_lines(path):
    """A program that was killed may have left half a line."""
    lines = []
    for line in pathlib.Path(path).read_text(errors="replace").splitlines():
        try:
            lines.append(json.loads(line))
        except json.JSONDecodeError:
            if line.strip():
                lines.append({"kind": "broken", "text": line})
    return lines


def log_of(stage, folder):
    path = pathlib.Path(folder or ".") / f"{stage.replace(' ', '-')}.log"
    return path.read_text(errors="replace").splitlines() if folder and path.exists() else []


def failures(stage, folder):
    """What the log of a stage says of its failure: the lines that tell of one, else its end."""
    log = log_of(stage, folder)
    told = [line for line in log if line.startswith("FAILED") or "rror:" in line]
    return [line[:400] for line in (told or log[-5:])[:FAILURES_SHOWN]]


def find(lines, kind, **fields):
    """The line of that kind whose fields are these, if it holds a time taken on a GPU."""
    for line in lines:
        if line.get("kind") == kind and all(line.get(name) == value for name, value in fields.items()):
            if "medianMs" in line and not line.get("shim") and line.get("device", "cuda").startswith("cuda"):
                return line
    return None


def chip_of(lines):
    for line in lines:
        for chip in BANDWIDTH:
            if not line.get("shim") and chip in line.get("deviceName", ""):
                return chip
    return None


def ratio(peer, ours):
    return peer["medianMs"] / ours["medianMs"] if peer and ours else None


def bars(lines):
    """(what, the bar in words, measured in words or None, met or None)"""
    chip = chip_of(lines)
    step_8b = find(lines, "step", model="8b", dtype="BF16", context=1024, positions=64)
    step_1b = find(lines, "step", model="1b", dtype="BF16", context=1024, positions=64)
    pass_8b = find(lines, "pass", model="8b", dtype="BF16", context=1024, positions=1)
    training = find(lines, "training", model="1b")
    result = []

    def time_bar(what, line, limit_on_h200):
        # A bar in bytes a second on an H200 asks the same share of its bandwidth of an H100.
        limit = limit_on_h200 * BANDWIDTH["H200"] / BANDWIDTH[chip] if chip else limit_on_h200
        measured = line and chip and f"{line['medianMs']:.3f} ms"
        result.append((what, f"<= {limit:.2f} ms ({chip or 'H200'})", measured, measured and line["medianMs"] <= limit))

    def ratio_bar(what, value, limit):
        result.append((what, f">= {limit} x", value and f"{value:.2f} x", value and value >= limit))

    time_bar("8B, step of 64 nodes at 1k", step_8b, 4.15)
    time_bar("1B, step of 64 nodes at 1k", step_1b, 0.80)
    for mode, limit in (("eager", 3), ("compiled", 1.25)):
        peer = find(lines, "transformers", model="8b", mode=mode, context=1024, positions=1)
        ratio_bar(f"8B, one position at 1k against transformers {mode}", ratio(peer, pass_8b), limit)
    share = training and chip and training["teraflops"] / PEAK_TERAFLOPS
    result.append(("1B training, share of 989 TFLOP/s", ">= 45 %", share and f"{share:.1%}", share and share >= 0.45))
    same = training and {"rows": training["rows"], "length": training["length"]}
    peer = same and find(lines, "pytorch-training", model="1b", mode="compiled", **same)
    ratio_bar("1B training against compiled PyTorch", ratio(peer, training), 1.1)
    return result


def describe_time(line, chip):
    place = f"{line['model']} {line.get('mode', '')}".strip()
    if "context" in line:
        place += f", context {line['context']}, positions {line['positions']}"
    if "rows" in line:
        place += f", {line['rows']} x {line['length']} tokens"
    if "medianMs" not in line:
        return f"{line['kind']:<18} {place:<46} not measured: {line['notMeasured']}"
    text = f"{line['kind']:<18} {place:<46} {line['medianMs']:>10.3f} ms ({line['lowestMs']:.3f} to {line['highestMs']:.3f})"
    if chip and "bytesRead" in line:
        floor = 1000 * line["bytesRead"] / BANDWIDTH[chip]
        text += f", floor {floor:.3f} ms ({floor / line['medianMs']:.0%})"
    if "teraflops" in line:
        text += f", {line['teraflops']:.1f} TFLOP/s"
    return text


def git_commit():
    packed = pathlib.Path("COMMIT")  # pack-gpu.sh leaves it
    if packed.exists():
        return packed.read_text().strip()
    try:
        run = subprocess.run(["git", "rev-parse", "HEAD"], capture_output=True, text=True, check=True)
        return run.stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return None


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("lines")
    parser.add_argument("--name", required=True)
    parser.add_argument("--command", choices=["verify", "bench"], required=True)
    parser.add_argument("--folder", default="bench/results")
    parser.add_argument("--logs", default="")
    parser.add_argument("--date", default="", help="in the file's name; today")
    options = parser.parse_args()
    lines = read_lines(options.lines)
    shim = any(line.get("shim") for line in lines)
    chip = chip_of(lines)

    def of_kind(kind):
        return [line for line in lines if line["kind"] == kind]

    stages, checks = of_kind("stage"), of_kind("check")
    times = [line for line in lines if "medianMs" in line or "notMeasured" in line]

    print("\nStages")
    for line in stages:
        print(f"  {line['stage']:<28} {line['state']:<8} {line['seconds']:>4} s  {line['detail']}")
        if line["state"] not in ("passed", "skipped"):
            for text in failures(line["stage"], options.logs):
                print(f"      {text}")
    if checks:
        print("\nChecks")
    for line in checks:
        print(f"  {'passed' if line['passed'] else 'FAILED'}  {line['check']}: {line['detail'][:400]}")
    print("\nTimes" + (" (of the host shim: they mean nothing)" if shim else ""))
    for line in times:
        print("  " + describe_time(line, chip))
    table = bars(lines)
    print("\nBars")
    for what, bar, measured, met in table:
        print(f"  {what:<58} {bar:<20} {measured or 'not measured':<14} {'' if measured is None else 'met' if met else 'MISSED'}")

    now = datetime.datetime.now(datetime.timezone.utc)
    date = options.date or now.date().isoformat()
    path = pathlib.Path(options.folder) / f"gpu-{options.name}-{options.command}-{date}.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    for line in stages:
        if line["state"] not in ("passed", "skipped"):
            line["output"] = log_of(line["stage"], options.logs)[-LAST_LINES_KEPT:]
    complete = json.dumps({
        "name": options.name, "command": options.command, "date": date, "written": now.isoformat(timespec="seconds"), "commit": git_commit(), "shim": shim,
        "bandwidthOfFloor": BANDWIDTH.get(chip),
        "bars": [{"what": what, "bar": bar, "measured": measured or None, "met": bool(met) if measured else None}
                 for what, bar, measured, met in table],
        "gpu": of_kind("gpu"), "stages": stages, "checks": checks, "times": times,
        "profiles": of_kind("profile"), "broken": of_kind("broken"),
    }, indent=2)  # fmt: skip
    # In one step: whoever stops the machine now finds the old report or the new one.
    draft = path.with_suffix(".draft")
    draft.write_text(complete + "\n")
    draft.replace(path)
    print(f"\nwritten: {path}")
    sys.exit(1 if any(not line["passed"] for line in checks) else 0)


if __name__ == "__main__":
    main()
