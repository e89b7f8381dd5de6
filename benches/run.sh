#!/bin/sh
# Builds Andon as it is released and prints its figures beside the bars that it must reach.
#
#   benches/run.sh                  everything, 7 rounds each
#   benches/run.sh --rounds 3 one   3 rounds of what begins with "one"
#   benches/run.sh hook             the daemon from a webhook to the deploy; also burst, looks, idle, start, flood, escaped
#   benches/run.sh pages            pages of 100 pipelines with 10,000 cycles each; --history N of as many others
#   benches/run.sh viewers          1,000 people who follow a log, and a cycle
#   benches/run.sh --output-gb 10 output
#   benches/run.sh proxy            the proxy that observes suite commands
#
# Needs nothing but a Rust toolchain and git. Nothing is judged by the exit code: a figure that misses
# its bar says so in its line, and whoever reads it knows what else the machine was doing.
set -eu
cd "$(dirname "$0")/.."
exec cargo bench --quiet --bench figures -- "$@"
