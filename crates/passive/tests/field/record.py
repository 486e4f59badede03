"""Records faults that a real kernel and real programs make, each with the truth, written before any verdict is seen.

    record.py FOLDER [--seed N] [--only WORD] [--jobs N] [--batch first|second] [--count N]

Writes FOLDER/NAME.pcap(ng), NAME.keys and, one line each, FOLDER/truth.txt:
    NAME: truth with the key log // truth without it      # where captured, by what
A truth is what a fair expert may answer: sets of codes apart by `|`, the best first; `~A! B C` is any set of these
that has A; `~>=2 A B C` any set of at least two of these; `?` that it cannot be told.
Needs root, Linux, the programs that it starts, and once `prepare.sh` for those that no distribution has.
"""
import argparse, json, os, random, struct, sys, time, traceback
from concurrent.futures import ProcessPoolExecutor, as_completed

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, HERE)


def swap(path):
    """The same capture as a machine of the other byte order would have written it."""
    data = open(path, "rb").read()
    turn = lambda form, at: struct.pack(">" + form, *struct.unpack_from("<" + form, data, at))
    out, at = [turn("IHHIIII", 0)], 24
    while at + 16 <= len(data):
        size = struct.unpack_from("<I", data, at + 8)[0]
        out += [turn("IIII", at), data[at + 16:at + 16 + size]]
        at += 16 + size
    open(path, "wb").write(b"".join(out))


def one(job):
    """Records one case; says its line of the table, or what went wrong."""
    import cases, kinds
    from ground import World
    name, of, seed, number, folder, twist = job
    case = cases.CASES[of]
    rng = random.Random(f"{seed}-{name}")
    out = os.path.join(folder, name)
    link = case.link(rng) if callable(case.link) else case.link
    if link == "any":
        link = rng.choice([None, {"delay": rng.choice([0.002, 0.008, 0.02, 0.045, 0.09])}])
    if twist:
        link = cases.TWISTS[twist](rng, link)
    world = None
    try:
        world = World(number, out, rng.random(), link=link, nat=case.nat and rng.random() < 0.5, **case.world)
        w = world
        w.truth, w.sealed, w.twist = case.truth, case.sealed, twist
        at = rng.choice(case.at)
        how = rng.choice(["tcpdump", "tcpdump", "nano", "dumpcap", "two"] + (["sll"] if "any" in at else []))
        shape = rng.choice(["", "", "", "swapped"])
        if twist == "noise":
            cases.background(w, 9)
        snap = rng.choice(case.snaps)
        w.begin = lambda at=at, how=how, snap=snap, **k: w.capture(**{"at": at, "how": how, "snap": snap, **k})
        offload = rng.choice(["", "", "gro on", "tso off gso off"])
        if offload:
            for ns in "cs":
                os.system(f"ip netns exec {w.ns(ns)} ethtool -K eth0 {offload} >/dev/null 2>&1")
        case.body(w)
        w.finish()
        keys = out + ".keys"
        if os.path.exists(keys) and (not case.keep_keys or os.path.getsize(keys) == 0):
            os.remove(keys)
        if shape == "swapped" and w.file.endswith(".pcap"):
            swap(w.file)
        size = os.path.getsize(w.file)
        if size < 100:
            raise RuntimeError("nothing captured: " + " ; ".join(w.notes))
        truth = w.truth + (f" // {w.sealed}" if w.sealed and os.path.exists(keys) else "")
        if w.sealed and not os.path.exists(keys):
            truth = w.sealed
        return {"name": name, "case": of, "file": os.path.basename(w.file), "truth": truth, "at": w.at, "how": how, "snap": snap,
                "offload": offload, "shape": shape, "link": repr(link), "twist": twist, "notes": w.notes, "size": size}
    except Exception:
        return {"name": name, "failed": traceback.format_exc(), "notes": world.notes if world else []}
    finally:
        if world:
            world.close()


def main():
    p = argparse.ArgumentParser()
    p.add_argument("folder")
    p.add_argument("--seed", type=int, default=1)
    p.add_argument("--only", default="")
    p.add_argument("--jobs", type=int, default=6)
    p.add_argument("--draw", type=int, default=0, help="draw so many at random, with twists, instead of each case once")
    p.add_argument("--base", type=int, default=0)
    p.add_argument("--last", type=float, default=0, help="of what is drawn, this share is of the kinds that were written last")
    p.add_argument("--more", action="store_true", help="only the kinds of more_*.py")
    p.add_argument("--faults", action="store_true", help="no healthy kinds")
    p.add_argument("--of", default="", help="only the kinds of this file")
    a = p.parse_args()
    import cases, kinds
    os.makedirs(a.folder, exist_ok=True)
    wanted = [n for n in cases.CASES if any(word in n for word in a.only.split(",")) and (not a.more or cases.CASES[n].batch.startswith("more_")) and not (a.faults and n.startswith("ok-")) and (not a.of or cases.CASES[n].batch in a.of.split(","))]
    rng = random.Random(a.seed)
    jobs = []
    if a.draw:
        for k in range(a.draw):
            # A part of what is drawn is of the kinds that were written last.
            last = [n for n in wanted if cases.CASES[n].batch == "more_later"]
            of = rng.choice(last) if last and rng.random() < a.last else rng.choice(wanted)
            twist = rng.choice([""] + [t for t in cases.TWISTS if cases.CASES[of].twists]) if cases.CASES[of].twists else ""
            jobs.append((f"{of}-{a.seed}-{k}" + (f"-{twist}" if twist else ""), of, a.seed, a.base + k, os.path.abspath(a.folder), twist))
    else:
        jobs = [(n, n, a.seed, a.base + k, os.path.abspath(a.folder), "") for k, n in enumerate(wanted)]
    begun = time.time()
    with ProcessPoolExecutor(a.jobs) as pool, open(os.path.join(a.folder, "truth.jsonl"), "a") as table:
        for future in as_completed([pool.submit(one, job) for job in jobs]):
            done = future.result()
            if "failed" in done:
                print("FAILED", done["name"], done["failed"].strip().splitlines()[-1][:400], done["notes"][-2:], flush=True)
                continue
            table.write(json.dumps(done) + "\n")
            table.flush()
            print(f"{time.time() - begun:5.0f} s {done['name']}: {done['truth']}", flush=True)


if __name__ == "__main__":
    main()
