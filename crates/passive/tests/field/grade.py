"""Grades the doctor's verdicts on a folder of recordings: grade.py FOLDER [--thru PROGRAM] [--show] [--only WORD]

right      one cause, and it is an accepted one
set        a set, and it is an accepted one
abstained  says that it cannot tell
loose      names an accepted cause, in a set that is too wide or too narrow, or misses one of two
missed     says healthy where a fault is to be seen
wrong      names another cause; `wrong and confident` at a confidence of 0.7 or more
false      a control is said to be faulty
"""
import argparse, json, os, re, subprocess, sys
from concurrent.futures import ThreadPoolExecutor

SURE = 0.7


def accepted(alternatives, said):
    """Is this set of causes (or `healthy`, `?`) one that the truth allows?"""
    for one in alternatives.split("|"):
        words = one.split()
        if not words or not words[0].startswith("~"):
            if set(words) == said:
                return True
            continue
        words = [w for w in words if w != "~"]
        words[0] = words[0].lstrip("~")
        least = 1
        if words[0].startswith(">="):
            least = int(words.pop(0)[2:])
        must = {w[:-1] for w in words if w.endswith("!")}
        if said and must <= said <= {w.rstrip("!") for w in words} and len(said) >= least:
            return True
    return False


def grade(truth, verdict):
    causes = set(verdict["causes"])
    healthy = verdict["status"] == "healthy"
    said = {"healthy"} if healthy else causes or {"?"}
    control = truth.split("|")[0].strip() == "healthy"
    tokens = set(re.findall(r"[A-Z]+\d+[A-Z]?\d*|healthy", truth))
    if accepted(truth, said):
        return "abstained" if said == {"?"} else "right" if len(said) == 1 else "set"
    if said == {"?"}:
        return "abstained"
    if control:
        return "false"
    if healthy:
        return "missed" if "?" not in truth else "abstained"
    if causes & tokens:
        return "loose"
    return "WRONG" if verdict["confidence"] >= SURE else "wrong"


LAYERS = {"LNK": "link", "HST": "host", "IP": "ip", "BGP": "routing", "DNS": "dns", "TCP": "tcp", "FW": "firewall", "TLS": "tls", "H": "http", "Q": "quic", "PX": "proxy", "APP": "app"}


def layer_right(truth, verdict):
    """Is the layer that of an answer that the truth allows? (None if it says that it cannot tell.)"""
    if verdict["status"] == "healthy":
        return "healthy" in truth or "?" in truth
    if not verdict["causes"]:
        return None
    return verdict["layer"] in {LAYERS[re.match(r"[A-Z]+", code).group()] for code in re.findall(r"[A-Z]+\d+", truth)}


def judge(job):
    thru, folder, row = job
    path = os.path.join(row["folder"], row["file"])
    keys = os.path.join(row["folder"], row["name"] + ".keys")
    out = []
    opened, _, sealed = row["truth"].partition(" // ")
    ways = [("keys", opened, ["--keylog", keys]), ("sealed", sealed, [])] if os.path.exists(keys) and sealed else [("", opened, [])]
    for way, truth, more in ways:
        done = subprocess.run([thru, "doctor", "--json", path, *more], capture_output=True, text=True)
        try:
            verdict = [json.loads(line) for line in done.stdout.splitlines() if line][-1]["verdict"]
        except (IndexError, KeyError, json.JSONDecodeError):
            out.append((row, way, truth, {"status": "crash", "causes": [], "confidence": 0, "summary": done.stderr[-300:]}, "CRASH"))
            continue
        out.append((row, way, truth, verdict, grade(truth, verdict)))
    return out


def main():
    p = argparse.ArgumentParser()
    p.add_argument("folder")
    p.add_argument("--thru", default="thru")
    p.add_argument("--show", action="store_true", help="also what was right")
    p.add_argument("--only", default="")
    a = p.parse_args()
    rows = []
    for folder in a.folder.split(","):
        rows += [{**json.loads(line), "folder": folder} for line in open(os.path.join(folder, "truth.jsonl"))]
    rows = [r for r in {r["name"]: r for r in rows}.values() if any(word in r["name"] for word in a.only.split(","))]
    with ThreadPoolExecutor(2) as pool:
        done = [x for many in pool.map(judge, [(a.thru, a.folder, r) for r in rows]) for x in many]
    counts, layers = {}, {}
    for row, way, truth, verdict, mark in sorted(done, key=lambda d: (d[4], d[0]["name"])):
        kind = "controls" if truth.split("|")[0].strip() == "healthy" else "sealed" if way == "sealed" else "faults"
        counts.setdefault(kind, {}).setdefault(mark, []).append(row["name"])
        layers.setdefault(kind, []).append(layer_right(truth, verdict))
        if a.show or mark not in ("right", "set"):
            print(f"{mark:9} {row['name']} {way} at {row['at']}: truth {truth} | said {verdict['status']} {' '.join(verdict['causes'])} ({verdict['confidence']}): {verdict['summary'][:150]}")
    print()
    for kind, marks in counts.items():
        total = sum(map(len, marks.values()))
        known = [one for one in layers[kind] if one is not None]
        print(f"{kind:9} {total:4}:", ", ".join(f"{m} {len(n)}" for m, n in sorted(marks.items())), f"; layer right {sum(known)} of {len(known)} said")


if __name__ == "__main__":
    main()
