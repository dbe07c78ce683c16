#!/bin/bash
# Times the CUDA engine beside PyTorch and transformers on this machine's GPU, in one run:
#   scripts/gpu-bench.sh [--name NAME] [--seconds 540] [--folder bench/results] [--shim]
# Decoding of random weights of the 8B and 1B Llama-3 shapes against transformers, eager and compiled with a static cache;
# an optimizer step of the 1B shape against PyTorch, eager and compiled. Needs python3 with torch and transformers, no
# network. What does not fit into the time is left out, and the results say so: gpu-<name>-bench-<date>.json and .log in
# the folder, written after every stage. --shim: tiny shapes on the host shim, and PyTorch on the CPU where it is
# installed, to check the scripts; its times mean nothing.
command=bench
source "$(dirname "$0")/gpu-common.sh"

stage build 240 build_programs # what did not build fails where it is run
peer() { # title, limit, script, arguments; the script begins nothing new in the last third of its time
  local name=$1 limit=$2 script=$3 left
  shift 3
  left=$(remaining)
  [ "$limit" -gt "$left" ] && limit=$left
  timing "$name" "$limit" python3 -u "bench/gpu/$script" --results "$lines" --seconds $((limit * 2 / 3)) "$@"
}

if ! python3 -c 'import torch, transformers' 2>"$work/import.log"; then
  echo "PyTorch or transformers is missing: the peers are not measured"
  peer() { note "$1" skipped 0 "python3 has no torch or no transformers"; }
fi

if [ "$shim" = 1 ]; then
  timing "decode tiny" 120 "$programs/decode_bench" --model tiny --contexts 64 --nodes 1,16 --warm-up 1 --repeats 2 \
    --results "$lines"
  peer "transformers tiny" 120 transformers_decode.py --device cpu --model tiny --contexts 64 --positions 1,16 --repeats 2 \
    --modes eager
  timing "training tiny" 60 "$programs/training_bench" --model tiny --rows 2 --length 32 --repeats 2 --results "$lines"
  peer "PyTorch training tiny" 120 pytorch_training.py --device cpu --model tiny --rows 2 --length 32 --repeats 2 \
    --modes eager
else
  # What the bars ask for comes first.
  timing "decode 8b at 1k" 60 "$programs/decode_bench" --model 8b --contexts 1024 --results "$lines"
  timing "training 1b" 60 "$programs/training_bench" --profile 0 --results "$lines"
  peer "transformers 8b at 1k" 210 transformers_decode.py --model 8b --contexts 1024
  peer "PyTorch training 1b" 150 pytorch_training.py
  timing "decode 1b" 45 "$programs/decode_bench" --model 1b --results "$lines"
  timing "decode 8b at 32k" 60 "$programs/decode_bench" --model 8b --contexts 32768 --results "$lines"
  peer "transformers 8b at 32k" 120 transformers_decode.py --model 8b --contexts 32768
  peer "transformers 1b" 120 transformers_decode.py --model 1b
fi
report
echo "$((SECONDS - started)) s in all"
