#!/bin/bash
# Packs what gpu-verify.sh and gpu-bench.sh need on a machine without Node and network into one archive under 60 MB:
#   scripts/pack-gpu.sh [--output makesomenoise-gpu.tar.gz] [--node PATH]
# The archive unpacks into makesomenoise/; run scripts/gpu-verify.sh in there. --node carries a Node binary, stripped and
# compressed, with the built addon (npm run build), so that the command line is tried there, too. Its addon must have been
# built on a system no newer than that machine's.
set -eu
cd "$(dirname "$0")/.."

output=makesomenoise-gpu.tar.gz
node=""
while [ $# -gt 0 ]; do
  case $1 in
    --output) output=$2 ;;
    --node) node=$2 ;;
    *) echo "usage: $0 [--output FILE] [--node PATH]" >&2; exit 2 ;;
  esac
  shift 2
done

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
root=$folder/makesomenoise
mkdir "$root"
# What is committed or new, without what git ignores; files that are deleted but still known are left out.
git ls-files -co --exclude-standard CMakeLists.txt package.json kernels native test/kernels bench/gpu scripts LICENSE NOTICE |
  while read -r file; do [ -f "$file" ] && echo "$file"; done | tar -cf - -T - | tar -xf - -C "$root"
git rev-parse HEAD > "$root/COMMIT"

if [ -n "$node" ]; then
  for needed in dist/cli/main.js build/Release/makesomenoise.node; do
    [ -f "$needed" ] || { echo "$0: $needed is missing; run npm run build first" >&2; exit 1; }
  done
  mkdir -p "$root/carried" "$root/build/Release" "$root/node_modules"
  cp "$node" "$folder/node"
  strip "$folder/node"
  xz -T0 -c "$folder/node" > "$root/carried/node.xz"
  cp -r dist "$root/dist"
  cp build/Release/makesomenoise.node "$root/build/Release/"
  strip --strip-unneeded "$root/build/Release/makesomenoise.node"
  # The dependencies that are loaded at run time; cmake-js and the headers only build.
  for package in @huggingface/jinja cli-progress string-width emoji-regex is-fullwidth-code-point strip-ansi ansi-regex \
    commander hyparquet node-gyp-build tokenizers uplot yaml zod; do
    mkdir -p "$root/node_modules/$(dirname "$package")"
    cp -rL "node_modules/$package" "$root/node_modules/$package"
  done
  find "$root/node_modules/tokenizers" -name '*.node' ! -name '*linux-x64-gnu*' -delete
fi

tar -czf "$output" -C "$folder" makesomenoise
bytes=$(stat -c %s "$output")
echo "$output: $((bytes / 1000)) kB, $(tar -tzf "$output" | wc -l) entries"
if [ "$bytes" -gt 60000000 ]; then
  echo "$0: more than 60 MB; leave out --node" >&2
  exit 1
fi
