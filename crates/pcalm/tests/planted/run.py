#!/usr/bin/env python3
"""Plants one-line defects, one at a time, and shows that each makes a named test fail.

    python3 crates/pcalm/tests/planted/run.py [NAME ...]

Works on a copy of the tracked files in a temporary folder, with a build folder of its own that is kept between
defects (PLANTED_TARGET names one to be used and kept). Prints a table for CONTRIBUTING; ends non-zero if a defect
survives, or a line to be changed is no longer there exactly once.
"""

import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[4]

# Name, file below crates/pcalm/src, the line's text, what it becomes, the test binary that must notice.
DEFECTS = [
    ("a sign in the credit", "backend/reference.rs", "let c = z - *f;", "let c = *f - z;", "algebra"),
    ("a sign in the descent", "lagrangian.rs", "self.backend.combine(-eta, gradient, ", "self.backend.combine(eta, gradient, ", "identities"),
    ("a missing ½ in the residual energy", "penalty.rs", "0.5 * weight.quadratic_form(", "weight.quadratic_form(", "energies"),
    ("a missing ½ in the squared error", "loss.rs", "0.5 * pairs().map(|(f, y)| (f - y) * (f - y))", "pairs().map(|(f, y)| (f - y) * (f - y))", "algebra"),
    ("slopes left out of Jᵀ", "backend/sweeps/dense.rs", "kernel.transposed(dense, q, Some(&at.slopes), base, out)", "kernel.transposed(dense, q, None, base, out)", "algebra"),
    ("a transpose swapped in the reference's product", "backend/reference.rs", "dense.weight()[k * n + row]", "dense.weight()[row * n.min(dense.rows()) + k]", "algebra"),
    ("the last samples of a batch dropped", "minibatch.rs", "(0..batch.samples()).step_by(size)", "(0..batch.samples() / size.min(batch.samples()) * size.min(batch.samples())).step_by(size)", "independence"),
    ("a stale slope in post placement", "backend/sweeps/dense.rs", "kernel.activate_in_place(dense.activation(), &mut out.data_mut()[..slopes.len()], slopes);", "let kept = slopes.to_vec(); kernel.activate_in_place(dense.activation(), &mut out.data_mut()[..slopes.len()], slopes); slopes.copy_from_slice(&kept);", "algebra"),
    ("one step too few", "rule/primal_dual.rs", "if cycles >= self.budget {", "if cycles + 1 >= self.budget {", "golden"),
    ("a dual step in every inner step", "rule/primal_dual.rs", "if at.inner == 0 { self.dual_step } else { DualStep::Still }", "self.dual_step", "golden"),
    ("the credit after the dual step where before was asked for", "rule/primal_dual.rs", "if self.credit == Credit::PostDual {", "if self.credit == Credit::PreDual {", "golden"),
    ("momentum that forgets nothing", "backend/sweeps/mod.rs", "*previous = now;", "", "nesterov"),
    ("the mean over one sample too many", "minibatch.rs", "B::Real::of(1.0 / self.samples as f64)", "B::Real::of(1.0 / (self.samples + 1) as f64)", "algebra"),
    ("duals that survive from the last inference", "lagrangian.rs", "self.backend.clear(&mut state.duals);", "", "conformance"),
    ("padding in the weight gradient", "backend/sweeps/mod.rs", "row[samples..].fill(R::zero())", "row[cols..].fill(R::zero())", "rules_from_outside"),
    ("the front of the wave one layer too high", "backend/cpu/cycle.rs", "let lowest = front.saturating_sub(1);", "let lowest = (*front).min(hidden - 1);", "backends"),
    ("the skip left out of the fused pull", "backend/cpu/cycle.rs", "let pulled = if self.skip { sum.mul_add(scale, V::load(self.q_above.add(at))) } else { sum.mul(scale) };", "let pulled = sum.mul(scale);", "backends"),
    ("a bias left out of the fused pass", "backend/cpu/cycle.rs", "let u = biased(sum, self.scale, self.bias.add(row));\n                let (value", "let u = sum.mul(self.scale);\n                let (value", "backends"),
    ("a bias without its gradient", "backend/sweeps/dense.rs", "*b += -weight * q.row(i)", "*b += R::zero() * q.row(i)", "golden"),
    ("a long skip left out of Jᵀ", "backend/sweeps/node.rs", "addends.for_each(|addend| add(addend, out));", "let _ = addends;", "graphs"),
    ("a bound that forgets the dual step", "error.rs", "let value = eta * sigma_squared * (2.0 * rho + alpha);", "let value = eta * sigma_squared * (2.0 * rho);", "nesterov"),
    ("an automatic step that forgets the dual step", "theory/step_size.rs", "eta: eta.min(SHARE * StabilityBound::LIMIT / both)", "eta: eta.min(SHARE * StabilityBound::LIMIT * both)", "step_size"),
    ("Adam without its bias correction", "optimizer/mod.rs", "let step = *m * unbias1 / ((*v * unbias2).sqrt() + epsilon);", "let step = *m / ((*v).sqrt() + epsilon);", "optimizers"),
]


def copy(to: Path) -> None:
    files = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=True).stdout
    for name in filter(None, files.decode().split("\0")):
        if (ROOT / name).exists():
            (to / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, to / name)


def failed(place: Path, target: Path, binary: str) -> tuple[list[str], str]:
    """The tests of `binary` that fail, and all that was said."""
    command = ["cargo", "test", "-p", "pcalm", "--test", binary, "--no-fail-fast"]
    environment = {**os.environ, "CARGO_TARGET_DIR": str(target), "RUST_BACKTRACE": "0"}
    done = subprocess.run(command, cwd=place, env=environment, capture_output=True, text=True)
    said = done.stdout + done.stderr
    return sorted(set(re.findall(r"^test (\S+) \.\.\. FAILED", said, re.M))), said


def main() -> int:
    wanted = sys.argv[1:]
    chosen = [d for d in DEFECTS if not wanted or any(w in d[0] for w in wanted)]
    survived = 0
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder) / "pcalm"
        target = Path(os.environ.get("PLANTED_TARGET", Path(folder) / "target"))
        copy(place)
        print("| defect | file | caught by |\n| --- | --- | --- |", flush=True)
        for name, file, old, new, binary in chosen:
            path = place / "crates/pcalm/src" / file
            whole = path.read_text()
            if whole.count(old) != 1:
                print(f"| {name} | {file} | NOT PLANTED: its line is there {whole.count(old)} times |", flush=True)
                survived += 1
                continue
            path.write_text(whole.replace(old, new))
            tests, said = failed(place, target, binary)
            path.write_text(whole)
            if tests:
                more = f" and {len(tests) - 1} more" if len(tests) > 1 else ""
                print(f"| {name} | `{file}` | `{binary}`: `{tests[0]}`{more} |", flush=True)
            else:
                survived += 1
                reason = "does not compile" if "error" in said and "could not compile" in said else "SURVIVED"
                print(f"| {name} | `{file}` | {reason} `{binary}` |", flush=True)
                if reason != "SURVIVED":
                    print(said[-2000:], file=sys.stderr)
    return 1 if survived else 0


if __name__ == "__main__":
    sys.exit(main())
