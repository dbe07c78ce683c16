# What gpu-verify.sh and gpu-bench.sh share; sourced. Needs bash, CMake, nvcc (or --shim), python3.
set -u
cd "$(dirname "${BASH_SOURCE[0]}")/.."

started=$SECONDS
shim=0
name=""
budget=540
while [ $# -gt 0 ]; do
  case $1 in
    --shim) shim=1 ;;
    --name) name=$2; shift ;;
    --seconds) budget=$2; shift ;;
    *) echo "usage: $0 [--shim] [--name NAME] [--seconds N]" >&2; exit 2 ;;
  esac
  shift
done

remaining() { echo $((budget - (SECONDS - started))); }

if [ "$shim" = 1 ]; then
  build=build-gpu-shim
  kernel_tests=$build/kernels/kernel_tests
  export MSN_CUDA_SHIM=1
  : "${name:=shim}"
else
  build=build-gpu
  kernel_tests=$build/kernels/kernel_tests_gpu
  export MSN_CUDA_MODULE=$PWD/$build/libmakesomenoise_cuda.so
  # The engine looks for cuBLASLt in the Python environment that is named here.
  : "${VIRTUAL_ENV:=$(python3 -c 'import sys; print(sys.prefix)')}"
  export VIRTUAL_ENV
  if ! nvidia-smi -L >/dev/null 2>&1; then
    echo "$0: no NVIDIA GPU here (nvidia-smi -L fails); --shim checks the scripts without one" >&2
    exit 1
  fi
  : "${name:=$(nvidia-smi --query-gpu=name --format=csv,noheader | head -1 | tr 'A-Z ' 'a-z-')}"
fi
programs=$build/Release
work=$build/results
rm -rf "$work"
mkdir -p "$work"
lines=$work/results.jsonl
: > "$lines"

# Appends what became of a stage to the results.
note() { # stage, state, seconds, detail
  printf '{"kind": "stage", "stage": "%s", "state": "%s", "seconds": %s, "detail": "%s"}\n' "$1" "$2" "$3" "$4" >> "$lines"
}

# stage NAME LIMIT COMMAND...: runs within LIMIT seconds and what is left of the budget, keeping the output in a log.
# Its status is the command's; 125: there was no time.
stage() {
  local title=$1 limit=$2 left status began=$SECONDS
  shift 2
  left=$(remaining)
  if [ "$left" -lt 10 ]; then
    echo "== $title: left out, no time"
    note "$title" skipped 0 "no time left"
    return 125
  fi
  [ "$limit" -gt "$left" ] && limit=$left
  echo "== $title (at most $limit s)"
  timeout "$limit" bash -c '"$@"' stage "$@" > >(tee "$work/${title// /-}.log") 2>&1
  status=$?
  if [ $status = 0 ]; then
    note "$title" passed $((SECONDS - began)) ""
  elif [ $status = 124 ]; then
    echo "== $title: stopped after $limit s"
    note "$title" stopped $((SECONDS - began)) "stopped after $limit s"
  else
    echo "== $title: FAILED (status $status)"
    note "$title" failed $((SECONDS - began)) "exit status $status"
  fi
  return $status
}

# report COMMAND: the table, and the results as JSON; those of the shim stay in the build folder.
report() {
  local folder=bench/results
  [ "$shim" = 1 ] && folder=$work
  python3 bench/gpu/report.py "$lines" --name "$name" --command "$1" --folder "$folder"
}

build_programs() {
  local options=(-DMSN_ADDON=OFF -DMSN_GPU_PROGRAMS=ON -DCMAKE_BUILD_TYPE=Release)
  if [ "$shim" = 1 ]; then
    options+=(-DMSN_CUDA=OFF -DMSN_CUDA_SHIM=ON)
  else
    local capability
    capability=$(nvidia-smi --query-gpu=compute_cap --format=csv,noheader | head -1 | tr -d .)
    [ "$capability" = 90 ] && capability=90a
    options+=(-DMSN_CUDA=ON -DMSN_CUDA_TESTS=ON "-DMSN_CUDA_ARCHS=$capability-real")
  fi
  command -v ninja >/dev/null && options+=(-G Ninja)
  cmake -S . -B "$build" "${options[@]}" >"$work/configure.log" 2>&1 || { cat "$work/configure.log"; return 1; }
  # Only what the stages run: the shim's folder also has builds for sanitizers.
  local targets=(engine_check decode_bench training_bench)
  [ "$shim" = 1 ] && targets+=(kernel_tests makesomenoise_cuda_shim) || targets+=(kernel_tests_gpu makesomenoise_cuda)
  cmake --build "$build" --parallel "${CMAKE_BUILD_PARALLEL_LEVEL:-$(nproc)}" --target "${targets[@]}"
}
export build shim work
export -f build_programs

# A Node that pack-gpu.sh put beside the sources.
if [ -f carried/node.xz ]; then
  if [ ! -x carried/node ]; then
    python3 -c 'import lzma, shutil; shutil.copyfileobj(lzma.open("carried/node.xz"), open("carried/node", "wb"))'
    chmod +x carried/node
  fi
  export PATH=$PWD/carried:$PATH
fi
