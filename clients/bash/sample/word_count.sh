#!/usr/bin/env bash
# Counts words: each record is one UTF-8 word. The sample stores a shard's counts before each
# checkpoint, so a restart continues from counts that match the checkpoint. If the process dies
# between the two, it counts the words since the last checkpoint twice.

source "$(dirname "${BASH_SOURCE[0]}")/../kcl.sh"

counts='{}'
next_checkpoint=0

initialize() {
  shard_id=$1
  file=$WORD_COUNT_DIR/$shard_id.json
  # Without a checkpoint all records arrive again, so counting starts at zero.
  if [[ -n $WORD_COUNT_DIR && $2 =~ ^[0-9]+$ && -e $file ]]; then
    counts=$(jq -c . "$file")
  fi
}

process_records() {
  counts=$(cut -f 5 | jq -cRn --slurpfile counts <(printf '%s' "$counts") \
    'reduce (inputs | @base64d) as $word ($counts[0]; .[$word] += 1)')
  if ((SECONDS >= next_checkpoint)); then
    store
    # SECONDS counts whole seconds: a difference of two is at least one second.
    next_checkpoint=$((SECONDS + 2))
  fi
}

lease_lost() {
  report
}

shard_ended() {
  store
  report
}

shutdown_requested() {
  store
}

store() {
  if [[ -n $WORD_COUNT_DIR ]]; then
    printf '%s\n' "$counts" >"$file.$$.tmp"
    mv -f "$file.$$.tmp" "$file"
  fi
  # If the lease is lost, another worker holds the shard; lease_lost follows.
  checkpoint || [[ $KCL_ERROR == ShutdownException ]]
}

report() {
  if [[ -z $WORD_COUNT_DIR ]]; then printf '%s: %s\n' "$shard_id" "$counts" >&2; fi
}

WORD_COUNT_DIR=${WORD_COUNT_DIR-}
kcl_run
