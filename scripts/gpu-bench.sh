#!/bin/bash
# Times the CUDA engine beside PyTorch and transformers on this machine's GPU, in one run:
#   scripts/gpu-bench.sh [--name NAME] [--seconds 540] [--shim]
# Decoding of random weights of the 8B and 1B Llama-3 shapes against transformers, eager and compiled with a static cache;
# an optimizer step of the 1B shape against PyTorch, eager and compiled. Needs python3 with torch and transformers, no
# network. What does not fit into the time is left out, and the results say so: bench/results/gpu-<name>-<date>.json.
# --shim: tiny shapes on the host shim, and PyTorch on the CPU where it is installed, to check the scripts; its times mean
# nothing.
source "$(dirname "$0")/gpu-common.sh"

stage build 300 build_programs || exit 1
peer() { # title, limit, script, arguments; the script stops by itself in time
  local title=$1 limit=$2 script=$3 left
  shift 3
  left=$(remaining)
  [ "$limit" -gt "$left" ] && limit=$left
  stage "$title" "$limit" python3 "bench/gpu/$script" --results "$lines" --seconds $((limit * 2 / 3)) "$@"
}

if ! python3 -c 'import torch, transformers' 2>"$work/import.log"; then
  echo "PyTorch or transformers is missing: the peers are not measured"
  peer() { note "$1" skipped 0 "python3 has no torch or no transformers"; }
fi

if [ "$shim" = 1 ]; then
  stage "decode tiny" 120 "$programs/decode_bench" --model tiny --contexts 64 --nodes 1,16 --repeats 2 --results "$lines"
  peer "transformers tiny" 120 transformers_decode.py --device cpu --model tiny --contexts 64 --positions 1,16 --repeats 2 --modes eager
  stage "training tiny" 60 "$programs/training_bench" --model tiny --rows 2 --length 32 --repeats 2 --results "$lines"
  peer "PyTorch training tiny" 120 pytorch_training.py --device cpu --model tiny --rows 2 --length 32 --repeats 2 --modes eager
else
  # What the bars ask for comes first.
  stage "decode 8b" 90 "$programs/decode_bench" --model 8b --results "$lines"
  stage "training 1b" 60 "$programs/training_bench" --results "$lines"
  peer "transformers 8b at 1k" 150 transformers_decode.py --model 8b --contexts 1024
  peer "PyTorch training 1b" 150 pytorch_training.py
  stage "decode 1b" 45 "$programs/decode_bench" --model 1b --results "$lines"
  peer "transformers 8b at 32k" 120 transformers_decode.py --model 8b --contexts 32768
  peer "transformers 1b" 120 transformers_decode.py --model 1b
fi
report bench
echo "$((SECONDS - started)) s in all"
