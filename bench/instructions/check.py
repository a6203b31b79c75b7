# SPDX-License-Identifier: MIT
"""Count the instructions of each task under valgrind and compare them with bars.json.

python bench/instructions/check.py             fails where a task takes more than its bar allows
python bench/instructions/check.py --update    writes what was counted as the new bars

Counts do not depend on what else the machine does, but on the compiler: one other than the bars' is
allowed more.
"""

import argparse
import json
import os
import platform
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
ROOT = HERE.parent.parent
BARS = HERE / "bars.json"
ISAS = ("baseline", "v3")  # valgrind knows no AVX-512
MACHINES = ("x86_64", "AMD64")
RISE, RISE_OTHER_COMPILER, FALL = 0.05, 0.25, 0.10


def build(folder: Path) -> Path:
    """Build the tasks, with the flags of the dev preset for ccache, and return the program."""
    options = ["-DCMAKE_BUILD_TYPE=Release", "-DRPSD_WERROR=ON", "-DRPSD_PYTHON=OFF", "-DRPSD_BENCH=ON"]
    subprocess.run(["cmake", "-S", str(ROOT), "-B", str(folder), *options], check=True, stdout=sys.stderr)
    command = ["cmake", "--build", str(folder), "--target", "instructions", "--parallel", str(os.cpu_count())]
    subprocess.run(command, check=True, stdout=sys.stderr)
    return folder / "bench" / "instructions" / "instructions"


def count(program: Path, task: str, isa: str) -> int:
    """Return the instructions that the task's counted run takes."""
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "out"
        valgrind = ["valgrind", "-q", "--tool=callgrind", "--toggle-collect=counted*"]
        command = [*valgrind, f"--callgrind-out-file={out}", str(program), task]
        subprocess.run(command, check=True, env={**os.environ, "RPSD_ISA": isa})
        totals = [line for line in out.read_text().splitlines() if line.startswith("totals:")]
    total = int(totals[0].split()[1])
    if total == 0:
        raise SystemExit(f"{task}: nothing was counted; is the function `counted` still there?")
    return total


def measure(program: Path, description: dict[str, Any]) -> dict[str, dict[str, float]]:
    """Return instructions a sample, by instruction set and task."""
    isas = [isa for isa in ISAS if isa in description["isas"]]
    tasks = description["tasks"]
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        counts = {isa: pool.map(partial(count, program, isa=isa), tasks) for isa in isas}
    return {
        isa: {
            task: round(total / samples, 2)
            for (task, samples), total in zip(tasks.items(), counts[isa], strict=True)
        }
        for isa in isas
    }


def compare(bars: dict[str, Any], compiler: str, counts: dict[str, dict[str, float]]) -> list[str]:
    """Print every task beside its bar; return what is wrong."""
    same = compiler == bars["compiler"]
    rise = RISE if same else RISE_OTHER_COMPILER
    if not same:
        print(f"Counted with {compiler}, the bars with {bars['compiler']}: +{rise:.0%} are allowed.")
    wrong = []
    print(f"{'instructions a sample':<45} {'counted':>9} {'bar':>9} {'change':>8}")
    for isa in ISAS:
        if isa not in counts:
            print(f"{isa}: this processor does not have it; not counted")
            continue
        for task, counted in counts[isa].items():
            name = f"{isa}: {task}"
            bar = bars["instructions_per_sample"].get(isa, {}).get(task)
            if bar is None:
                wrong.append(f"{name} has no bar; add it with --update")
                continue
            change = counted / bar - 1
            print(f"{name:<45} {counted:>9.2f} {bar:>9.2f} {change:>+8.1%}")
            if change > rise:
                wrong.append(f"{name} takes {counted} instructions a sample; allowed: {bar} {rise:+.0%}")
            elif same and change < -FALL:
                print(f"  lower this bar with --update: {change:.1%}")
        gone = bars["instructions_per_sample"].get(isa, {}).keys() - counts[isa].keys()
        wrong += [f"{isa}: {task} has a bar but is no task; remove it with --update" for task in gone]
    return wrong


def main() -> None:
    """Build, count, and compare or write."""
    parser = argparse.ArgumentParser(description="Compare instruction counts with those of bars.json.")
    parser.add_argument("--update", action="store_true", help="write what was counted as the new bars")
    parser.add_argument("--build", type=Path, default=ROOT / "build" / "instructions", help="build folder")
    arguments = parser.parse_args()
    if platform.machine() not in MACHINES:
        print(f"The bars are those of x86-64, this is {platform.machine()}: nothing to compare.")
        return
    program = build(arguments.build)
    listing = subprocess.run([str(program)], check=True, capture_output=True, text=True)
    description = json.loads(listing.stdout)
    counts = measure(program, description)
    if arguments.update:
        if set(counts) != set(ISAS):
            raise SystemExit(f"--update needs {' and '.join(ISAS)}; this processor has {', '.join(counts)}")
        bars = {"compiler": description["compiler"], "instructions_per_sample": counts}
        BARS.write_text(json.dumps(bars, indent=2) + "\n", encoding="utf-8")
        print(f"Wrote {BARS.relative_to(ROOT)}")
        return
    wrong = compare(json.loads(BARS.read_text(encoding="utf-8")), description["compiler"], counts)
    if wrong:
        raise SystemExit("\n".join(wrong))


if __name__ == "__main__":
    main()
