# What gpu-verify.sh and gpu-bench.sh share; sourced, `command` set to verify or bench. Needs bash, CMake, nvcc (or
# --shim), python3. After every stage, and now and then within one, the results so far are written, so that a machine
# that is taken away, or a limit on the script itself, loses little.
set -u
cd "$(dirname "${BASH_SOURCE[0]}")/.." || exit 2

started=$SECONDS
shim=0
name=""
budget=540
folder=""
while [ $# -gt 0 ]; do
  case $1 in
    --shim) shim=1 ;;
    --name | --seconds | --folder)
      [ $# -gt 1 ] || { echo "$0: $1 needs a value" >&2; exit 2; }
      case $1 in
        --name) name=$2 ;;
        --seconds) budget=$2 ;;
        --folder) folder=$2 ;;
      esac
      shift
      ;;
    *) echo "usage: $0 [--shim] [--name NAME] [--seconds N] [--folder FOLDER]" >&2; exit 2 ;;
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
work=$build/results-$command
rm -rf "$work"
mkdir -p "$work"
# Those of the shim stay in the build folder.
if [ -z "$folder" ]; then
  if [ "$shim" = 1 ]; then folder=$work; else folder=bench/results; fi
fi
mkdir -p "$folder" || exit 2
date=$(date -u +%F)
stem=gpu-$name-$command-$date
log=$folder/$stem.log # what all stages printed
lines=$work/results.jsonl
: >"$log"
: >"$lines"

# Appends what became of a stage to the results.
note() { # stage, state, seconds, detail
  printf '{"kind": "stage", "stage": "%s", "state": "%s", "seconds": %s, "detail": "%s"}\n' "$1" "$2" "$3" "$4" >>"$lines"
}

# report: the table, and the results as JSON.
report() {
  python3 bench/gpu/report.py "$lines" --name "$name" --command "$command" --date "$date" --folder "$folder" \
    --logs "$work"
}

running=""
title=""
# stage NAME LIMIT COMMAND...: runs within LIMIT seconds and what is left of the budget, keeping the output in a log.
# Its status is the command's; 124 or 137: the clock stopped it; 125: there was no time.
stage() {
  local limit=$2 left status state output began=$SECONDS detail=""
  title=$1
  shift 2
  left=$(remaining)
  if [ "$left" -lt 10 ]; then
    echo "== $title: left out, no time"
    note "$title" skipped 0 "no time left"
    return 125
  fi
  [ "$limit" -gt "$left" ] && limit=$left
  echo "== $title (at most $limit s)"
  output=$work/${title// /-}.log
  : >"$output"
  # In the background, so that a signal to this script need not wait for the stage's end.
  timeout --kill-after=5 "$limit" bash -c '"$@"' stage "$@" </dev/null >"$output" 2>&1 &
  running=$!
  tail --pid="$running" -s 0.1 -n +1 -f "$output" &
  local reported=$SECONDS
  while kill -0 "$running" 2>/dev/null; do
    sleep 0.2
    if [ $((SECONDS - reported)) -ge 15 ]; then
      report >/dev/null
      reported=$SECONDS
    fi
  done
  wait "$running"
  status=$?
  running=""
  wait $!
  case $status in
    0) state=passed ;;
    124 | 137) state=stopped detail="stopped after $limit s" ;;
    *) state=failed detail="exit status $status" ;;
  esac
  [ $state = passed ] || echo "== $title: $state ($detail)"
  note "$title" $state $((SECONDS - began)) "$detail"
  { echo "== $title: $state, $((SECONDS - began)) s"; cat "$output"; } >>"$log"
  report >/dev/null
  return $status
}

# A signal: what there is becomes the report.
stopped() {
  trap '' TERM INT HUP
  [ -n "$running" ] && kill "$running" 2>/dev/null
  note "${title:-begin}" stopped 0 "the script was told to stop"
  report
  exit 143
}
trap stopped TERM INT HUP

# Which GPU, driver and clocks, and the tools' versions: once a run, into the log and the results.
describe_machine() {
  [ "$shim" = 1 ] && return
  {
    nvidia-smi -q -d CLOCK,POWER,PERFORMANCE,TEMPERATURE,MEMORY
    nvcc --version
    c++ --version | head -1
    cmake --version | head -1
    python3 --version
    uname -a
  } >>"$log" 2>&1
  note_clocks begin
}
# What nvidia-smi says of the clocks right after a stage, next to its times.
note_clocks() { # stage
  [ "$shim" = 1 ] && return
  local fields=name,driver_version,memory.total,clocks.sm,clocks.mem,clocks.max.sm,clocks.max.mem,power.draw,power.limit,temperature.gpu
  printf '{"kind": "gpu", "after": "%s", "fields": "%s", "values": "%s"}\n' "$1" "$fields" \
    "$(nvidia-smi --query-gpu=$fields --format=csv,noheader 2>&1 | head -1 | tr -d '"\\')" >>"$lines"
}
# A stage that times something.
timing() { # as stage
  local status
  stage "$@"
  status=$?
  [ $status = 125 ] || note_clocks "$1"
  return $status
}

build_programs() {
  local options=(-DMSN_ADDON=OFF -DMSN_GPU_PROGRAMS=ON -DCMAKE_BUILD_TYPE=Release)
  if [ "$shim" = 1 ]; then
    options+=(-DMSN_CUDA=OFF -DMSN_CUDA_SHIM=ON)
  else
    local capability
    capability=$(nvidia-smi --query-gpu=compute_cap --format=csv,noheader | head -1 | tr -d '. ')
    [ "$capability" = 90 ] && capability=90a
    options+=(-DMSN_CUDA=ON -DMSN_CUDA_TESTS=ON "-DMSN_CUDA_ARCHS=$capability-real")
  fi
  # A folder that was configured before keeps its generator.
  [ -f "$build/CMakeCache.txt" ] || ! command -v ninja >/dev/null || options+=(-G Ninja)
  cmake -S . -B "$build" "${options[@]}" >"$work/configure.log" 2>&1 || { cat "$work/configure.log"; return 1; }
  # Linked anew, so that a build that fails leaves no program of an older source behind.
  rm -f "$programs"/{engine_check,decode_bench,training_bench} "$kernel_tests" "$build"/{,Release/}libmakesomenoise_cuda*.so
  # On with the rest where one file fails: the other programs are worth having.
  local keep_going=-k
  [ -f "$build/build.ninja" ] && keep_going="-k 0"
  # shellcheck disable=SC2086
  cmake --build "$build" --parallel "${CMAKE_BUILD_PARALLEL_LEVEL:-$(nproc)}" --target gpu_programs -- $keep_going
}

# Each kernel test in a process of its own: one that crashes, hangs or loses the device takes no other with it.
# `checker`: a command and its options in front of the program, e.g. compute-sanitizer.
kernel_test() { # name
  local output status
  # shellcheck disable=SC2086
  output=$(timeout --foreground --kill-after=5 "$seconds_a_test" $checker "$kernel_tests" "$1" 2>&1)
  status=$?
  case $status in
    0) grep '^passed' <<<"$output"; return 0 ;;
    124 | 137) output+=$'\n'"FAILED  $1: stopped by the clock ($seconds_a_test s)" ;;
    1) ;;
    *) output+=$'\n'"FAILED  $1: ended with status $status" ;;
  esac
  grep -vE '^([01] passed, [01] failed)?$' <<<"$output"
  return 1
}
# kernel_tests_apart [NAME...]: those named, or all.
kernel_tests_apart() {
  local names
  if [ $# -gt 0 ]; then names=$(printf '%s\n' "$@"); else names=$("$kernel_tests" --list) || return 1; fi
  xargs -d '\n' -P "$tests_at_once" -I '{}' bash -c 'kernel_test "$1"' kernel_test '{}' <<<"$names"
}
seconds_a_test=60
tests_at_once=4
checker=""
export build shim work kernel_tests programs lines seconds_a_test tests_at_once checker
export -f build_programs kernel_test kernel_tests_apart

# A Node that pack-gpu.sh put beside the sources.
if [ -f carried/node.xz ]; then
  if [ ! -x carried/node ]; then
    python3 -c 'import lzma, shutil; shutil.copyfileobj(lzma.open("carried/node.xz"), open("carried/node", "wb"))'
    chmod +x carried/node
  fi
  export PATH=$PWD/carried:$PATH
fi
describe_machine
