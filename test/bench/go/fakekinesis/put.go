package main

import (
	"context"
	"crypto/md5"
	"encoding/base64"
	"encoding/binary"
	"math/bits"
	"net/http"
	"sync"
	"time"
)

// putLog contains the records that were put into one shard. They follow those that it had from the
// start.
type putLog struct {
	lock    sync.Mutex
	records []putRecord
	// Closed and replaced when a record arrives.
	grown chan struct{}
}

type putRecord struct {
	key     string
	payload []byte
	arrived time.Time
}

func newPutLog() *putLog { return &putLog{grown: make(chan struct{})} }

func (l *putLog) add(record putRecord) int {
	l.lock.Lock()
	defer l.lock.Unlock()
	l.records = append(l.records, record)
	close(l.grown)
	l.grown = make(chan struct{})
	return len(l.records)
}

func (l *putLog) after(count int) []putRecord {
	l.lock.Lock()
	defer l.lock.Unlock()
	return l.records[min(count, len(l.records)):]
}

// appendPut renders them as the shard's records after the first ones.
func appendPut(out []byte, form *form, put []putRecord, shard, before int) []byte {
	for i, record := range put {
		var at changing
		out, at = form.appendRecord(out, i == 0, record.payload, record.key, record.arrived)
		putSequence(out[at.sequence:], shard, before+i+1)
	}
	return out
}

// wait returns when there are more records than count, when none has arrived for a while, or at the
// end of ctx.
func (l *putLog) wait(ctx context.Context, count int) {
	l.lock.Lock()
	have, grown := len(l.records), l.grown
	l.lock.Unlock()
	if have > count {
		return
	}
	timer := time.NewTimer(silence)
	defer timer.Stop()
	select {
	case <-grown:
	case <-timer.C:
	case <-ctx.Done():
	}
}

func (s *stream) putRecord(w http.ResponseWriter, form *form, request object) {
	key, _ := request["PartitionKey"].(string)
	payload, ok := request["Data"].([]byte) // raw bytes in CBOR
	if text, isText := request["Data"].(string); isText {
		var err error
		payload, err = base64.StdEncoding.DecodeString(text)
		ok = err == nil
	}
	if !ok {
		refuse(w, form, "SerializationException", "no Data")
		return
	}
	// Each shard has an equal part of the hash keys.
	hash := md5.Sum([]byte(key))
	part, _ := bits.Mul64(binary.BigEndian.Uint64(hash[:]), uint64(s.shards))
	shard := int(part)
	count := s.puts[shard].add(putRecord{key, payload, time.Now()})
	write(w, form, object{"ShardId": shardID(shard), "SequenceNumber": sequenceNumber(shard, s.records+count)})
}
