# Tasks for developers; `just` lists them. https://just.systems

_default:
    @just --list

# What CI runs.
test:
    .ci/run

# Inference and training steps against the machine's multiply-add peak.
bench:
    cargo bench -p pcalm --bench step

# The training step beside JAX and PyTorch; installs them into benches/peers/.venv the first time.
bench-peers *ARGS:
    test -d benches/peers/.venv || benches/peers/install.sh
    cargo build --release
    cargo bench -p pcalm --bench step --no-run
    benches/peers/.venv/bin/python benches/peers/run.py --pcalm-bench "cargo bench -q -p pcalm --bench step -- --json" {{ARGS}}

# Redraws docs/performance/peers.svg from benches/peers/measured.json.
plot-peers:
    benches/peers/.venv/bin/python benches/peers/plot.py benches/peers/measured.json docs/performance/peers.svg

# Makes the figures and claims of docs/results anew (51 minutes on two cores; PCALM_DATA_DIR: a folder with MNIST).
results:
    # Exit code 1 is a claim that is not confirmed, which belongs into the report.
    cargo run --release -- figure all --scale default --out runs/figures-default || test $? = 1
    cargo run --release -- report runs/figures-default
    cp runs/figures-default/claims.md docs/results/
    cp runs/figures-default/figures/*/*.svg docs/results/
