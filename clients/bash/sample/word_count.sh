#!/usr/bin/env bash
# Counts words: each record is one UTF-8 word. The counts of a shard are stored before each checkpoint, so that a
# restart goes on from numbers that belong to its checkpoint. Nothing is counted twice unless a process dies between
# the two; then the words since the last checkpoint are.

source "$(dirname "${BASH_SOURCE[0]}")/../kcl.sh"

counts='{}'
next_checkpoint=0

initialize() {
  shard_id=$1
  file=$WORD_COUNT_DIR/$shard_id.json
  # Without a checkpoint all records come again, and counting begins at nothing.
  if [[ -n $WORD_COUNT_DIR && $2 =~ ^[0-9]+$ && -e $file ]]; then
    counts=$(jq -c . "$file")
  fi
}

process_records() {
  counts=$(cut -f 5 | jq -cRn --slurpfile counts <(printf '%s' "$counts") \
    'reduce (inputs | @base64d) as $word ($counts[0]; .[$word] += 1)')
  if ((SECONDS >= next_checkpoint)); then
    store
    # In whole seconds: two of them are at least one.
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
  # With a lost lease another worker has the shard; lease_lost is on its way.
  checkpoint || [[ $KCL_ERROR == ShutdownException ]]
}

report() {
  if [[ -z $WORD_COUNT_DIR ]]; then printf '%s: %s\n' "$shard_id" "$counts" >&2; fi
}

WORD_COUNT_DIR=${WORD_COUNT_DIR-}
kcl_run
