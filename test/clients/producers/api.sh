#!/usr/bin/env bash
# Calls everything of the Bash producer and writes what it receives; see producerClient.ts.

source "$(dirname "${BASH_SOURCE[0]}")/../../../clients/bash/producer.sh"

declare -A shards=()
code=''
producer_stored() { shards[$2]=1; }
producer_failed() { code=$2; }

producer_start || exit 1
data=$(for ((i = 0; i < 256; i++)); do printf "\\x$(printf %x "$i")"; done | base64 -w 0)
for ((i = 0; i < 20; i++)); do
  producer_put_base64 k "$data" 170141183460469231731687303715884105728 words
done
producer_flush 30000
producer_metrics UserRecordsReceived
producer_put '' text
producer_flush
failed=$code
producer_close
totals=("${PRODUCER_TOTALS[@]}")
producer_put k text
jq -nc --arg shard "${!shards[*]}" --arg flushed "$PRODUCER_NOT_STORED" --argjson metrics "$PRODUCER_METRICS" \
  --arg failed "$failed" --arg after "$code" --arg totals "${totals[*]}" '{
    shards: [$shard],
    attempts: [true],
    flushed: ($flushed | tonumber),
    received: ([$metrics[] | select(.dimensions == {}).sum] | add),
    failed: $failed,
    afterClose: $after,
    totals: ($totals | split(" ") | map(tonumber))
  }'
