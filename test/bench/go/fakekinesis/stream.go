package main

import (
	"fmt"
	"math/big"
	"math/rand"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"
)

// The service's limits for one GetRecords call.
const (
	mostRecords = 10_000
	mostBytes   = 10 << 20
)

// A sequence number has 56 digits, like the service's. The last 20 contain the shard (6) and the
// record (14).
const (
	sequencePrefix = "495903382714902566085596925383615710"
	shardDigits    = 6
	recordDigits   = 14
)

const streamARN = "arn:aws:kinesis:us-east-1:123456789012:stream/bench"

type stream struct {
	shards, records int
	payloadBytes    int // the size of each record
	pages           map[*form]*page
	puts            []*putLog // one per shard
	writers         []*writer // one per shard; nil if all records exist from the start
	limits          []*limits // one per shard; nil without limits
	counts          counts
	buffers         sync.Pool
}

func newStream(shards, records, size, aggregate int, paced pacing, limited bool) *stream {
	random := rand.New(rand.NewSource(1))
	payload := func() []byte {
		data := make([]byte, size)
		random.Read(data)
		return data
	}
	if aggregate > 0 {
		single := payload
		payload = func() []byte { return aggregateOf(aggregate, single) }
	}
	if paced.perSecond > 0 {
		records = mostRecords
	}
	count := max(1, min(mostRecords, records, mostBytes/max(1, len(payload()))))
	payloads := make([][]byte, count)
	for i := range payloads {
		payloads[i] = payload()
	}
	puts := make([]*putLog, shards)
	for i := range puts {
		puts[i] = newPutLog()
	}
	arrived := time.Now()
	return &stream{
		shards:       shards,
		records:      records,
		payloadBytes: len(payloads[0]),
		puts:         puts,
		writers:      newWriters(shards, paced),
		limits:       newLimits(shards, limited),
		pages: map[*form]*page{
			inJSON: newPage(inJSON, payloads, arrived),
			inCBOR: newPage(inCBOR, payloads, arrived),
		},
		buffers: sync.Pool{New: func() any { return new([]byte) }},
	}
}

// page is the largest response in one encoding, up to the end of its records. Smaller responses are
// a prefix of it.
type page struct {
	form    *form
	bytes   []byte
	changes []changing
	ends    []int // where each record ends
}

func newPage(form *form, payloads [][]byte, arrived time.Time) *page {
	p := &page{form: form}
	for i, payload := range payloads {
		var at changing
		p.bytes, at = form.appendRecord(p.bytes, i == 0, payload, fmt.Sprintf("key-%d", i), arrived)
		p.changes = append(p.changes, at)
		p.ends = append(p.ends, len(p.bytes))
	}
	return p
}

// appendRecords copies the first records of the page, as the shard's records from a position on.
func (p *page) appendRecords(out []byte, count, shard, before int, writer *writer) []byte {
	if count <= 0 {
		return out
	}
	start := len(out)
	out = append(out, p.bytes[:p.ends[count-1]]...)
	for i, at := range p.changes[:count] {
		putSequence(out[start+at.sequence:], shard, before+i+1)
		if writer != nil {
			p.form.putArrival(out[start+at.arrival:], writer.arrivalOf(before+i).UnixMilli())
		}
	}
	return out
}

// putSequence writes the changing digits of a sequence number.
func putSequence(digits []byte, shard, record int) {
	putDigits(digits[:shardDigits], shard)
	putDigits(digits[shardDigits:shardDigits+recordDigits], record)
}

func putDigits(digits []byte, value int) {
	for i := len(digits) - 1; i >= 0; i-- {
		digits[i] = '0' + byte(value%10)
		value /= 10
	}
}

func sequenceNumber(shard, record int) string {
	return fmt.Sprintf("%s%0*d%0*d", sequencePrefix, shardDigits, shard, recordDigits, record)
}

func (s *stream) getRecords(w http.ResponseWriter, form *form, request object) {
	iterator, _ := request["ShardIterator"].(string)
	shard, first, ok := readIterator(iterator)
	if !ok || shard >= s.shards {
		refuse(w, form, "InvalidArgumentException", "Invalid ShardIterator: "+iterator)
		return
	}
	if limits := s.limits[shard]; limits != nil && !limits.take() {
		s.counts.refused.Add(1)
		refuse(w, form, "ProvisionedThroughputExceededException", "Rate exceeded for shard "+shardID(shard))
		return
	}
	page := s.pages[form]
	written := s.written(shard)
	count := min(len(page.ends), written-first)
	if limit := number(request["Limit"]); limit > 0 {
		count = min(count, limit)
	}
	count = max(0, count)
	put := s.puts[shard].after(max(0, first-written))
	if first < written {
		put = nil
	}
	s.limits[shard].pay(count * s.payloadBytes)

	buffer := s.buffers.Get().(*[]byte)
	defer s.buffers.Put(buffer)
	next := fmt.Sprintf("%d/%d/%d", shard, first+count+len(put), time.Now().UnixNano())
	out := form.appendHead((*buffer)[:0], s.behind(shard, first+count), "NextShardIterator", next)
	out = page.appendRecords(out, count, shard, first, s.writers[shard])
	out = appendPut(out, form, put, shard, first)
	*buffer = append(out, form.tail...)
	w.Header().Set("Content-Length", strconv.Itoa(len(*buffer)))
	w.Write(*buffer)
}

// An iterator is SHARD/RECORDS BEFORE/NONCE. The nonce makes each one different, like the
// service's.
func readIterator(text string) (shard, first int, ok bool) {
	parts := strings.Split(text, "/")
	if len(parts) != 3 {
		return 0, 0, false
	}
	shard, errShard := strconv.Atoi(parts[0])
	first, errFirst := strconv.Atoi(parts[1])
	return shard, first, errShard == nil && errFirst == nil
}

func (s *stream) getShardIterator(w http.ResponseWriter, form *form, request object) {
	id, _ := request["ShardId"].(string)
	shard, ok := s.shardOf(id)
	if !ok {
		refuse(w, form, "ResourceNotFoundException", "no shard "+id)
		return
	}
	before := s.startOf(shard, request["ShardIteratorType"], request["StartingSequenceNumber"])
	write(w, form, object{"ShardIterator": fmt.Sprintf("%d/%d/0", shard, before)})
}

// startOf returns how many records precede a position.
func (s *stream) startOf(shard int, kind, sequenceNumber any) int {
	sequence, _ := sequenceNumber.(string)
	record, _ := strconv.Atoi(sequence[max(0, len(sequence)-recordDigits):])
	switch kind {
	case "LATEST":
		return s.written(shard)
	case "AT_SEQUENCE_NUMBER":
		return max(0, record-1)
	case "AFTER_SEQUENCE_NUMBER":
		return record
	}
	return 0
}

func shardID(shard int) string { return fmt.Sprintf("shardId-%012d", shard) }

func (s *stream) shardOf(id string) (int, bool) {
	_, digits, _ := strings.Cut(id, "-")
	shard, err := strconv.Atoi(digits)
	return shard, err == nil && shard < s.shards
}

func (s *stream) shardList() []any {
	list := make([]any, s.shards)
	for i := range list {
		list[i] = object{
			"ShardId":             shardID(i),
			"HashKeyRange":        object{"StartingHashKey": s.hashKey(i, 0), "EndingHashKey": s.hashKey(i+1, -1)},
			"SequenceNumberRange": object{"StartingSequenceNumber": sequenceNumber(i, 0)},
		}
	}
	return list
}

// hashKey returns where shard i's equal part of the 128-bit hash keys starts, plus an offset.
func (s *stream) hashKey(i int, plus int64) string {
	key := new(big.Int).Lsh(big.NewInt(int64(i)), 128)
	key.Div(key, big.NewInt(int64(s.shards)))
	return key.Add(key, big.NewInt(plus)).String()
}

func (s *stream) description(more object) object {
	description := object{
		"StreamName":           "bench",
		"StreamARN":            streamARN,
		"StreamStatus":         "ACTIVE",
		"RetentionPeriodHours": 24,
		"EnhancedMonitoring":   []any{},
	}
	for name, value := range more {
		description[name] = value
	}
	return description
}

// number returns an integer in either encoding, or 0.
func number(value any) int {
	switch value := value.(type) {
	case float64:
		return int(value)
	case int:
		return value
	}
	return 0
}
