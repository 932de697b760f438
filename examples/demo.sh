#!/usr/bin/env bash
# A Wuxing network learns digits in float and in the exact integers of the hardware; then it becomes Verilog, which classifies and
# learns the same bits, in the end on a virtual board. `make demo` runs this.
# MNIST when it is on this machine already (nothing is downloaded), else the 8x8 digits that scikit-learn carries.
set -euo pipefail
out="${1:-build/demo}"
mkdir -p "$out"

dataset="$(python -c 'from golden_model.datasets import available; print("mnist" if available("mnist") else "digits")')"
options=()
small=64,32,10                            # the network of the virtual board
if [ "$dataset" = mnist ]; then
  small=784,32,10
  options=(--epochs 15)                   # of 60 by default, which reach a little more in four times the time
  echo "Data: MNIST, found on this machine. The small 8x8 digits instead: wuxing compare --dataset digits"
else
  echo "Data: the 8x8 digits of scikit-learn. MNIST instead: wuxing compare --dataset mnist downloads it;" \
       "or set WUXING_DATA to a folder that has its four files in mnist/"
fi

say() { printf '\n$ %s\n' "$*"; "$@"; }

say wuxing compare --dataset "$dataset" ${options[@]+"${options[@]}"} --json "$out/compare.json" --report "$out"
say wuxing train --dataset "$dataset" --arithmetic fixed --epochs 3 -o "$out/model.npz"
say wuxing info "$out/model.npz"
say wuxing ranges "$out/model.npz" --dataset "$dataset"

say wuxing verilog "$out/model.npz" -o "$out/verilog"
if command -v g++ >/dev/null && command -v make >/dev/null && command -v perl >/dev/null; then
  echo; echo "The Verilog is compiled first, which takes a minute or two once."
  say wuxing cosim "$out/model.npz" --dataset "$dataset" --learn 100 --json "$out/cosim.json"

  echo; echo "A board without a board: the gateware of an iCEBreaker, its serial line included, behind a port of this machine."
  say wuxing train --dataset "$dataset" --config "$(dirname "$0")/icebreaker.toml" --layers "$small" --arithmetic fixed \
      --epochs 1 -o "$out/icebreaker.npz"
  say wuxing run "$out/icebreaker.npz" --board icebreaker --dataset "$dataset" --images 100 --learn 100 \
      -o "$out/learnt-on-board.npz" --json "$out/run.json"
else
  echo "Without g++, make and perl the Verilog cannot be compiled here; with them: wuxing cosim $out/model.npz"
fi
