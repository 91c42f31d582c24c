package main

import (
	"encoding/binary"
	"log"
	"slices"
	"sync"
	"time"
)

// counts is what has been put since the beginning, or since /begin.
type counts struct {
	lock                              sync.Mutex
	calls, entries, refused           int
	userRecords, userBytes, dataBytes int
	since, first                      time.Time
	latencies                         []time.Duration
}

func (c *counts) called(entries, refused int) {
	c.lock.Lock()
	defer c.lock.Unlock()
	c.calls++
	c.entries += entries
	c.refused += refused
}

func (c *counts) stored(data []byte, now time.Time) {
	c.lock.Lock()
	defer c.lock.Unlock()
	if c.first.IsZero() {
		c.first = now
	}
	c.dataBytes += len(data)
	eachUserRecord(data, func(payload []byte) {
		c.userRecords++
		c.userBytes += len(payload)
		put := time.UnixMicro(int64(binary.BigEndian.Uint64(payload)))
		c.latencies = append(c.latencies, now.Sub(put))
	})
}

func (s *stream) report(begin bool) object {
	c := &s.counts
	c.lock.Lock()
	defer c.lock.Unlock()
	slices.Sort(c.latencies)
	quantile := func(share float64) float64 {
		if len(c.latencies) == 0 {
			return 0
		}
		return float64(c.latencies[int(share*float64(len(c.latencies)-1))].Microseconds()) / 1000
	}
	answer := object{
		"calls": c.calls, "entries": c.entries, "refused": c.refused,
		"userRecords": c.userRecords, "userBytes": c.userBytes, "dataBytes": c.dataBytes,
		"p50Ms": quantile(0.5), "p99Ms": quantile(0.99), "seconds": time.Since(c.since).Seconds(),
		"firstMs": float64(c.first.UnixMicro()) / 1000,
	}
	if begin {
		c.calls, c.entries, c.refused, c.userRecords, c.userBytes, c.dataBytes = 0, 0, 0, 0, 0, 0
		c.latencies, c.since = c.latencies[:0], time.Now()
	}
	return answer
}

const (
	magic       = "\xf3\x89\x9a\xc2"
	digestBytes = 16
)

// The numbers of the fields that contain the records, and a record's data.
const (
	recordsField = 3
	dataField    = 3
)

// eachUserRecord opens an aggregate. Anything else is one record.
func eachUserRecord(data []byte, use func(payload []byte)) {
	if len(data) < len(magic)+digestBytes || string(data[:len(magic)]) != magic {
		use(data)
		return
	}
	eachField(data[len(magic):len(data)-digestBytes], recordsField, func(record []byte) {
		eachField(record, dataField, use)
	})
}

// eachField calls use with the content of each field of that number.
func eachField(message []byte, number uint64, use func(content []byte)) {
	for len(message) > 0 {
		tag, n := binary.Uvarint(message)
		value, m := binary.Uvarint(message[n:])
		if n <= 0 || m <= 0 {
			log.Fatal("a record is no protobuf message")
		}
		message = message[n+m:]
		const lengthDelimited = 2
		if tag&7 != lengthDelimited {
			continue // a number
		}
		if tag>>3 == number {
			use(message[:value])
		}
		message = message[value:]
	}
}
