#!/usr/bin/env bash
# The echo processor on our Bash client. It decodes the data of all records. ../go/echochild/main.go
# describes its notes.

# shellcheck source=../../../clients/bash/kcl.sh
source "$(dirname "${BASH_SOURCE[0]}")/../../../clients/bash/kcl.sh"

note() {
  local word=$1
  shift
  printf '%s\n' "$word $(date +%s%N) $*" >>"$BENCH_NOTES/$$"
}

initialize() { note init; }

process_records() {
  local records bytes
  records=$(cut -f 5)
  bytes=$(base64 -d <<<"$records" | wc -c)
  note batch "$(wc -l <<<"$records")" "$bytes"
}

shard_ended() { checkpoint; }
shutdown_requested() { checkpoint; }

note start
kcl_run
