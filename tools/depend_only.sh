#!/usr/bin/env bash
# In front of the compiler's command: writes the file's dependencies and an empty object. For builds in which another
# tool reads the sources (the preset `tidy`) and nobody runs the result.
set -euo pipefail
arguments=()
while [[ $# -gt 0 ]]; do
  case $1 in
    -o)
      object=$2
      shift
      ;;
    -c) arguments+=(-E -o /dev/null) ;;
    *) arguments+=("$1") ;;
  esac
  shift
done
"${arguments[@]}"
: >"$object"
