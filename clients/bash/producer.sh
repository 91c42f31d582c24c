# shellcheck shell=bash
# Puts records into Kinesis streams from Bash (4.1 or later) with jq, through the program
# `kinesis-multilang produce`, which aggregates them as the Kinesis Producer Library does, and
# retries. Source it:
#
#     source producer.sh
#     producer_stored() { echo "$1 is in $2 at $3, $4"; }  # ID SHARD SEQUENCE_NUMBER SUB_SEQUENCE_NUMBER
#     producer_failed() { echo "$1: $2: $3"; }             # ID CODE MESSAGE
#     producer_start -p producer.properties
#     producer_put pets cat                                # its id is in PRODUCER_ID
#     producer_close
#
# The two functions are called within the other ones, in the order of the outcomes. A put waits
# while maxInFlightBytes, or 256 records, have no outcome. If the producer dies, each record without
# an outcome fails with ProducerDied. SIGPIPE is ignored from producer_start on. Ctrl-C reaches the
# producer, too: it stores what it has read, and ends.

# An answer as one line of fields separated by tabs.
PRODUCER_DECODE='
  if .action == "result" and .error then ["failed", .id, .error, .message]
  elif .action == "result" then ["stored", .id, .shardId, .sequenceNumber, .subSequenceNumber]
  else { ready: [.maxInFlightBytes, .protocolVersion],
         credit: [.bytes],
         flushed: [.id, .notStored],
         metrics: [.id, (.metrics | tojson)],
         closed: [.stored, .failed, .notStored],
         error: [.line, .message]
       }[.action] as $fields
    | if $fields then [.action] + $fields else empty end
  end
  | map(tostring) | @tsv'

PRODUCER_MAX_LINE_BYTES=$((16 * 1024 * 1024))
# Their results fit into a pipe, so the producer can always write, and so always reads.
PRODUCER_MAX_WAITING=256
# The ids of the records without an outcome.
declare -A PRODUCER_WAITING=()

# producer_start OPTION…: starts the program with options of `kinesis-multilang produce --protocol`.
# The environment variable KINESIS_MULTILANG_PRODUCER replaces the whole command. Fails if the
# program ends at once; its log on STDERR has the reason.
producer_start() {
  local command to_jq
  read -ra command <<<"${KINESIS_MULTILANG_PRODUCER:-}"
  ((${#command[@]})) || command=(kinesis-multilang produce --protocol "$@")
  PRODUCER_WAITING=()
  PRODUCER_END='' PRODUCER_READY='' PRODUCER_LAST_ID=0 PRODUCER_CREDIT=0
  trap '' PIPE
  # jq needs no environment.
  coproc PRODUCER_JQ { exec env -i "$(command -v jq)" -r --unbuffered "$PRODUCER_DECODE"; }
  exec {to_jq}>&"${PRODUCER_JQ[1]}" {PRODUCER_FROM}<&"${PRODUCER_JQ[0]}"
  exec {PRODUCER_TO}> >(exec "${command[@]}" >&"$to_jq")
  # Only the producer writes to jq, which ends with it.
  eval "exec ${PRODUCER_JQ[1]}>&- ${PRODUCER_JQ[0]}<&-"
  exec {to_jq}>&-
  while [[ -z $PRODUCER_READY && -z $PRODUCER_END ]]; do producer_receive; done
  if [[ -n $PRODUCER_END ]]; then
    printf 'producer.sh: %s: the producer has ended; see its log on STDERR\n' "$PRODUCER_END" >&2
    return 1
  fi
  local start='{"action":"start","protocolVersion":1,"client":"producer.sh 0.1.0","credit":true}'
  ((PRODUCER_CREDIT -= ${#start} + 1))
  producer_write "$start"
}

# producer_put PARTITION_KEY TEXT [EXPLICIT_HASH_KEY [STREAM]]: puts text, which is stored as UTF-8.
producer_put() {
  producer_quote "$2"
  producer_put_payload "$1" "\"text\":$PRODUCER_QUOTED" "${@:3}"
}

# producer_put_base64 PARTITION_KEY BASE64 [EXPLICIT_HASH_KEY [STREAM]]: puts bytes. A variable of
# Bash cannot contain the byte 0.
producer_put_base64() {
  producer_quote "$2"
  producer_put_payload "$1" "\"data\":$PRODUCER_QUOTED" "${@:3}"
}

# producer_flush [TIMEOUT_MS]: sends everything that was put before, and waits for the outcomes.
# PRODUCER_NOT_STORED is the number of records that still have none.
producer_flush() {
  producer_ask "\"action\":\"flush\"${1:+,\"timeoutMs\":$1}" && PRODUCER_NOT_STORED=$PRODUCER_ANSWER
}

# producer_metrics [NAME [WINDOW_SECONDS]]: PRODUCER_METRICS is a JSON array of figures under the
# KPL's names.
producer_metrics() {
  local name=''
  [[ -n ${1-} ]] && producer_quote "$1" && name=",\"name\":$PRODUCER_QUOTED"
  producer_ask "\"action\":\"metrics\"$name${2:+,\"windowSeconds\":$2}" || return
  printf -v PRODUCER_METRICS '%b' "$PRODUCER_ANSWER"
}

# producer_poll: handles the outcomes that are known. A program that waits for its own input calls
# it from time to time.
producer_poll() {
  while [[ -z $PRODUCER_END ]] && read -r -t 0 -u "$PRODUCER_FROM"; do producer_receive; done
}

# producer_close: sends everything that was put, waits for the outcomes, and ends the producer.
# PRODUCER_TOTALS is an array: records stored, failed, and without an outcome. Fails if the producer
# died.
producer_close() {
  local died
  exec {PRODUCER_TO}>&-
  while [[ -z $PRODUCER_END ]]; do producer_receive; done
  died=$PRODUCER_END
  PRODUCER_END=Closed
  exec {PRODUCER_FROM}<&-
  [[ $died == Closed ]]
}

# The rest is internal.

# KEY FIELD [HASH_KEY [STREAM]]
producer_put_payload() {
  local line
  producer_quote "$1"
  line="\"action\":\"put\",\"partitionKey\":$PRODUCER_QUOTED,$2"
  if [[ -n ${3-} ]]; then
    producer_quote "$3"
    line+=",\"explicitHashKey\":$PRODUCER_QUOTED"
  fi
  if [[ -n ${4-} ]]; then
    producer_quote "$4"
    line+=",\"stream\":$PRODUCER_QUOTED"
  fi
  ((PRODUCER_ID = ++PRODUCER_LAST_ID))
  line="{$line,\"id\":$PRODUCER_ID}"
  local LC_ALL=C
  local cost=$((${#line} + 1))
  unset LC_ALL
  producer_poll
  if ((cost > PRODUCER_MAX_LINE_BYTES)); then
    producer_failed "$PRODUCER_ID" RecordTooLarge "the record takes $cost bytes in the protocol"
    return 0
  fi
  while [[ -z $PRODUCER_END ]] && producer_must_wait "$cost"; do producer_receive; done
  if [[ -n $PRODUCER_END ]]; then
    producer_failed "$PRODUCER_ID" "$PRODUCER_END" 'the producer has ended'
    return 0
  fi
  ((PRODUCER_CREDIT -= cost))
  PRODUCER_WAITING[$PRODUCER_ID]=1
  producer_write "$line"
}

producer_must_wait() {
  ((PRODUCER_CREDIT < ($1 < PRODUCER_MAX_IN_FLIGHT ? $1 : PRODUCER_MAX_IN_FLIGHT) ||
    ${#PRODUCER_WAITING[@]} >= PRODUCER_MAX_WAITING))
}

# Asks a question and waits for its answer.
producer_ask() {
  local line
  PRODUCER_ANSWER=''
  [[ -z $PRODUCER_END ]] || return
  line="{$1,\"id\":$((++PRODUCER_LAST_ID))}"
  ((PRODUCER_CREDIT -= ${#line} + 1)) || true
  producer_write "$line"
  while [[ -z $PRODUCER_END && -z $PRODUCER_ANSWER ]]; do producer_receive; done
  [[ -n $PRODUCER_ANSWER ]]
}

# Waits for one answer and handles it.
producer_receive() {
  local action fields
  if ! IFS=$'\t' read -r -u "$PRODUCER_FROM" action fields; then
    producer_finish
    return 0
  fi
  local IFS=$'\t'
  # shellcheck disable=SC2206
  set -f && fields=($fields) && set +f
  case $action in
    stored)
      unset "PRODUCER_WAITING[${fields[0]}]"
      producer_stored "${fields[@]}"
      ;;
    failed)
      unset "PRODUCER_WAITING[${fields[0]}]"
      producer_failed "${fields[@]}"
      ;;
    credit) ((PRODUCER_CREDIT += fields[0])) ;;
    flushed | metrics) PRODUCER_ANSWER=${fields[1]} ;;
    ready)
      PRODUCER_READY=1 PRODUCER_MAX_IN_FLIGHT=${fields[0]} PRODUCER_CREDIT=${fields[0]}
      ;;
    closed)
      PRODUCER_TOTALS=("${fields[@]}")
      PRODUCER_END=Closed
      producer_fail_rest NotStored
      ;;
    error) printf 'producer.sh: the producer refused line %s: %s\n' "${fields[@]}" >&2 ;;
  esac
  return 0
}

producer_finish() {
  PRODUCER_END=ProducerDied
  producer_fail_rest ProducerDied
}

producer_fail_rest() {
  local id
  for id in $(printf '%s\n' "${!PRODUCER_WAITING[@]}" | sort -n); do
    producer_failed "$id" "$1" 'the producer ended before the record had an outcome'
  done
  PRODUCER_WAITING=()
}

# Does nothing if the producer has ended: the next read notices.
producer_write() {
  printf '%s\n' "$1" 2>/dev/null >&"$PRODUCER_TO" || true
}

# Sets PRODUCER_QUOTED to a text as JSON.
producer_quote() {
  # Bytes: it is faster, and only ASCII has to be escaped.
  local LC_ALL=C code character escape octal text=$1 slash='\'
  text=${text//"$slash"/"$slash$slash"}
  text=${text//\"/"$slash\""}
  if [[ $text == *[[:cntrl:]]* ]]; then
    for ((code = 1; code < 32; code++)); do
      printf -v octal '%o' "$code"
      printf -v character '%b' "\\0$octal"
      printf -v escape 'u%04x' "$code"
      text=${text//"$character"/"$slash$escape"}
    done
  fi
  PRODUCER_QUOTED="\"$text\""
}
